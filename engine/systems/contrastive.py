"""The contrastive dual-stream system (P2): cosine of a vehicle's vector and a description's.

The score of a track and a query is the mean cosine over the track's shown frames and the query's sentences (P2, 3.2.5),
which is the inner product of two means of unit vectors; so each side is encoded once, whatever it is compared with.

Where a bundle says which parts of its vectors tell colour and type, descriptions of the vehicle's other views speak
there too, and nowhere else: motion and place do not hold elsewhere.
"""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import kernels, preprocess
from ..errors import BundleError
from ..frames import frame_order
from ..index import Encoded, QueryVectors, track_digest
from ..runtime.devices import open_graphs
from ..runtime.graph import Blocks
from ..sampling import Shot, ShotPlan, check_boxes
from ..tokenizer import Tokenizer
from .sentences import check_finite, read_sentences
from .shots import encode_shots, in_flight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..bundle import Bundle
    from ..cityflow import Query, Track
    from ..frames import FrameStore
    from ..notices import Notices
    from ..runtime.graph import Feeds
    from . import Progress

    Key = tuple[str, int]  # a track's digest and a position in it: what a vector depends on


OUTPUT = "vector"  # of both graphs
_LASTING = ("colour", "type")  # slices of a vector that hold of a vehicle wherever it is seen


def with_lasting(own: NDArray[Any], everywhere: NDArray[Any], slices: Mapping[str, tuple[int, int]]) -> NDArray[Any]:
    """Return vectors, float [Q, D], of what descriptions of a vehicle's own view say, and of its colour and type all.

    own, everywhere: float [Q, D], the means over its own view's sentences and over those of all its views.
    slices: what the parts of a vector tell, name → (start, stop).
    """
    vectors = own.copy()
    for part in (slice(*slices[name]) for name in _LASTING if name in slices):
        vectors[:, part] = everywhere[:, part]
    return vectors


class Contrastive:
    """Encodes tracks and queries with the graphs `vehicle` and `text` of a bundle.

    threads: blocks computed at once.  batch_size: rows in flight, by default enough to keep the threads busy.
    Raises BundleError for a bundle without these graphs, and what the runtime raises when the device cannot run them.
    """

    second_stage: ClassVar[None] = None  # the inner product is the whole score

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str,
        threads: int,
        batch_size: int | None,
        feature_bytes: int,
    ) -> None:
        self._recipe, self._embedding_id = bundle.recipe, bundle.embedding_id
        self.terms = dict(sorted(bundle.vector.items(), key=itemgetter(1)))
        self._tokenizer = Tokenizer.from_file(bundle.tokenizer, length=bundle.text_length)
        lacking = sorted({"vehicle", "text"} - bundle.graphs.keys())
        if lacking:
            fact = f"has no graph {' and no graph '.join(lacking)}"
            raise BundleError(bundle.path, fact, "export the bundle again with `nlvr-engine export`")
        starts, ends = zip(*self.terms.values(), strict=True) if self.terms else ((), ())
        if starts != (0, *ends)[:-1]:
            fact = f"vector.slices is {dict(bundle.vector)}, which does not follow one after the other from 0 on"
            raise BundleError(bundle.path, fact, "export the bundle again with `nlvr-engine export`")
        vector = {OUTPUT: ("float32", ("batch", bundle.dims))}
        if any(bundle.graphs[name].outputs != vector for name in ("vehicle", "text")):
            fact = f"has a vector of {bundle.dims} numbers, and its graphs return another"
            raise BundleError(bundle.path, fact, "export the bundle again with `nlvr-engine export`")
        vehicle, text = open_graphs([bundle.graphs["vehicle"], bundle.graphs["text"]], device=device)
        self.device = vehicle.device
        self._vehicle, self._text = (
            Blocks(graph, threads=threads, in_flight=in_flight(graph.block, threads, batch_size))
            for graph in (vehicle, text)
        )

    def close(self) -> None:
        """Stop the threads that run blocks."""
        self._vehicle.close()
        self._text.close()

    def encode_tracks(self, tracks: Sequence[Track], store: FrameStore, *, rule: str, progress: Progress) -> Encoded:
        """Return each track's mean unit vector over the frames that `rule` shows.

        Frames that turn out unreadable are replaced by others of their track.
        Raises InputError for a box wholly outside its image, FrameError for a track with no readable frame.
        """
        check_boxes(tracks, store)
        digests = [track_digest(track) for track in tracks]
        plan = ShotPlan(tracks, store, rule)
        vectors = encode_shots(
            plan,
            lambda shot: (digests[shot.row], shot.position),
            lambda todo, unreadable: self._encode_shots(tracks, todo, store, unreadable, progress),
        )
        rows = np.stack([vectors[digests[shot.row], shot.position] for shot in plan.shots])
        counts = np.bincount([shot.row for shot in plan.shots], minlength=len(tracks))
        return Encoded(kernels.segment_mean(rows, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)))

    def encode_queries(self, queries: Sequence[Query], *, notices: Notices, progress: Progress) -> QueryVectors:
        """Return each query's mean unit vector over its sentences, for `colour` and `type` over those of all views.

        Sentences cut short are counted. Raises ScoreError naming the query whose vector is not finite.
        """
        asked = list(queries)
        if not self.terms.keys().isdisjoint(_LASTING):
            asked += [replace(query, nl=query.nl + query.nl_other_views) for query in queries]
        read = read_sentences(asked, self._tokenizer, self._text, notices=notices, progress=progress)
        vectors = read.said[OUTPUT]
        means = kernels.segment_mean(vectors[read.rows], read.offsets)
        means = with_lasting(means[: len(queries)], means[-len(queries) :], self.terms)
        check_finite(queries, means)
        return QueryVectors(
            query_ids=tuple(query.id for query in queries),
            vectors=means,
            sentences=dict(zip(read.texts, vectors, strict=True)),
            embedding_id=self._embedding_id,
        )

    def _encode_shots(
        self,
        tracks: Sequence[Track],
        shots: dict[Key, Shot],
        store: FrameStore,
        unreadable: set[str],
        progress: Progress,
    ) -> Iterator[tuple[Key, NDArray[np.float32]]]:
        """Yield the vector of each shot whose frame can be read; add the other frames to `unreadable`.

        The order of the work is that of the footage and the tracks' content, never that of files or ids.
        """
        by_frame: dict[str, list[tuple[Key, Shot]]] = {}
        for key, shot in sorted(shots.items()):
            by_frame.setdefault(tracks[shot.row].frames[shot.position], []).append((key, shot))
        references = sorted(by_frame, key=frame_order)
        order: list[Key] = []

        def prepare(reference: str, image: NDArray[np.uint8] | None) -> list[Feeds] | None:
            if image is None:
                return None
            return [
                preprocess.vehicle(image, tracks[shot.row], shot.position, self._recipe).feeds()
                for _, shot in by_frame[reference]
            ]

        def rows() -> Iterator[Feeds]:
            for done, (reference, feeds) in enumerate(store.map(references, prepare), 1):
                progress("decode frames", done, len(references))
                if feeds is None:
                    unreadable.add(reference)
                    continue
                order.extend(key for key, _ in by_frame[reference])
                yield from feeds

        for done, row in enumerate(self._vehicle.run(rows()), 1):
            progress("encode tracks", done, len(shots))
            yield order[done - 1], row[OUTPUT]

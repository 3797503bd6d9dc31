"""SBNet (P1): Prob = MPR + SS + λ·CTM of a track and a description, with what is told of motion beside CTM.

All but MPR is one inner product of a track's and a query's vector (SS, eq. 20, and λ·CTM, eq. 21),

    track  [ mean unit FIgt | mean unit FNg  | softmax of the mean colour logits | … type logits | … motion ]
    query  [ mean unit FIg  | mean unit FNgt | λ at its colour                   | λ at its type | λ at its motion ]

with means over the shown frames and over the sentences; what a bundle's modules leave out is in neither. Motion, which
P1 has not, is read from a track's path. Where the bundle's `match` is "log", a track's vector has the logarithms of
these probabilities, and a query's λ is shared out among all that its sentences name. MPR (eq. 19) needs both at once:
see `sbnet_mask`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from .. import kernels, preprocess
from ..errors import BundleError, InputError
from ..feature_maps import FeatureMaps
from ..frames import frame_order
from ..index import Encoded, QueryVectors, Shots
from ..language import COLOURS, MOTIONS, TYPES
from ..runtime.devices import open_graphs
from ..runtime.graph import Blocks
from ..sampling import Shot, ShotPlan, check_boxes, image_size
from ..tokenizer import Tokenizer
from .sbnet_frames import FrameEncoder
from .sbnet_mask import MaskTerm
from .sbnet_queries import ERRING, Match, QueryEncoder
from .shots import encode_shots, in_flight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..bundle import Bundle
    from ..cityflow import Query, Track
    from ..frames import FrameStore
    from ..index import TrackIndex
    from ..mask_view import MaskView
    from ..notices import Notices
    from ..runtime.graph import Feeds
    from . import Progress
    from .sbnet_frames import Key
    from .sbnet_queries import SBNetQueries

REMEDY = "export the bundle again with `nlvr-engine export`"
TERMS = {"ss": ("image", "text"), "ctm": ("colour", "type"), "motion": ("motion", "motion")}  # first and last slices


class SBNet:
    """Encodes tracks and queries with the graphs of a bundle, and adds the term of `mask`.

    The graphs `image` and `track` see frames and boxes, `path` reads the paths of tracks, `text` the sentences.

    threads: blocks computed at once.  batch_size: rows in flight, by default enough to keep the threads busy.
    feature_bytes: of feature maps held in memory; beyond it they are in a temporary file.
    Raises BundleError for a bundle without what the system needs, and what the runtime raises when it cannot run.
    """

    def __init__(
        self, bundle: Bundle, *, device: str, threads: int, batch_size: int | None, feature_bytes: int
    ) -> None:
        self._slices, self._feature_bytes = bundle.vector, feature_bytes
        tokenizer = Tokenizer.from_file(bundle.tokenizer, length=bundle.text_length)
        of_boxes = bundle.vector.keys() - {"motion"}
        needed = {"track": bool(of_boxes), "path": "motion" in bundle.vector}
        names = ["image", "text", "mask", *(name for name, is_read in needed.items() if is_read)]
        lacking = sorted(set(names) - bundle.graphs.keys())
        if lacking:
            raise BundleError(bundle.path, f"has no graph {' and no graph '.join(lacking)}", REMEDY)
        self._scoring = Scoring.of(bundle)
        _check_layout(bundle)
        graphs = open_graphs([bundle.graphs[name] for name in names], device=device)
        self.device = graphs[0].device
        self._blocks = {
            name: Blocks(graph, threads=threads, in_flight=in_flight(graph.block, threads, batch_size))
            for name, graph in zip(names, graphs, strict=True)
        }
        self._recipe = bundle.recipe
        self._frames = FrameEncoder(
            self._blocks["image"],
            self._blocks.get("track"),
            recipe=bundle.recipe,
            slices={name: span for name, span in bundle.vector.items() if name in of_boxes},
            sides=self._scoring.windows,
            halo=self._scoring.track_halo,
        )
        self._queries = QueryEncoder(
            self._blocks["text"],
            tokenizer,
            embedding_id=bundle.embedding_id,
            slices=bundle.vector,
            weight=self._scoring.ctm_weight,
            match=self._scoring.match,
            nl_labels=self._scoring.nl_labels,
        )

    def close(self) -> None:
        """Stop the threads that run blocks."""
        for blocks in self._blocks.values():
            blocks.close()

    @property
    def second_stage(self) -> SBNet:
        """The mask needs query and track together, and frames again."""
        return self

    @property
    def terms(self) -> dict[str, tuple[int, int]]:
        """The terms that are inner products, name → (start, stop) in a vector."""
        return {
            name: (self._slices[first][0], self._slices[last][1])
            for name, (first, last) in TERMS.items()
            if first in self._slices
        }

    def encode_tracks(self, tracks: Sequence[Track], store: FrameStore, *, rule: str, progress: Progress) -> Encoded:
        """Return each track's vector over the frames that `rule` shows, its shots, and the maps of their views.

        Frames that turn out unreadable are replaced by others of their track.
        Raises InputError for a box wholly outside its image, FrameError for a track with no readable frame, OutputError
        where feature maps cannot be kept.
        """
        check_boxes(tracks, store)
        plan = ShotPlan(tracks, store, rule)
        maps = FeatureMaps(memory_bytes=self._feature_bytes)
        vectors: dict[Key, NDArray[np.float32]] = {}

        def encode(todo: dict[Shot, Shot], unreadable: set[str]) -> Iterator[tuple[Shot, Key]]:
            return self._frames.encode(
                tracks, todo, store, vectors=vectors, maps=maps, unreadable=unreadable, progress=progress
            )

        keys = encode_shots(plan, lambda shot: shot, encode)
        # A track's frames in the order in which footage is read: the order that its means and its mask are added in.
        shots = sorted(plan.shots, key=lambda shot: (shot.row, frame_order(tracks[shot.row].frames[shot.position])))
        counts = np.bincount([shot.row for shot in shots], minlength=len(tracks))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        means = np.concatenate(
            [
                kernels.segment_mean(
                    np.stack([vectors[keys[shot]] for shot in shots[first:end]]), np.array([0, end - first])
                )
                for first, end in itertools.pairwise(offsets.tolist())
            ]
        )
        for name in ("colour", "type"):
            if name in self._slices:
                part = slice(*self._slices[name])
                means[:, part] = self._shown(means[:, part])
        if "path" in self._blocks:
            # By the image that tells its size first, as in training, not by what happens to be shown.
            shown = [keys[shots[first]][0].size for first in offsets[:-1]]
            sizes = [image_size(track, store) or size for track, size in zip(tracks, shown, strict=True)]
            means = np.concatenate([means, self._motions(tracks, sizes, progress)], axis=1)
        return Encoded(
            vectors=means,
            shots=Shots(
                frames=tuple(tracks[shot.row].frames[shot.position] for shot in shots),
                positions=np.array([shot.position for shot in shots], np.int64),
                sizes=np.array([keys[shot][0].size for shot in shots], np.int32),
                parts=np.array([keys[shot][0].part for shot in shots], np.int32),
                cells=np.array([keys[shot][1] for shot in shots], np.int32),
                offsets=offsets,
            ),
            maps=maps,
        )

    def _motions(
        self, tracks: Sequence[Track], sizes: Sequence[tuple[int, int]], progress: Progress
    ) -> NDArray[np.float32]:
        """Return what counts of the tracks' motions, float32 [T, 4]. sizes: of each track's images, pixels."""

        def feeds() -> Iterator[Feeds]:
            for track, size in zip(tracks, sizes, strict=True):
                points, length = preprocess.points(track.boxes, *size, self._recipe)
                yield {"points": points, "lengths": np.asarray(length, np.int64)}

        rows = []
        for row in self._blocks["path"].run(feeds()):
            rows.append(row["motion"])
            progress("read paths", len(rows), len(tracks))
        return self._shown(np.stack(rows))

    def _shown(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what counts of each value, float32 [T, K]: its probability, computed in float64, or its logarithm."""
        shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
        return (np.log(shares + ERRING) if self._scoring.match == "log" else shares).astype(np.float32)

    def feature_maps(self, shots: Shots, store: FrameStore, *, progress: Progress) -> FeatureMaps:
        """Return the feature maps of the views that show a gallery whose vectors are there already.

        Raises InputError for a frame that cannot be read any more, or is of another size.
        """
        self._check_shots(shots)
        maps = FeatureMaps(memory_bytes=self._feature_bytes)
        unreadable = self._frames.keep_maps(shots.views, store, maps, progress=progress)
        if unreadable:
            place, fact = store.root / min(unreadable), "the frame cannot be read, and vectors were made with it"
            raise InputError(place, fact, "restore it, or encode the tracks again without their stored vectors")
        return maps

    def encode_queries(self, queries: Sequence[Query], *, notices: Notices, progress: Progress) -> SBNetQueries:
        """Return each query's vector and what the mask needs of its sentences. Sentences cut short are counted.

        Raises ScoreError naming the query whose vector is not finite.
        """
        return self._queries.encode(queries, notices=notices, progress=progress)

    def partial_term(self, index: TrackIndex, queries: QueryVectors) -> MaskTerm:
        """Return the mask's share of the score of each query and track.

        Raises InputError for an index without the feature maps of its frames, or with shots of another map.
        """
        if index.shots is None or index.maps is None:
            place, fact = "index", "holds no feature maps, which the mask needs"
            raise InputError(place, fact, "give its frames with `Engine.with_frames`, or encode the tracks again")
        self._check_shots(index.shots)
        return MaskTerm(
            self._blocks["mask"],
            index.track_ids,
            index.shots,
            index.maps,
            cast("SBNetQueries", queries),
            sides=self._scoring.windows,
            halo=self._scoring.mask_halo,
        )

    def mask_views(
        self, index: TrackIndex, queries: QueryVectors, query: int, rows: NDArray[np.int64]
    ) -> Sequence[MaskView]:
        """Return the mask over the whole view that shows each track largest, mean over the query's sentences."""
        return self.partial_term(index, queries).views(query, rows)

    def _check_shots(self, shots: Shots) -> None:
        cells = self._scoring.windows[-1]
        if shots.cells.max() > cells:
            place = "index"
            raise InputError(place, f"holds shots of a map of more than {cells} cells", "encode the tracks again")


@dataclass(frozen=True, slots=True)
class Scoring:
    """What a manifest's `scoring` says.

    ctm_weight: λ.  match: how colour, type and motion are matched (`sbnet_queries.said_of`).
    nl_labels: whether the language module may name colour and type.
    windows: lengths of windows without their halo, ascending; the last is that of a whole feature map.
    mask_halo, track_halo: cells around a box that the graphs `mask` and `track` need.
    """

    ctm_weight: float
    match: Match
    nl_labels: bool
    windows: tuple[int, ...]
    mask_halo: int
    track_halo: int

    @classmethod
    def of(cls, bundle: Bundle) -> Scoring:
        """Read and check it. Raises BundleError."""
        dims = bundle.graphs["image"].outputs.get("features", ("", ()))[1]
        if len(dims) != 4 or not isinstance(dims[3], int) or dims[2] != dims[3]:
            raise BundleError(bundle.path, "graph image returns no square map of features", REMEDY)
        found = bundle.scoring
        weight, windows = found.get("ctm_weight"), found.get("windows")
        sides: list[Any] = windows if isinstance(windows, list) else []
        ascending = all(_is_count(side) for side in sides) and sides == sorted(set(sides))
        wanted = {
            "ctm_weight": (isinstance(weight, int | float) and type(weight) is not bool, "a number"),
            "match": (found.get("match") in get_args(Match), " or ".join(get_args(Match))),
            "nl_labels": (isinstance(found.get("nl_labels"), bool), "true or false"),
            "windows": (ascending and sides[-1:] == [dims[3]], f"ascending numbers of cells that end with {dims[3]}"),
            "mask_halo": (_is_count(found.get("mask_halo")), "a number of cells"),
            "track_halo": (_is_count(found.get("track_halo")), "a number of cells"),
        }
        for name, (good, words) in wanted.items():
            if not good:
                raise BundleError(bundle.path, f"scoring.{name} is {found.get(name)!r}, wanted {words}", REMEDY)
        return cls(**{**{name: found[name] for name in wanted}, "windows": tuple(sides)})


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_layout(bundle: Bundle) -> None:
    """Refuse graphs that do not fit each other, and a vector whose slices they do not fill, one after the other.

    Raises BundleError.
    """
    made, taken = bundle.graphs["image"].outputs, bundle.graphs["track"].inputs if "track" in bundle.graphs else {}
    for name in ("features", "grid"):
        if name in taken and taken[name] != made.get(name):
            fact = f"graph track takes {name} as {taken[name]}, and graph image returns {made.get(name, 'none')}"
            raise BundleError(bundle.path, fact, REMEDY)
    returned = {
        name: dims[-1]
        for graph in ("image", "track", "path")
        for name, (_, dims) in (bundle.graphs[graph].outputs if graph in bundle.graphs else {}).items()
    }
    lengths = {"image": returned.get("figt"), "text": returned.get("fng")}
    for output, values in (("colour", COLOURS), ("type", TYPES), ("motion", MOTIONS)):
        lengths[output] = len(values) if returned.get(output) == len(values) else None
    wanted, end = {}, 0
    for name, length in lengths.items():
        if isinstance(length, int):
            wanted[name] = (end, end + length)
            end += length
    if dict(bundle.vector) != wanted:
        fact = f"vector.slices is {dict(bundle.vector)}, and its graphs make {wanted}"
        raise BundleError(bundle.path, fact, REMEDY)

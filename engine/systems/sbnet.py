"""SBNet (P1): Prob = MPR + SS + λ·CTM of a track and a description.

SS (eq. 20) and λ·CTM (eq. 21) are one inner product of a track's and a query's vector,

    track  [ mean unit FIgt | mean unit FNg  | softmax of the mean colour logits | … type logits ]
    query  [ mean unit FIg  | mean unit FNgt | λ at its colour                   | λ at its type ]

with means over the shown frames and over the sentences; what a bundle's modules leave out is in neither. MPR (eq. 19)
needs both at once: see `mask`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .. import kernels, preprocess
from ..errors import BundleError, InputError, ScoreError
from ..feature_maps import FeatureMaps
from ..frames import frame_order
from ..geometry import box_cells, window
from ..index import Encoded, QueryVectors, Shots
from ..language import COLOURS, TYPES, read_query
from ..runtime.devices import open_graphs
from ..runtime.graph import Blocks
from ..sampling import Shot, ShotPlan, check_boxes
from ..tokenizer import Tokenizer
from .mask import MaskTerm, TextFactors
from .shots import encode_shots, in_flight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..bundle import Bundle
    from ..cityflow import Query, Track
    from ..frames import FrameStore
    from ..index import TrackIndex
    from ..mask_view import MaskView
    from ..notices import Notices
    from ..runtime.graph import Feeds, Row
    from . import Progress

    Cells = tuple[int, int, int, int]  # x0, y0, x1, y1, half-open
    Key = tuple[str, Cells]  # what a vector depends on: a frame and the cells of a box in it

T = TypeVar("T")

HALO = 2  # cells around a box that FNg depends on: two 3×3 convolutions
REMEDY = "export the bundle again with `nlvr-engine export`"
TERMS = {"ss": ("image", "text"), "ctm": ("colour", "type")}


@dataclass(frozen=True, slots=True, eq=False)
class SBNetQueries(QueryVectors):
    """Encoded queries with what the mask needs of their sentences.

    texts: of U distinct sentences.  rows: int64 [S], the sentences of all queries one after the other, rows of `texts`.
    offsets: int64 [Q + 1], those of query q at offsets[q] to offsets[q + 1] − 1.
    """

    texts: TextFactors
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]


class SBNet:
    """Encodes tracks and queries with the graphs `image`, `track` and `text` of a bundle, and adds the term of `mask`.

    threads: blocks computed at once.  batch_size: rows in flight, by default enough to keep the threads busy.
    feature_bytes: of feature maps held in memory; beyond it they are in a temporary file.
    Raises BundleError for a bundle without what the system needs, and what the runtime raises when it cannot run.
    """

    def __init__(
        self, bundle: Bundle, *, device: str, threads: int, batch_size: int | None, feature_bytes: int
    ) -> None:
        self._recipe, self._slices, self._feature_bytes = bundle.recipe, bundle.vector, feature_bytes
        self._tokenizer = Tokenizer.from_file(bundle.tokenizer, length=bundle.text_length)
        names = ["image", "text", "mask", *(["track"] if "text" in bundle.vector or "colour" in bundle.vector else [])]
        lacking = sorted(set(names) - bundle.graphs.keys())
        if lacking:
            raise BundleError(bundle.path, f"has no graph {' and no graph '.join(lacking)}", REMEDY)
        dims = bundle.graphs["image"].outputs.get("features", ("", ()))[1]
        if len(dims) != 4 or not isinstance(dims[3], int) or dims[2] != dims[3]:
            raise BundleError(bundle.path, "graph image returns no square map of features", REMEDY)
        self._cells = dims[3]
        self._weight, self._nl_labels, self._sides = _scoring(bundle, self._cells)
        graphs = open_graphs([bundle.graphs[name] for name in names], device=device)
        self.device = graphs[0].device
        self._graphs = {
            name: Blocks(graph, threads=threads, in_flight=in_flight(graph.block, threads, batch_size))
            for name, graph in zip(names, graphs, strict=True)
        }

    def close(self) -> None:
        """Stop the threads that run blocks."""
        for blocks in self._graphs.values():
            blocks.close()

    @property
    def terms(self) -> dict[str, tuple[int, int]]:
        """The terms that are inner products, name → (start, stop) in a vector."""
        return {
            name: (self._slices[first][0], self._slices[last][1])
            for name, (first, last) in TERMS.items()
            if first in self._slices
        }

    def encode_tracks(self, tracks: Sequence[Track], store: FrameStore, *, rule: str, progress: Progress) -> Encoded:
        """Return each track's vector over the frames that `rule` shows, its shots, and the maps of their frames.

        Frames that turn out unreadable are replaced by others of their track.
        Raises InputError for a box wholly outside its image, FrameError for a track with no readable frame, OutputError
        where feature maps cannot be kept.
        """
        check_boxes(tracks, store)
        plan = ShotPlan(tracks, store, rule)
        maps = FeatureMaps(memory_bytes=self._feature_bytes)
        cells_of: dict[Shot, Cells] = {}
        vectors: dict[Key, NDArray[np.float32]] = {}

        def encode(todo: dict[Shot, Shot], unreadable: set[str]) -> Iterator[tuple[Shot, Key]]:
            found = self._encode_frames(
                tracks, todo, store, vectors=vectors, maps=maps, unreadable=unreadable, progress=progress
            )
            for shot, key in found:
                cells_of[shot] = key[1]
                yield shot, key

        keys = encode_shots(plan, lambda shot: shot, encode)
        # A track's frames in the order in which footage is read: the order that its means and its mask are added in.
        shots = sorted(plan.shots, key=lambda shot: (shot.row, frame_order(tracks[shot.row].frames[shot.position])))
        counts = np.bincount([shot.row for shot in shots], minlength=len(tracks))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        means = kernels.segment_mean(np.stack([vectors[keys[shot]] for shot in shots]), offsets)
        for name in ("colour", "type"):
            if name in self._slices:
                part = slice(*self._slices[name])
                means[:, part] = _softmax(means[:, part])
        return Encoded(
            vectors=means,
            shots=Shots(
                frames=tuple(tracks[shot.row].frames[shot.position] for shot in shots),
                positions=np.array([shot.position for shot in shots], np.int64),
                cells=np.array([cells_of[shot] for shot in shots], np.int32),
                offsets=offsets,
            ),
            maps=maps,
        )

    def feature_maps(self, shots: Shots, store: FrameStore, *, progress: Progress) -> FeatureMaps:
        """Return the feature maps of the frames that show a gallery whose vectors are there already.

        Raises InputError for a frame that cannot be read any more.
        """
        maps = FeatureMaps(memory_bytes=self._feature_bytes)
        frames = sorted(set(shots.frames), key=frame_order)
        unreadable: set[str] = set()
        prepared = self._prepare(frames, store, lambda _reference, _image: None, unreadable, progress)
        for done, (frame, row, _) in enumerate(self._image_rows(prepared), 1):
            maps.put(frame, row["features"])
            progress("encode frames", done, len(frames))
        if unreadable:
            place, fact = store.root / min(unreadable), "the frame cannot be read, and vectors were made with it"
            raise InputError(place, fact, "restore it, or encode the tracks again without their stored vectors")
        return maps

    def encode_queries(self, queries: Sequence[Query], *, notices: Notices, progress: Progress) -> SBNetQueries:
        """Return each query's vector and what the mask needs of its sentences. Sentences cut short are counted.

        Raises ScoreError naming the query whose vector is not finite.
        """
        sentences = sorted({sentence for query in queries for sentence in query.nl})
        tokens = self._tokenizer(sentences)
        for row in np.flatnonzero(tokens.cut):
            notices.add("text cut", repr(sentences[row]))
        feeds: Iterator[Feeds] = ({"ids": ids, "mask": mask} for ids, mask in zip(tokens.ids, tokens.mask, strict=True))
        rows: list[Row] = []
        for row in self._graphs["text"].run(feeds):
            rows.append(row)
            progress("encode queries", len(rows), len(sentences))
        told = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        row_of = {sentence: row for row, sentence in enumerate(sentences)}
        flat = np.array([row_of[sentence] for query in queries for sentence in query.nl], np.int64)
        offsets = np.cumsum([0] + [len(query.nl) for query in queries]).astype(np.int64)
        vectors = np.zeros((len(queries), self._dims), np.float32)
        spoken = np.zeros((len(sentences), self._dims), np.float32)
        for name, output in (("image", "fig"), ("text", "fngt")):
            if name in self._slices:
                part = slice(*self._slices[name])
                spoken[:, part] = told[output]
                vectors[:, part] = kernels.segment_mean(told[output][flat], offsets)
        for name, values in (("colour", COLOURS), ("type", TYPES)):
            if name in self._slices:
                start = self._slices[name][0]
                logits = kernels.segment_mean(told[name][flat], offsets)
                for number, (query, own) in enumerate(zip(queries, logits, strict=True)):
                    said = getattr(read_query(query.nl, query.nl_other_views), name)
                    if said is not None:
                        vectors[number, start + values.index(said)] = self._weight
                    elif self._nl_labels:
                        vectors[number, start + int(own.argmax())] = self._weight
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            place = f"query {queries[int(np.argmin(finite))].id}"
            raise ScoreError(place, "its vector is not a finite number", "check the bundle's precision")
        return SBNetQueries(
            query_ids=tuple(query.id for query in queries),
            vectors=vectors,
            sentences=dict(zip(sentences, spoken, strict=True)),
            texts=TextFactors(told["affinity"], told["offset"], told["told"], told["told_gate"], tokens.mask),
            rows=flat,
            offsets=offsets,
        )

    def partial_term(self, index: TrackIndex, queries: QueryVectors) -> MaskTerm:
        """Return the mask's share of the score of each query and track.

        Raises InputError for an index without the feature maps of its frames.
        """
        if not isinstance(queries, SBNetQueries):
            place = "queries"
            raise InputError(place, "were encoded by another system", "encode them with this engine")
        if index.shots is None or index.maps is None:
            place = "index"
            fact = "holds no feature maps, which the mask needs"
            raise InputError(place, fact, "give its frames with `Engine.with_frames`, or encode the tracks again")
        return MaskTerm(
            self._graphs["mask"],
            index.track_ids,
            index.shots,
            index.maps,
            queries,
            sides=self._sides,
            cells=self._cells,
        )

    def mask_views(
        self, index: TrackIndex, queries: QueryVectors, query: int, rows: NDArray[np.int64]
    ) -> Sequence[MaskView]:
        """Return the mask over the whole frame that shows each track largest, mean over the query's sentences."""
        return self.partial_term(index, queries).views(query, rows)

    @property
    def _dims(self) -> int:
        return max((stop for _, stop in self._slices.values()), default=0)

    def _encode_frames(
        self,
        tracks: Sequence[Track],
        shots: Mapping[Shot, Shot],
        store: FrameStore,
        *,
        vectors: dict[Key, NDArray[np.float32]],
        maps: FeatureMaps,
        unreadable: set[str],
        progress: Progress,
    ) -> Iterator[tuple[Shot, Key]]:
        """Add what frames show in boxes to `vectors` and their features to `maps`; yield each shot's key.

        The order of the work is that of the footage, and what it depends on the frames and boxes, never files or ids.
        """
        by_frame: dict[str, list[Shot]] = {}
        for shot in shots:
            by_frame.setdefault(tracks[shot.row].frames[shot.position], []).append(shot)
        frames = sorted(by_frame, key=frame_order)
        keys: list[tuple[Shot, Key]] = []
        order: list[tuple[Key, Row]] = []

        def cells(reference: str, image: NDArray[np.uint8]) -> NDArray[np.int32]:
            boxes = np.stack([tracks[shot.row].boxes[shot.position] for shot in by_frame[reference]])
            return box_cells(boxes, image.shape[1], image.shape[0], self._cells)

        def rows() -> Iterator[Feeds]:
            prepared = self._prepare(frames, store, cells, unreadable, progress)
            for done, (frame, row, boxes) in enumerate(self._image_rows(prepared), 1):
                progress("encode frames", done, len(frames))
                maps.put(frame, row["features"])
                own = [(frame, _cells(box)) for box in boxes]
                keys.extend(zip(by_frame[frame], own, strict=True))
                fresh = sorted({key for key in own if key not in vectors})
                order.extend((key, row) for key in fresh)
                if "track" in self._graphs:
                    yield from self._track_feeds(row["features"], [key[1] for key in fresh])
                else:
                    vectors.update(dict.fromkeys(fresh, np.zeros(0, np.float32)))

        if "track" in self._graphs:
            for number, seen in enumerate(self._graphs["track"].run(rows())):
                key, frame_row = order[number]
                parts = {"image": {**frame_row, **seen}.get("figt"), "text": seen.get("fng"), **seen}
                vectors[key] = np.concatenate([np.asarray(parts[name], np.float32) for name in self._slices])
        else:
            for _ in rows():
                pass
        yield from keys

    def _prepare(
        self,
        frames: Sequence[str],
        store: FrameStore,
        describe: Callable[[str, NDArray[np.uint8]], T],
        unreadable: set[str],
        progress: Progress,
    ) -> Iterator[tuple[str, NDArray[np.uint8], T]]:
        """Yield each readable frame with its resized image and what `describe` says of the image; note the others."""

        def prepare(reference: str, image: NDArray[np.uint8] | None) -> tuple[NDArray[np.uint8], T] | None:
            return None if image is None else (preprocess.resize(image, self._recipe), describe(reference, image))

        for done, (reference, prepared) in enumerate(store.map(frames, prepare), 1):
            progress("decode frames", done, len(frames))
            if prepared is None:
                unreadable.add(reference)
            else:
                yield reference, *prepared

    def _image_rows(self, prepared: Iterable[tuple[str, NDArray[np.uint8], T]]) -> Iterator[tuple[str, Row, T]]:
        """Run the graph `image`. Yield each frame, its outputs, and what came with it."""
        beside: list[tuple[str, T]] = []

        def feeds() -> Iterator[Feeds]:
            for frame, image, value in prepared:
                beside.append((frame, value))
                yield {"images": image}

        for number, row in enumerate(self._graphs["image"].run(feeds())):
            yield beside[number][0], row, beside[number][1]

    def _track_feeds(self, features: NDArray[np.floating], boxes: Sequence[Cells]) -> Iterator[Feeds]:
        """Yield what the graph `track` takes of each box in one frame, pooled for all of them at once."""
        if not boxes:
            return
        places = np.array([(0, *box) for box in boxes], np.int32)
        pooled = kernels.masked_pool(features[None].astype(np.float32, copy=False), places)
        for box, own in zip(places[:, 1:], pooled, strict=True):
            rows, columns = window(box, self._sides, HALO)
            yield {
                "pooled": own,
                "features": features,
                "box": box.astype(np.int64),
                "rows": rows,
                "columns": columns,
            }


def _scoring(bundle: Bundle, cells: int) -> tuple[float, bool, tuple[int, ...]]:
    """Return λ, whether the language module may name colour and type, and the sides of windows. Raises BundleError."""
    scoring = bundle.scoring
    weight, labels, sides = (scoring.get(name) for name in ("ctm_weight", "nl_labels", "windows"))
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not np.isfinite(weight):
        raise BundleError(bundle.path, f"scoring.ctm_weight is {weight!r}, wanted a number", REMEDY)
    if not isinstance(labels, bool):
        raise BundleError(bundle.path, f"scoring.nl_labels is {labels!r}, wanted true or false", REMEDY)
    ascending = isinstance(sides, list) and all(type(side) is int for side in sides) and sides == sorted(set(sides))
    if not ascending or not sides or sides[0] < 1 or sides[-1] != cells:
        fact = f"scoring.windows is {sides!r}, wanted ascending numbers of cells that end with {cells}"
        raise BundleError(bundle.path, fact, REMEDY)
    return float(weight), labels, tuple(sides)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of each row, computed in float64: float32 [N, K]."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def _cells(box: NDArray[np.int32]) -> Cells:
    x0, y0, x1, y1 = box.tolist()
    return x0, y0, x1, y1

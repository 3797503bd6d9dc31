"""MPR (P1, eq. 19): how much of the mask that a sentence draws on a frame lies inside the track's box.

The mask does not depend on the box, and is needed on its cells alone: the graph `mask` computes it on a window of the
box and four cells around it. So a part of the term is one frame that shows a track, its value the mean over the query's
sentences of the mean mask inside the box; each (sentence, frame, box) is computed once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..errors import InputError, ScoreError
from ..frames import frame_order
from ..geometry import window
from ..mask_view import MaskView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from ..feature_maps import FeatureMaps
    from ..index import Shots
    from ..runtime.graph import Blocks, Feeds
    from . import Progress
    from .sbnet_queries import SBNetQueries

HALO = 4  # cells around a box that its mask depends on: four 3×3 convolutions behind the self-attention


@dataclass(frozen=True, slots=True, eq=False)
class TextFactors:
    """What the graph `mask` needs of U sentences, as the graph `text` returns it.

    affinity, told: float32 [U, l, c].  offset: float32 [U, l].  told_gate: float32 [U, c].
    tokens: int64 [U, l], 1 on real ones.
    """

    affinity: NDArray[np.float32]
    offset: NDArray[np.float32]
    told: NDArray[np.float32]
    told_gate: NDArray[np.float32]
    tokens: NDArray[np.int64]

    def row(self, sentence: int) -> Feeds:
        """Return one sentence's."""
        return {name: getattr(self, name)[sentence] for name in self.__slots__}


class MaskTerm:
    """MPR of encoded queries over the tracks of an index.

    blocks: the graph `mask`.  maps: the feature maps of the shots' frames.
    sides: lengths of windows without their halo, ascending.  cells: of the whole map, along a side.
    Raises ScoreError naming query and track where a mask is not a number.
    """

    name = "mpr"

    def __init__(
        self,
        blocks: Blocks,
        track_ids: Sequence[str],
        shots: Shots,
        maps: FeatureMaps,
        queries: SBNetQueries,
        *,
        sides: Sequence[int],
        cells: int,
    ) -> None:
        self._blocks, self._ids, self._shots, self._maps, self._queries = blocks, track_ids, shots, maps, queries
        self._sides, self._cells = sides, cells
        self._shapes = [tuple(map(len, window(own, sides, HALO))) for own in shots.cells]
        self._held: tuple[str, NDArray[np.floating]] | None = None
        self._track_of = np.repeat(np.arange(len(track_ids)), self.parts)
        used = np.bincount(queries.rows, minlength=len(queries.texts.tokens))
        self._shared = used > 1
        self._known: dict[tuple[int, int], np.float32] = {}

    @property
    def parts(self) -> NDArray[np.int64]:
        """How many frames show each track: int64 [N]."""
        return np.diff(self._shots.offsets)

    def evaluate(self, query: int, tracks: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the mean mask inside the boxes of some shots, over the query's sentences: float32 [P] in [0, 1]."""
        own = self._own(query)
        shots = self._shots.offsets[tracks] + parts
        pairs = [(int(sentence), int(shot)) for shot in shots for sentence in own]
        ratios = {pair: self._known[pair] for pair in pairs if pair in self._known}
        # Windows of one shape stand together, for a block holds one shape.
        todo = sorted({*pairs} - ratios.keys(), key=lambda pair: (self._shapes[pair[1]], pair[1], pair[0]))
        for pair, ratio in zip(todo, self._ratios(todo), strict=True):
            ratios[pair] = ratio
            if self._shared[pair[0]]:
                self._known[pair] = ratio
        values = np.array([ratios[pair] for pair in pairs], np.float32)[:, None]
        return kernels.segment_mean(values, np.arange(len(shots) + 1) * len(own))[:, 0]

    def totals(self, allowed: NDArray[np.bool_] | None, *, progress: Progress) -> NDArray[np.float64]:
        """Return the sum over each track's shots of their value for each query: float64 [Q, N].

        Frame by frame: every feature map is read once, and every sentence looks once at each box.
        """
        queries, sentences = self._queries, len(self._queries.texts.tokens)
        sums = np.zeros((len(queries.query_ids), len(self._ids)))
        by_frame: dict[str, list[int]] = {}
        for shot, frame in enumerate(self._shots.frames):
            if allowed is None or allowed[self._track_of[shot]]:
                by_frame.setdefault(frame, []).append(shot)
        frames = sorted(by_frame, key=frame_order)
        distinct = {
            frame: sorted({self._cells_of(shot): shot for shot in shots}.values(), key=lambda shot: self._shapes[shot])
            for frame, shots in by_frame.items()
        }
        todo = ((sentence, shot) for frame in frames for shot in distinct[frame] for sentence in range(sentences))
        ratios = self._ratios(todo)
        for done, frame in enumerate(frames, 1):
            seen = {
                self._cells_of(shot): np.fromiter((next(ratios) for _ in range(sentences)), np.float32, sentences)
                for shot in distinct[frame]
            }
            for shot in by_frame[frame]:
                own = seen[self._cells_of(shot)][queries.rows, None]
                sums[:, self._track_of[shot]] += kernels.segment_mean(own, queries.offsets)[:, 0]
            progress("masks", done, len(frames))
        return sums

    def views(self, query: int, tracks: Iterable[int]) -> list[MaskView]:
        """Return the mask over the whole of the frame in which each track's box is largest."""
        own, shots = self._own(query), [self._largest(int(track)) for track in tracks]
        whole = np.array([0, 0, self._cells, self._cells], np.int32)
        feeds = (self._feed(int(sentence), shot, whole) for shot in shots for sentence in own)
        masks = np.stack([row["mask"] for row in self._blocks.run(feeds)]).reshape(len(shots), len(own), -1)
        return [
            MaskView(int(self._shots.positions[shot]), mean.reshape(self._cells, self._cells))
            for shot, mean in zip(shots, masks.mean(axis=1, dtype=np.float32), strict=True)
        ]

    def _own(self, query: int) -> NDArray[np.int64]:
        first, end = self._queries.offsets[query : query + 2]
        return self._queries.rows[first:end]

    def _largest(self, track: int) -> int:
        first, end = self._shots.offsets[track : track + 2].tolist()
        cells = self._shots.cells[first:end]
        largest: int = first + int(np.argmax((cells[:, 2] - cells[:, 0]) * (cells[:, 3] - cells[:, 1])))
        return largest

    def _cells_of(self, shot: int) -> tuple[int, ...]:
        return tuple(self._shots.cells[shot].tolist())

    def _ratios(self, pairs: Iterable[tuple[int, int]]) -> Iterator[np.float32]:
        """Yield the mean mask inside the box of each (sentence, shot), in order."""
        asked: deque[tuple[int, int]] = deque()

        def feeds() -> Iterator[Feeds]:
            for pair in pairs:
                asked.append(pair)
                yield self._feed(*pair, self._shots.cells[pair[1]])

        for row in self._blocks.run(feeds()):
            sentence, shot = asked.popleft()
            x0, y0, x1, y1 = self._shots.cells[shot].tolist()
            box = np.array([[0, 0, 0, x1 - x0, y1 - y0]], np.int32)
            try:
                yield kernels.mask_ratio(row["mask"][None], box, threads=1)[0]
            except kernels.NotANumberError as error:
                query = (
                    int(np.searchsorted(self._queries.offsets, np.argmax(self._queries.rows == sentence), "right")) - 1
                )
                place = f"query {self._queries.query_ids[query]}, track {self._ids[self._track_of[shot]]}"
                fact = f"its mask in {self._shots.frames[shot]} is not a number"
                raise ScoreError(place, fact, "check the bundle's precision") from error

    def _feed(self, sentence: int, shot: int, cells: NDArray[np.int32]) -> Feeds:
        rows, columns = window(cells, self._sides, HALO)
        features = self._features(self._shots.frames[shot])
        return {"features": features, **self._queries.texts.row(sentence), "rows": rows, "columns": columns}

    def _features(self, frame: str) -> NDArray[np.floating]:
        """Return a frame's map; the one asked for last is kept, for all its sentences and boxes follow each other."""
        if self._held is None or self._held[0] != frame:
            features = self._maps.get(frame)
            if features is None:
                raise InputError(frame, "its feature map is gone", "keep the index open while it is ranked")
            self._held = frame, features
        return self._held[1]

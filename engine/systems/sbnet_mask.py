"""MPR (P1, eq. 19): how much of the mask that a sentence draws on a frame lies inside the track's box.

In a view the mask does not depend on the box, and is needed on its cells alone: the graph `mask` computes it on a
window of the box and a few cells around it. So a part of the term is one frame that shows a track, its value the mean
over the query's sentences of the mean mask inside the box. A sight is a view of a frame and a box in it; every sentence
looks at each sight once, however many tracks and queries share them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..errors import InputError, ScoreError
from ..feature_maps import view_order
from ..geometry import window
from ..mask_view import MaskView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from ..feature_maps import FeatureMaps, View
    from ..index import Shots
    from ..runtime.graph import Blocks, Feeds
    from . import Progress
    from .sbnet_queries import SBNetQueries

# Of ratios kept for the other queries that share a sentence; one takes so much with its number in a dictionary.
KNOWN_BYTES, ENTRY_BYTES = 256 * 2**20, 170


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

    blocks: the graph `mask`.  maps: the feature maps of the shots' views.  sides: lengths of windows without their
    halo, ascending; the last is that of the whole map.  halo: cells around a box that its mask depends on.
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
        halo: int,
    ) -> None:
        self._blocks, self._ids, self._shots, self._maps, self._queries = blocks, track_ids, shots, maps, queries
        self._sides, self._halo = sides, halo
        self._held: tuple[View, NDArray[np.floating]] | None = None
        self._known = _Ratios(queries)

    @property
    def parts(self) -> NDArray[np.int64]:
        """How many frames show each track: int64 [N]."""
        return np.diff(self._shots.offsets)

    def evaluate(self, query: int, tracks: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the mean mask inside the boxes of some shots, over the query's sentences: float32 [P] in [0, 1]."""
        sentences, said = np.unique(self._queries.own(query), return_inverse=True)
        shots = self._shots.offsets[tracks] + parts
        sights, first, seen = np.unique(self._shots.sights[shots], return_index=True, return_inverse=True)
        ratios = self._known.of(query, sentences, sights)
        columns, rows = np.nonzero(np.isnan(ratios.T))  # sight after sight, so that a map is fetched once
        todo = [(row, column, int(shots[first[column]])) for row, column in zip(rows, columns, strict=True)]
        if self._blocks.block > 1:  # rows of one shape share a block
            todo.sort(key=lambda one: self._shape(one[2]))
        pairs = ((int(sentences[row]), shot) for row, _, shot in todo)
        for (row, column, _), ratio in zip(todo, self._ratios(pairs, query), strict=True):
            ratios[row, column] = ratio
        self._known.keep(sentences, sights, ratios)
        values = ratios[said][:, seen].T.reshape(-1, 1)
        return kernels.segment_mean(values, np.arange(len(shots) + 1) * len(said))[:, 0]

    def totals(self, allowed: NDArray[np.bool_] | None, *, progress: Progress) -> NDArray[np.float64]:
        """Return the sum over each track's shots of their value for each query: float64 [Q, N].

        View by view: every feature map is read once.
        """
        queries, sentences = self._queries, len(self._queries.texts.tokens)
        sums = np.zeros((len(queries.query_ids), len(self._ids)))
        by_view: dict[View, list[int]] = {}
        for shot, shown in enumerate(self._shots.views):
            if allowed is None or allowed[self._shots.tracks[shot]]:
                by_view.setdefault(shown, []).append(shot)
        views = sorted(by_view, key=view_order)
        distinct = {
            shown: sorted({self._shots.sights[shot]: shot for shot in shots}.values(), key=self._shape)
            for shown, shots in by_view.items()
        }
        pairs = ((sentence, shot) for shown in views for shot in distinct[shown] for sentence in range(sentences))
        ratios = self._ratios(pairs)
        for done, shown in enumerate(views, 1):
            seen = {
                self._shots.sights[shot]: np.fromiter((next(ratios) for _ in range(sentences)), np.float32, sentences)
                for shot in distinct[shown]
            }
            for shot in by_view[shown]:
                own = seen[self._shots.sights[shot]][queries.rows, None]
                sums[:, self._shots.tracks[shot]] += kernels.segment_mean(own, queries.offsets)[:, 0]
            progress("masks", done, len(views))
        return sums

    def views(self, query: int, tracks: Iterable[int]) -> list[MaskView]:
        """Return the mask over the whole of the view of the frame in which each track's box is largest."""
        sentences, cells = self._queries.own(query), self._sides[-1]
        whole = np.array([0, 0, cells, cells], np.int32)
        views = []
        for track in tracks:
            shot = self._largest(int(track))
            rows = self._blocks.run(self._feed(int(sentence), shot, whole) for sentence in sentences)
            masks = np.stack([row["mask"] for row in rows])
            mask: NDArray[np.float32] = masks.mean(axis=0, dtype=np.float32)
            views.append(MaskView(int(self._shots.positions[shot]), self._shots.views[shot].part, mask))
        return views

    def _largest(self, track: int) -> int:
        first, end = self._shots.offsets[track : track + 2].tolist()
        # All maps have as many cells, so these are in proportion to the boxes' pixels, as far as whole cells say.
        areas = _areas(self._shots.cells[first:end]) * _areas(self._shots.parts[first:end])
        largest: int = first + int(np.argmax(areas))
        return largest

    def _shape(self, shot: int) -> tuple[int, int]:
        rows, columns = window(self._shots.cells[shot], self._sides, self._halo)
        return len(rows), len(columns)

    def _ratios(self, pairs: Iterable[tuple[int, int]], query: int | None = None) -> Iterator[np.float32]:
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
                named = self._queries.query_ids[self._queries.first_with(sentence) if query is None else query]
                place = f"query {named}, track {self._ids[self._shots.tracks[shot]]}"
                fact = f"its mask in {self._shots.frames[shot]} is not a number"
                raise ScoreError(place, fact, "check the bundle's precision") from error

    def _feed(self, sentence: int, shot: int, cells: NDArray[np.int32]) -> Feeds:
        rows, columns = window(cells, self._sides, self._halo)
        features = self._features(self._shots.views[shot])
        return {"features": features, **self._queries.texts.row(sentence), "rows": rows, "columns": columns}

    def _features(self, shown: View) -> NDArray[np.floating]:
        """Return a view's map; the one asked for last is kept, for its sentences and boxes follow each other."""
        if self._held is None or self._held[0] != shown:
            features = self._maps.get(shown)
            if features is None:
                raise InputError(shown.frame, "the index's feature maps were closed", "encode the tracks again")
            self._held = shown, features
        return self._held[1]


def _areas(corners: NDArray[np.int32]) -> NDArray[np.int64]:
    sides = (corners[:, 2:] - corners[:, :2]).astype(np.int64)
    return sides[:, 0] * sides[:, 1]


class _Ratios:
    """Ratios that will be asked for again, by tracks that share a sight and queries that share a sentence, in a budget.

    Queries are taken one after the other; a sentence's ratios go when the last query that has it is done.
    """

    def __init__(self, queries: SBNetQueries) -> None:
        self._queries = queries
        self._uses = np.bincount(queries.rows, minlength=len(queries.texts.tokens))
        self._rows: dict[int, dict[int, np.float32]] = {}  # sentence → sight → ratio
        self._count = 0
        self._query: int | None = None

    def of(self, query: int, sentences: NDArray[np.int64], sights: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what is known of a query's sentences at some sights: float32 [sentences, sights], NaN for the rest."""
        if query != self._query:
            self._leave()
            self._query = query
        known = np.full((len(sentences), len(sights)), np.nan, np.float32)
        for row, sentence in enumerate(sentences.tolist()):
            kept = self._rows.get(sentence)
            if kept:
                known[row] = [kept.get(sight, np.nan) for sight in sights.tolist()]
        return known

    def keep(self, sentences: NDArray[np.int64], sights: NDArray[np.int64], ratios: NDArray[np.float32]) -> None:
        """Keep the ratios, for the tracks that are shown alike and the queries that say the same."""
        for row, sentence in enumerate(sentences.tolist()):
            if self._count < KNOWN_BYTES // ENTRY_BYTES:
                kept = self._rows.setdefault(sentence, {})
                before = len(kept)
                kept.update(zip(sights.tolist(), ratios[row], strict=True))
                self._count += len(kept) - before

    def _leave(self) -> None:
        if self._query is None:
            return
        for sentence in self._queries.own(self._query).tolist():
            self._uses[sentence] -= 1
            if not self._uses[sentence]:
                self._count -= len(self._rows.pop(sentence, {}))

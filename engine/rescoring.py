"""A second term of the score that needs query and track together, added exactly and no further than a list needs.

The score of a pair is base + mean of v over the track's parts, every v in [0, 1] (SBNet's mask ratio in each frame that
shows the track, eq. 19). The base is known for all tracks; a part is expensive. After m of n parts with sum S

    base + S/n  ≤  score  ≤  base + (S + n − m)/n

so a track whose upper bound lies below the k-th greatest lower bound is none of the best k, however its other parts
turn out. The best k are those of brute force, ties included: a track is left only when it is strictly worse.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .systems import Progress

# Parts looked at between two updates of the bounds: few at first, which soon lifts the bound of the list, then up to a
# share of the tracks that still wait, so that the updates of a large gallery stay a small part of the work.
PARTS_AT_ONCE, WAITING_SHARE = 64, 8


class PartialTerm(Protocol):
    """A term in [0, 1]: of a query and a track, the mean over the track's parts."""

    @property
    def name(self) -> str:
        """Its name in a ranking's breakdown."""

    @property
    def parts(self) -> NDArray[np.int64]:
        """How many parts each track has, int64 [N], each above 0."""

    def evaluate(self, query: int, tracks: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the value of each (track, part) for one query, float32 [P] in [0, 1], the same bits at every call."""

    def totals(self, allowed: NDArray[np.bool_] | None, *, progress: Progress) -> NDArray[np.float64]:
        """Return for every query and allowed track the sum of its parts, added in their order: float64 [Q, N]."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """What a list of the best k took.

    pairs: of a query and an allowed track.  unseen: pairs skipped by their base alone, no part of them looked at.
    dropped: pairs left after some of their parts.  complete: pairs whose every part was looked at.
    parts: looked at, of all_parts.
    """

    pairs: int = 0
    unseen: int = 0
    dropped: int = 0
    complete: int = 0
    parts: int = 0
    all_parts: int = 0

    def __add__(self, other: Pruning) -> Pruning:
        """Count two lists together."""
        return Pruning(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


def mean_part(totals: NDArray[np.float64], parts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the term from the sum of its parts: float32 of S/n."""
    mean: NDArray[np.float64] = totals / parts
    return mean.astype(np.float32)


def best(
    base: NDArray[np.float32], term: PartialTerm, query: int, k: int, *, allowed: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32], Pruning]:
    """Return the k tracks of the greatest base + term, best first, equal scores by row number.

    base: float32 [N], finite for allowed tracks.  query: its number for `term`.  allowed: bool [N], all by default.
    Returns rows int64 [min(k, allowed)], the term of each float32 of that shape, and what it took. The score of row r
    is base[r] + term in float32.
    """
    rows = np.arange(len(base)) if allowed is None else np.flatnonzero(allowed)
    own, counts = base[rows].astype(np.float64), term.parts[rows]
    sums, seen = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    k = min(k, len(rows))
    if not k:
        return rows, np.zeros(0, np.float32), Pruning()
    margin = _margin(own)
    low, high = own.copy(), own + 1
    for turn in itertools.count():
        # Strictly worse than k others, by more than rounding can turn around.
        threshold = np.partition(low, -k)[-k] - margin
        waiting = np.flatnonzero((seen < counts) & (high >= threshold))
        if not len(waiting):
            break
        # The greatest upper bounds first: as long as one of them is open, no list of k is certain.
        count = min(PARTS_AT_ONCE << min(turn, 30), max(PARTS_AT_ONCE, len(waiting) // WAITING_SHARE))
        chosen = waiting[np.argsort(-high[waiting], kind="stable")[:count]]
        sums[chosen] += term.evaluate(query, rows[chosen], seen[chosen])
        seen[chosen] += 1
        low[chosen] = own[chosen] + sums[chosen] / counts[chosen]
        high[chosen] = own[chosen] + (sums[chosen] + counts[chosen] - seen[chosen]) / counts[chosen]
    done = np.flatnonzero(seen == counts)
    values = mean_part(sums[done], counts[done])
    order = np.lexsort((rows[done], -(base[rows[done]] + values)))[:k]
    pruning = Pruning(
        pairs=len(rows),
        unseen=int((seen == 0).sum()),
        dropped=int(((seen > 0) & (seen < counts)).sum()),
        complete=len(done),
        parts=int(seen.sum()),
        all_parts=int(counts.sum()),
    )
    return rows[done[order]], values[order], pruning


def _margin(base: NDArray[np.float64]) -> float:
    """Return what rounding the term, the base and their sum to float32 can shift one score against another."""
    largest = float(np.abs(base).max(initial=0.0)) + 1
    return 4 * float(np.finfo(np.float32).eps) * largest

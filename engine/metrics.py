"""Retrieval metrics of CityFlow-NL: MRR, recall@k, the median rank, and what chance and ties are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

MISSING_RANK = 101  # what the challenge counts for a target that a list leaves out


@dataclass(frozen=True, slots=True)
class Metrics:
    """Means over the queries: mrr, recall@1, @5, @10 in [0, 1], and the median rank."""

    queries: int
    mrr: float
    recall_1: float
    recall_5: float
    recall_10: float
    median_rank: float


def ranking_metrics(ranks: ArrayLike) -> Metrics:
    """Return the metrics of the targets' ranks.

    ranks: [Q], counting from 1.  MRR = mean(1 / rank), recall@k = mean(rank ≤ k).  Raises ValueError when Q is 0.
    """
    values = _positive(ranks)
    return expected_metrics(values - 1, np.ones(len(values)))


def expected_metrics(better: ArrayLike, tied: ArrayLike) -> Metrics:
    """Return the metrics' expected values when ties are broken at random.

    better, tied: [Q], how many tracks score above the target, and how many score the same, the target included.
    The rank is uniform on better+1 … better+tied, so E[1/rank] = (H(better+tied) − H(better)) / tied and
    E[rank ≤ k] = clip(k − better, 0, tied) / tied.  Raises ValueError when Q is 0 or a target is not among the tied.
    """
    above, same = np.asarray(better, np.int64), _positive(tied)
    harmonic = _harmonic(int((above + same).max()))
    reciprocal = (harmonic[above + same] - harmonic[above]) / same
    recalls = [float(np.mean(np.clip(k - above, 0, same) / same)) for k in (1, 5, 10)]
    return Metrics(
        queries=len(above),
        mrr=float(reciprocal.mean()),
        recall_1=recalls[0],
        recall_5=recalls[1],
        recall_10=recalls[2],
        median_rank=float(np.median(above + (same + 1) / 2)),
    )


def better_and_tied(scores: NDArray[Any], targets: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what `expected_metrics` takes: for each query, how many tracks score above its target, and how many alike.

    scores: [Q, N], of any number type.  targets: [Q], the column of each query's target, which counts among the alike.
    """
    own = np.take_along_axis(scores, np.asarray(targets, np.int64)[:, None], axis=1)
    return (scores > own).sum(axis=1, dtype=np.int64), (scores == own).sum(axis=1, dtype=np.int64)


def chance_mrr(tracks: int, *, listed: int | None = None) -> float:
    """Return the MRR expected of a random order of N tracks of which the first k are listed, all by default.

    (H(k) + (N − k) / 101) / N, as a target that is not listed counts as rank 101.
    """
    count = tracks if listed is None else min(listed, tracks)
    return (float(_harmonic(count)[count]) + (tracks - count) / MISSING_RANK) / tracks


def target_ranks(rankings: Mapping[str, Sequence[str]], truth: Mapping[str, str]) -> NDArray[np.int64]:
    """Return each query's rank of its target, counting from 1, in the order of `truth`; 101 where the list lacks it."""
    ranks = []
    for query, target in truth.items():
        ranking = rankings[query]
        ranks.append(ranking.index(target) + 1 if target in ranking else MISSING_RANK)
    return np.array(ranks, np.int64)


def _positive(values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values, np.int64)
    if array.size == 0 or (array < 1).any():
        message = "metrics need at least one query, and ranks from 1"
        raise ValueError(message)
    return array


def _harmonic(count: int) -> NDArray[np.float64]:
    """Return H(0) … H(count)."""
    return np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, count + 1))])

"""Exact ranking of a gallery: score descending, then track id ascending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from . import kernels
from .errors import InputError, ScoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .index import QueryVectors, TrackIndex
    from .systems import Progress

QUERIES_AT_ONCE = 256  # between two reports of progress; a query's ranking does not depend on it


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The tracks of a gallery for one query, best first.

    track_ids: k ids.  rows: int64 [k], their rows in the index.  scores: float32 [k].
    terms: name → float32 [k], what the score is made of.
    """

    query_id: str
    track_ids: tuple[str, ...]
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    terms: Mapping[str, NDArray[np.float32]]

    def head(self, count: int) -> Ranking:
        """Return the first `count` tracks."""
        terms = {name: values[:count] for name, values in self.terms.items()}
        return Ranking(self.query_id, self.track_ids[:count], self.rows[:count], self.scores[:count], terms)


def rank(
    index: TrackIndex,
    queries: QueryVectors,
    *,
    term: str,
    top_k: int | None = None,
    allowed: NDArray[np.bool_] | None = None,
    threads: int | None = None,
    progress: Progress,
) -> list[Ranking]:
    """Rank the index for each query by inner product.

    term: the name of that product in the breakdown.  top_k: how many tracks, all by default.  allowed: bool [N], the
    tracks that may be ranked, all by default.
    Raises InputError for a `top_k` below 1 or an `allowed` of another length, ScoreError naming the query and the track
    whose score is not a number.
    """
    if top_k is not None and top_k < 1:
        option = "top_k"
        raise InputError(option, f"is {top_k}", "give a number above 0")
    allowed = None if allowed is None else np.asarray(allowed)
    if allowed is not None and (allowed.shape != (len(index),) or allowed.dtype != np.bool_):
        option = "allowed"
        raise InputError(option, f"is {allowed.dtype} {list(allowed.shape)}", f"give bool [{len(index)}], one a track")
    rankings: list[Ranking] = []
    for first in range(0, len(queries.query_ids), QUERIES_AT_ONCE):
        part = slice(first, first + QUERIES_AT_ONCE)
        rows, scores = _topk(index, queries, part, top_k=top_k, allowed=allowed, threads=threads)
        for query_id, ranked, values in zip(queries.query_ids[part], rows, scores, strict=True):
            found = ranked >= 0
            ids = tuple(index.track_ids[row] for row in ranked[found])
            rankings.append(Ranking(query_id, ids, ranked[found], values[found], {term: values[found]}))
        progress("rank", len(rankings), len(queries.query_ids))
    return rankings


def _topk(
    index: TrackIndex,
    queries: QueryVectors,
    part: slice,
    *,
    top_k: int | None,
    allowed: NDArray[np.bool_] | None,
    threads: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    k = len(index) if top_k is None else top_k
    try:
        return kernels.topk(queries.vectors[part], index.vectors, k, allowed=allowed, threads=threads)
    except kernels.NotANumberError as error:
        query, track = cast("tuple[int, int]", (error.query_row, error.track_row))
        place = f"query {queries.query_ids[part][query]}, track {index.track_ids[track]}"
        raise ScoreError(place, "the score is not a number", "check the bundle's precision") from error


def score_matrix(columns: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], tracks: int) -> NDArray[np.float32]:
    """Return scores in the order of the index: float32 [Q, tracks], −inf where a ranking stops short.

    columns: for each query the rows in the index, int64 [k], and their scores, float32 [k].
    """
    matrix = np.full((len(columns), tracks), -np.inf, np.float32)
    for query, (rows, scores) in enumerate(columns):
        matrix[query, rows] = scores
    return matrix

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

    from .index import TrackIndex


@dataclass(frozen=True, slots=True)
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


def rank(
    index: TrackIndex,
    query_ids: Sequence[str],
    query_vectors: NDArray[np.float32],
    *,
    term: str,
    top_k: int | None = None,
    allowed: NDArray[np.bool_] | None = None,
    threads: int | None = None,
) -> list[Ranking]:
    """Rank the index for each query by inner product.

    query_vectors: float32 [Q, D].  term: the name of that product in the breakdown.  top_k: how many tracks, all by
    default.  allowed: bool [N], the tracks that may be ranked, all by default.
    Raises ScoreError naming the query and the track whose score is not a number.
    """
    if top_k is not None and top_k < 1:
        option = "--top-k"
        raise InputError(option, f"is {top_k}", "give a number above 0")
    try:
        rows, scores = kernels.topk(
            query_vectors, index.vectors, len(index) if top_k is None else top_k, allowed=allowed, threads=threads
        )
    except kernels.NotANumberError as error:
        query, track = cast("tuple[int, int]", (error.query_row, error.track_row))
        place = f"query {query_ids[query]}, track {index.track_ids[track]}"
        raise ScoreError(place, "the score is not a number", "check the bundle's precision") from error
    rankings = []
    for query_id, ranked, values in zip(query_ids, rows, scores, strict=True):
        found = ranked >= 0
        kept = values[found]
        ids = tuple(index.track_ids[row] for row in ranked[found])
        rankings.append(Ranking(query_id, ids, ranked[found], kept, {term: kept}))
    return rankings


def score_matrix(columns: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], tracks: int) -> NDArray[np.float32]:
    """Return scores in the order of the index: float32 [Q, tracks], −inf where a ranking stops short.

    columns: for each query the rows in the index, int64 [k], and their scores, float32 [k].
    """
    matrix = np.full((len(columns), tracks), -np.inf, np.float32)
    for query, (rows, scores) in enumerate(columns):
        matrix[query, rows] = scores
    return matrix

"""Exact ranking of a gallery: score descending, then track id ascending."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from . import kernels
from .arguments import whole_number
from .errors import InputError, ScoreError
from .rescoring import best, mean_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from .index import QueryVectors, TrackIndex
    from .rescoring import PartialTerm, Pruning
    from .systems import Progress

    Score = np.float32 | np.float64

QUERIES_AT_ONCE = 256  # between two reports of progress; a query's ranking does not depend on it


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The tracks of a gallery for one query, best first.

    track_ids: k ids.  rows: int64 [k], their rows in the index.  scores: float32 [k], float64 where systems were fused.
    terms: name → what the score is made of, of its shape and type.  pruning: what a list that was cut short took, where
    a term needs query and track together.  complete: whether it is known to hold every track of the gallery.
    """

    query_id: str
    track_ids: tuple[str, ...]
    rows: NDArray[np.int64]
    scores: NDArray[Score]
    terms: Mapping[str, NDArray[Score]]
    pruning: Pruning | None = None
    complete: bool = False

    def head(self, count: int) -> Ranking:
        """Return the first `count` tracks."""
        return replace(
            self,
            track_ids=self.track_ids[:count],
            rows=self.rows[:count],
            scores=self.scores[:count],
            terms={name: values[:count] for name, values in self.terms.items()},
            complete=self.complete and count >= len(self.track_ids),
        )


def rank(
    index: TrackIndex,
    queries: QueryVectors,
    *,
    terms: Mapping[str, tuple[int, int]],
    partial: PartialTerm | None = None,
    top_k: int | None = None,
    allowed: NDArray[np.bool_] | None = None,
    threads: int | None = None,
    progress: Progress,
) -> list[Ranking]:
    """Rank the index for each query by inner product, plus `partial` where there is one.

    terms: what the inner product is made of, name → (start, stop) in a vector.  partial: a term in [0, 1] more; a list
    of the best `top_k` computes of it only what could still change that list.  top_k: how many tracks, all by default.
    allowed: bool [N], the tracks that may be ranked, all by default.
    Raises InputError for a `top_k` below 1 or an `allowed` of another length, ScoreError naming the query and the track
    whose score is not a number.
    """
    allowed = check_choice(len(index), top_k=top_k, allowed=allowed)
    add = None
    if partial is not None:
        add = _second_stage(
            partial, queries.query_ids, index.track_ids, top_k=top_k, allowed=allowed, progress=progress
        )
    rankings: list[Ranking] = []
    for first in range(0, len(queries.query_ids), QUERIES_AT_ONCE):
        part = slice(first, first + QUERIES_AT_ONCE)
        k = len(index) if top_k is None or add is not None else top_k
        rows, products = _topk(index, queries, part, k=k, allowed=allowed, threads=threads)
        for query, (ranked, scores) in enumerate(zip(rows, products, strict=True), first):
            found = ranked >= 0
            stage = _Stage(ranked[found], scores[found])
            if add is not None:
                stage = add(query, stage)
                progress("rank", query + 1, len(queries.query_ids))
            if add is None and len(terms) == 1:  # the one inner product is the score
                inner = dict.fromkeys(terms, stage.scores)
            else:
                vector, spans = queries.vectors[query], {name: slice(*span) for name, span in terms.items()}
                inner = {name: _products(vector[at], index.vectors[:, at], stage.rows) for name, at in spans.items()}
            ids = tuple(index.track_ids[row] for row in stage.rows)
            values = {**stage.shares, **inner}
            rankings.append(
                Ranking(
                    query_id=queries.query_ids[query],
                    track_ids=ids,
                    rows=stage.rows,
                    scores=stage.scores,
                    terms=values,
                    pruning=stage.pruning,
                    complete=len(ids) == len(index),
                )
            )
        progress("rank", len(rankings), len(queries.query_ids))
    return rankings


def check_choice(tracks: int, *, top_k: int | None, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return `allowed` as an array. Raises InputError for a `top_k` below 1, or `allowed` that is not bool [tracks]."""
    if top_k is not None:
        whole_number("top_k", top_k, least=1)
    if allowed is None:
        return None
    place, remedy = "allowed", f"give bool [{tracks}], one a track"
    try:
        found = np.asarray(allowed)
    except ValueError as error:
        raise InputError(place, "is no array", remedy) from error
    if found.shape != (tracks,) or found.dtype != np.bool_:
        raise InputError(place, f"is {found.dtype} {list(found.shape)}", remedy)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """A list as far as it is: rows int64 [k] and scores float32 [k], best first; terms that are no inner product."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    shares: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    pruning: Pruning | None = None


def _second_stage(
    partial: PartialTerm,
    query_ids: Sequence[str],
    track_ids: Sequence[str],
    *,
    top_k: int | None,
    allowed: NDArray[np.bool_] | None,
    progress: Progress,
) -> Callable[[int, _Stage], _Stage]:
    """Return what adds the partial term to a query's complete list of inner products and cuts it to `top_k`.

    A complete list needs all of the term, which is then computed at once for all queries; a shorter one only some.
    """
    whole, tracks = None, len(track_ids)
    if top_k is None or top_k >= (tracks if allowed is None else int(allowed.sum())):
        whole = mean_part(partial.totals(allowed, progress=progress), partial.parts)

    def add(query: int, first: _Stage) -> _Stage:
        if not np.isfinite(first.scores).all():
            row = int(first.rows[np.argmin(np.isfinite(first.scores))])
            raise _not_a_number(query_ids[query], track_ids[row])
        base = np.zeros(tracks, np.float32)
        base[first.rows] = first.scores
        if whole is None:
            rows, share, pruning = best(base, partial, query, cast("int", top_k), allowed=allowed)
            return _Stage(rows, base[rows] + share, {partial.name: share}, pruning)
        share = whole[query, first.rows]
        scores = first.scores + share
        order = np.lexsort((first.rows, -scores))
        return _Stage(first.rows[order], scores[order], {partial.name: share[order]})

    return add


def _topk(
    index: TrackIndex,
    queries: QueryVectors,
    part: slice,
    *,
    k: int,
    allowed: NDArray[np.bool_] | None,
    threads: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k allowed tracks of greatest inner product with each query: rows int64 [Q, k], −1 for none, scores."""
    if not index.vectors.shape[1]:  # every term of the inner product is switched off
        rows = np.arange(len(index)) if allowed is None else np.flatnonzero(allowed)
        count = len(queries.query_ids[part])
        return np.tile(rows[:k], (count, 1)), np.zeros((count, min(k, len(rows))), np.float32)
    try:
        return kernels.topk(queries.vectors[part], index.vectors, k, allowed=allowed, threads=threads)
    except kernels.NotANumberError as error:
        query, track = cast("tuple[int, int]", (error.query_row, error.track_row))
        raise _not_a_number(queries.query_ids[part][query], index.track_ids[track]) from error


def _not_a_number(query: str, track: str) -> ScoreError:
    return ScoreError(f"query {query}, track {track}", "the score is not a number", "check the bundle's precision")


def _products(query: NDArray[np.float32], tracks: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the inner product of float32 [D] with some rows of float32 [N, D], in the one defined sum of `topk`."""
    few = 2 * len(rows) < len(tracks)
    seen = tracks[rows] if few else tracks  # a long list is not worth a copy of its vectors
    products = np.zeros(len(seen), np.float32)
    if len(seen):
        found, values = kernels.topk(query[None], seen, len(seen), threads=1)
        products[found[0]] = values[0]
    return products if few else products[rows]


def score_matrix(columns: Sequence[tuple[NDArray[np.int64], NDArray[Score]]], tracks: int) -> NDArray[Score]:
    """Return scores in the order of the index: [Q, tracks] of their type, −inf where a ranking stops short.

    columns: for each query the rows in the index, int64 [k], and their scores, float32 or float64 [k].
    """
    matrix = np.full((len(columns), tracks), -np.inf, np.result_type(np.float32, *(scores for _, scores in columns)))
    for query, (rows, scores) in enumerate(columns):
        matrix[query, rows] = scores
    return matrix

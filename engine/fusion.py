"""Fusion of several systems: the mean of their scores, each standardised per query over the whole gallery.

With x_s(q, t) the score that system s of S gives track t of N for query q,

    z_s(q, t) = (x_s(q, t) − μ) / σ        μ = 1/N Σ_t x_s(q, t)        σ² = 1/N Σ_t (x_s(q, t) − μ)²
    score(q, t) = 1/S Σ_s z_s(q, t)

in float64; where all of a system's scores for a query are equal, its z are 0. Every score shifts μ and σ, so a system's
list must be complete, and what is cut short is the fused list alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .arguments import check_kind, items
from .errors import InputError, ScoreError
from .ranking import Ranking, check_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .ranking import Score

PLACE = "rankings"


def fuse(
    rankings: Mapping[str, Sequence[Ranking]], *, top_k: int | None = None, allowed: NDArray[np.bool_] | None = None
) -> list[Ranking]:
    """Rank a gallery by the mean of several systems' standardised scores; equal ones by track id.

    rankings: a system's name → its complete rankings; all of the same queries in one order, over the same tracks.
    top_k: how many tracks, all by default.  allowed: bool [N], the tracks that may be ranked, all by default; the
    others still count in the standardisation.
    Returns a ranking a query, its scores float64 [k], its terms name → that system's z, float64 [k]. The order of the
    systems reaches no bit of it.
    Raises InputError for no system, rankings that are not complete or not of the same queries and tracks, a `top_k`
    below 1 or an `allowed` of another length; ScoreError naming the query and the track whose score is not finite.
    """
    check_kind(PLACE, rankings, Mapping, "give each system's rankings by its name")
    names = items("names of the systems", rankings, str, "give text")
    lists = [items(f"{PLACE} of {name}", rankings[name], Ranking, "give what `Engine.rank` returns") for name in names]
    if not names:
        raise InputError(PLACE, "are of no system", "give the rankings of at least one")
    asked = [[ranking.query_id for ranking in own] for own in lists]
    if any(ids != asked[0] for ids in asked):
        place = f"{PLACE} of {' and '.join(names)}"
        raise InputError(place, "are of other queries", "rank the same queries in one order with every system")
    return [
        _fused(dict(zip(names, own, strict=True)), top_k=top_k, allowed=allowed) for own in zip(*lists, strict=True)
    ]


def standardised(scores: NDArray[Score]) -> NDArray[np.float64]:
    """Return the z of one query's scores over all tracks: [N] in, float64 [N] out, 0 where all are equal."""
    values = scores.astype(np.float64)
    if (values == values[:1]).all():
        return np.zeros(len(values))
    z: NDArray[np.float64] = (values - values.mean()) / values.std()
    return z


def _fused(own: Mapping[str, Ranking], *, top_k: int | None, allowed: NDArray[np.bool_] | None) -> Ranking:
    """Return the fused ranking of one query from each system's."""
    first = next(iter(own.values()))
    for name, ranking in own.items():
        _check_ranking(name, ranking)
        if len(ranking.rows) != len(first.rows) or set(ranking.track_ids) != set(first.track_ids):
            place = f"{PLACE} of {' and '.join(own)}"
            raise InputError(place, "are over other tracks", "encode the same tracks with every system")
    allowed = check_choice(len(first.rows), top_k=top_k, allowed=allowed)
    z = {name: standardised(ranking.scores[np.argsort(ranking.rows)]) for name, ranking in own.items()}
    # Added in the order of their values, so that equal sums are equal bits whichever system each share is from.
    scores = np.sort(np.stack(list(z.values())), axis=0).mean(axis=0)
    rows = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
    rows = rows[np.argsort(-scores[rows], kind="stable")][:top_k]
    ids = np.array(first.track_ids, object)[np.argsort(first.rows)]
    return Ranking(
        query_id=first.query_id,
        track_ids=tuple(ids[rows].tolist()),
        rows=rows,
        scores=scores[rows],
        terms={name: values[rows] for name, values in z.items()},
        complete=len(rows) == len(scores),
    )


def _check_ranking(name: str, ranking: Ranking) -> None:
    """Refuse a list that is not complete, or holds a score that is not finite."""
    if not ranking.complete:
        place = f"the ranking of {name} for query {ranking.query_id}"
        remedy = "rank every track with each system, and give top_k and allowed to the fusion"
        raise InputError(place, "is cut short, or leaves tracks out", remedy)
    finite = np.isfinite(ranking.scores)
    if not finite.all():
        place = f"{name}: query {ranking.query_id}, track {ranking.track_ids[int(np.argmin(finite))]}"
        raise ScoreError(place, "the score is not a finite number", "check the bundle's precision")

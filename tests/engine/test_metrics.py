from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.metrics import (
    MISSING_RANK,
    better_and_tied,
    chance_mrr,
    expected_metrics,
    ranking_metrics,
    target_ranks,
)

LAW = settings(deadline=None, max_examples=50)
RANKS = st.lists(st.integers(1, 300), min_size=1, max_size=20)


def by_hand(ranks):
    """mrr, recall@1, @5, @10 in exact fractions."""
    mrr = sum(Fraction(1, rank) for rank in ranks) / len(ranks)
    return [mrr, *(Fraction(sum(rank <= k for rank in ranks), len(ranks)) for k in (1, 5, 10))]


def values(metrics):
    return [metrics.mrr, metrics.recall_1, metrics.recall_5, metrics.recall_10]


@given(ranks=RANKS)
@LAW
def test_metrics_are_the_means_over_the_queries(ranks):
    found = ranking_metrics(ranks)
    assert values(found) == pytest.approx([float(value) for value in by_hand(ranks)])
    assert found.queries == len(ranks)
    assert found.median_rank == median(ranks)


@given(targets=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), min_size=1, max_size=4))
@LAW
def test_expected_values_are_the_mean_over_every_way_to_break_the_ties(targets):
    per_query = []
    for better, tied in targets:
        outcomes = [by_hand([better + 1 + place]) for place in range(tied)]
        per_query.append([sum(column) / tied for column in zip(*outcomes, strict=True)])
    expected = [float(sum(column) / len(targets)) for column in zip(*per_query, strict=True)]
    found = expected_metrics([better for better, _ in targets], [tied for _, tied in targets])
    assert values(found) == pytest.approx(expected)
    assert found.median_rank == median(better + (tied + 1) / 2 for better, tied in targets)


@given(scores=st.lists(st.integers(0, 2), min_size=1, max_size=6))
@LAW
def test_expected_values_are_those_of_every_permutation_sorted_by_score(scores):
    ranks = []
    for order in permutations(range(len(scores))):
        ranked = sorted(order, key=lambda track: -scores[track])
        ranks.append(ranked.index(0) + 1)
    found = expected_metrics([sum(score > scores[0] for score in scores)], [scores.count(scores[0])])
    assert values(found) == pytest.approx([float(value) for value in by_hand(ranks)])


@given(ranks=RANKS)
@LAW
def test_without_ties_expected_values_are_the_values(ranks):
    found = expected_metrics([rank - 1 for rank in ranks], [1] * len(ranks))
    assert values(found) == pytest.approx(values(ranking_metrics(ranks)))


@given(tracks=st.integers(1, 600))
@LAW
def test_chance_is_a_gallery_that_is_one_tie(tracks):
    assert chance_mrr(tracks) == pytest.approx(float(sum(Fraction(1, rank) for rank in range(1, tracks + 1)) / tracks))
    assert chance_mrr(tracks) == pytest.approx(expected_metrics([0], [tracks]).mrr)


@pytest.mark.parametrize("ranks", [[], [0], [3, 0], [-1]])
def test_no_query_and_no_rank_below_1_has_metrics(ranks):
    with pytest.raises(ValueError, match="at least one query, and ranks from 1"):
        ranking_metrics(ranks)
    with pytest.raises(ValueError, match="at least one query"):
        expected_metrics([0] * len(ranks), ranks)


def test_a_rank_is_the_place_in_the_list_and_101_without_one():
    rankings = {"q": ("a", "b", "c"), "r": ("c",), "s": (), "unasked": ("a",)}
    ranks = target_ranks(rankings, {"r": "a", "q": "c", "s": "a"})
    assert ranks.tolist() == [MISSING_RANK, 3, MISSING_RANK]
    assert MISSING_RANK == 101
    assert ranking_metrics(ranks).mrr == pytest.approx((1 / 3 + 2 / 101) / 3)


def test_a_target_beyond_place_101_keeps_its_place():
    assert target_ranks({"q": tuple(map(str, range(300)))}, {"q": "250"}).tolist() == [251]


@given(rows=st.lists(st.lists(st.integers(-2, 2), min_size=5, max_size=5), min_size=1, max_size=4), data=st.data())
@LAW
def test_tracks_above_and_alike_are_counted_by_query(rows, data):
    targets = [data.draw(st.integers(0, 4)) for _ in rows]
    better, tied = better_and_tied(np.array(rows, np.float32), targets)
    assert better.tolist() == [sum(score > row[own] for score in row) for row, own in zip(rows, targets, strict=True)]
    assert tied.tolist() == [row.count(row[own]) for row, own in zip(rows, targets, strict=True)]

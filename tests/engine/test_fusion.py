from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine.errors import InputError, ScoreError
from nlvr.engine.fusion import fuse, standardised
from nlvr.engine.ranking import Ranking, score_matrix

IDS = [f"t{row:04d}" for row in range(60)]


def complete(matrix, queries=None):
    """Return the rankings that float32 [Q, N] scores make."""
    matrix = np.asarray(matrix, np.float32)
    rankings = []
    for number, scores in enumerate(matrix):
        rows = np.lexsort((np.arange(len(scores)), -scores))
        ids = tuple(IDS[row] for row in rows)
        query = f"q{number}" if queries is None else queries[number]
        rankings.append(Ranking(query, ids, rows, scores[rows], {"x": scores[rows]}, complete=True))
    return rankings


def reference(matrices):
    """The equation over float32 [Q, N] matrices: float64 [Q, N]."""
    total = []
    for matrix in matrices:
        wide = matrix.astype(np.float64)
        centred, spread = wide - wide.mean(axis=1, keepdims=True), wide.std(axis=1, keepdims=True)
        total.append(np.divide(centred, spread, out=np.zeros_like(wide), where=spread > 0))
    return np.mean(total, axis=0)


def matrices(seed, systems, queries, tracks, *, ties):
    rng = np.random.default_rng(seed)
    if ties:
        return [rng.integers(0, 3, (queries, tracks)).astype(np.float32) for _ in range(systems)]
    scales = 10.0 ** rng.integers(-6, 7, (systems, 1, 1))
    return list((rng.standard_normal((systems, queries, tracks)) * scales + scales).astype(np.float32))


CASES = {
    "seed": st.integers(0, 2**32),
    "systems": st.integers(1, 4),
    "queries": st.integers(0, 3),
    "tracks": st.integers(1, 60),
    "ties": st.booleans(),
}


@given(**CASES, top_k=st.none() | st.integers(1, 70), share=st.none() | st.floats(0, 1))
def test_the_fused_list_is_a_stable_sort_of_the_mean_of_standardised_scores(
    seed, systems, queries, tracks, ties, top_k, share
):
    given_scores = matrices(seed, systems, queries, tracks, ties=ties)
    allowed = None if share is None else np.random.default_rng(seed).random(tracks) < share
    rankings = fuse({f"s{row}": complete(one) for row, one in enumerate(given_scores)}, top_k=top_k, allowed=allowed)
    assert [ranking.query_id for ranking in rankings] == [f"q{number}" for number in range(queries)]
    listed = [row for row in range(tracks) if allowed is None or allowed[row]]
    for ranking, expected in zip(rankings, reference(given_scores), strict=True):
        np.testing.assert_allclose(ranking.scores, expected[ranking.rows], rtol=1e-12, atol=1e-12)
        assert ranking.scores.dtype == np.float64
        assert ranking.track_ids == tuple(IDS[row] for row in ranking.rows)
        assert list(zip(-ranking.scores, ranking.rows, strict=True)) == sorted(
            zip(-ranking.scores, ranking.rows, strict=True)
        )
        assert set(ranking.rows.tolist()) <= set(listed)
        assert len(ranking.rows) == min(len(listed), top_k or tracks)
        left = sorted(set(listed) - set(ranking.rows.tolist()))
        if len(ranking.rows):
            assert (expected[left] <= ranking.scores[-1] + 1e-12).all()
        assert ranking.complete == (len(ranking.rows) == tracks)


@given(**CASES)
def test_a_cut_list_is_the_head_of_the_complete_one(seed, systems, queries, tracks, ties):
    own = {f"s{row}": complete(one) for row, one in enumerate(matrices(seed, systems, queries, tracks, ties=ties))}
    for whole, cut in zip(fuse(own), fuse(own, top_k=3), strict=True):
        assert cut.track_ids == whole.track_ids[:3]
        assert cut.scores.tobytes() == whole.scores[:3].tobytes()


@given(**CASES)
def test_the_order_of_the_systems_reaches_no_bit(seed, systems, queries, tracks, ties):
    own = {f"s{row}": complete(one) for row, one in enumerate(matrices(seed, systems, queries, tracks, ties=ties))}
    for there, back in zip(fuse(own), fuse(dict(reversed(own.items()))), strict=True):
        assert there.track_ids == back.track_ids
        assert there.scores.tobytes() == back.scores.tobytes()
        assert list(there.terms) == list(reversed(back.terms))


@given(**CASES)
def test_the_terms_are_each_systems_standardised_scores(seed, systems, queries, tracks, ties):
    given_scores = matrices(seed, systems, queries, tracks, ties=ties)
    rankings = fuse({f"s{row}": complete(one) for row, one in enumerate(given_scores)})
    for number, ranking in enumerate(rankings):
        assert list(ranking.terms) == [f"s{row}" for row in range(systems)]
        for row, z in enumerate(ranking.terms.values()):
            expected = reference([given_scores[row]])[number]
            np.testing.assert_allclose(z, expected[ranking.rows], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(np.mean(list(ranking.terms.values()), axis=0), ranking.scores, atol=1e-12)


@given(
    scores=st.lists(st.floats(-(2.0**120), 2.0**120, width=32), min_size=1, max_size=40),
    power=st.integers(-3, 3),
)
def test_standardised_scores_have_mean_0_and_spread_1_whatever_their_unit(scores, power):
    values = np.array(scores, np.float32)
    z = standardised(values)
    if len(set(scores)) == 1:
        assert not z.any()
        return
    assert z.mean() == pytest.approx(0, abs=1e-9)
    assert z.std() == pytest.approx(1, abs=1e-9)
    np.testing.assert_array_equal(z, standardised(values.astype(np.float64) * 2.0**power))


@given(value=st.floats(-(2.0**120), 2.0**120), tracks=st.integers(1, 50))
def test_equal_scores_of_any_size_are_no_spread(value, tracks):
    assert not standardised(np.full(tracks, value)).any()


def test_a_system_that_tells_no_track_apart_leaves_the_order_to_the_others():
    scores = np.array([[3, 1, 2]])
    (ranking,) = fuse({"flat": complete(np.full((1, 3), 0.7)), "sharp": complete(scores)})
    assert ranking.track_ids == ("t0000", "t0002", "t0001")
    assert ranking.terms["flat"].tolist() == [0, 0, 0]
    assert ranking.scores.tolist() == (ranking.terms["sharp"] / 2).tolist()


def test_equal_fused_scores_stand_in_the_order_of_their_ids():
    (ranking,) = fuse({"a": complete([[0, 1, 2]]), "b": complete([[2, 1, 0]])})
    assert ranking.track_ids == ("t0000", "t0001", "t0002")
    assert ranking.scores.tolist() == [0, 0, 0]


def test_tracks_that_may_not_be_listed_still_count_in_the_standardisation():
    own = {"a": complete([[9, 1, 0, 2]]), "b": complete([[5, 3, 4, 0]])}
    (whole,), (some,) = fuse(own), fuse(own, allowed=np.array([False, True, True, True]))
    kept = whole.rows != 0
    assert some.rows.tolist() == whole.rows[kept].tolist()
    assert some.scores.tobytes() == whole.scores[kept].tobytes()
    assert not some.complete


def test_a_matrix_of_fused_scores_keeps_their_type():
    rankings = fuse({"a": complete([[0, 1, 2]]), "b": complete([[0, 1, 1]])})
    matrix = score_matrix([(ranking.rows, ranking.scores) for ranking in rankings], 3)
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix[0, rankings[0].rows], rankings[0].scores)


@pytest.mark.parametrize(
    ("rankings", "words"),
    [
        ({}, "^rankings: are of no system; "),
        ({"a": complete([[1, 2]]), "b": complete([[1, 2]], ["p"])}, "^rankings of a and b: are of other queries; "),
        ({"a": complete([[1, 2]]), "b": complete([[1, 2]] * 2)}, "^rankings of a and b: are of other queries; "),
        ({"a": complete([[1, 2]]), "b": complete([[1, 2, 3]])}, "^rankings of a and b: are over other tracks; "),
        (
            {"a": complete([[1, 2]]), "b": [complete([[2, 1]])[0].head(1)]},
            "^the ranking of b for query q0: is cut short, or leaves tracks out; ",
        ),
    ],
)
def test_rankings_that_do_not_go_together_are_refused(rankings, words):
    with pytest.raises(InputError, match=words):
        fuse(rankings)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_score_that_is_not_finite_names_system_query_and_track(value):
    with pytest.raises(ScoreError, match=r"^b: query q0, track t0001: the score is not a finite number; "):
        fuse({"a": complete([[1, 2, 3]]), "b": complete([[1, value, 3]])})


@pytest.mark.parametrize(
    ("options", "words"), [({"top_k": 0}, "^top_k: is 0; "), ({"allowed": np.ones(2, bool)}, r"bool \[3\]")]
)
def test_a_choice_of_tracks_that_does_not_fit_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        fuse({"a": complete([[1, 2, 3]])}, **options)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import ranking as module
from nlvr.engine.errors import InputError, ScoreError
from nlvr.engine.index import QueryVectors, TrackIndex
from nlvr.engine.ranking import score_matrix

LAW = settings(deadline=None, max_examples=80)


def rank(index, ids, asked, *, term, progress=lambda *_: None, **options):
    terms = {term: (0, asked.shape[1])}
    return module.rank(index, QueryVectors(tuple(ids), asked, {}, "bundle"), terms=terms, progress=progress, **options)


def index_of(vectors, ids=None):
    vectors = np.array(vectors, np.float32)
    ids = [f"t{row:04d}" for row in range(len(vectors))] if ids is None else ids
    return TrackIndex(tuple(ids), vectors, ("",) * len(vectors), "bundle", "last")


def few_values(rng, shape):
    """Small integers: their products are exact, and many are equal."""
    return rng.integers(-2, 3, shape).astype(np.float32)


@given(
    seed=st.integers(0, 2**32),
    queries=st.integers(0, 4),
    tracks=st.integers(1, 60),
    top_k=st.none() | st.integers(1, 70),
    share=st.none() | st.floats(0, 1),
    threads=st.sampled_from([None, 1, 2, 3]),
)
@LAW
def test_a_ranking_is_a_stable_sort_by_score_then_id(seed, queries, tracks, top_k, share, threads):
    rng = np.random.default_rng(seed)
    index, asked = index_of(few_values(rng, (tracks, 3))), few_values(rng, (queries, 3))
    allowed = None if share is None else rng.random(tracks) < share
    ids = [f"q{row}" for row in range(queries)]
    rankings = rank(index, ids, asked, term="cosine", top_k=top_k, allowed=allowed, threads=threads)
    assert [ranking.query_id for ranking in rankings] == ids
    for ranking, scores in zip(rankings, asked @ index.vectors.T, strict=True):
        rows = [row for row in range(tracks) if allowed is None or allowed[row]]
        expected = sorted(rows, key=lambda row, scores=scores: (-scores[row], index.track_ids[row]))[:top_k]
        assert ranking.rows.tolist() == expected
        assert ranking.track_ids == tuple(index.track_ids[row] for row in expected)
        assert ranking.scores.tolist() == scores[expected].tolist()
        assert ranking.scores.dtype == np.float32
        assert list(ranking.terms) == ["cosine"]
        assert ranking.terms["cosine"].tolist() == ranking.scores.tolist()


@given(seed=st.integers(0, 2**32), tracks=st.integers(1, 40), top_k=st.integers(1, 40))
@LAW
def test_the_first_k_are_the_start_of_the_whole_ranking(seed, tracks, top_k):
    rng = np.random.default_rng(seed)
    index, asked = index_of(rng.standard_normal((tracks, 7))), rng.standard_normal((2, 7)).astype(np.float32)
    for whole, first in zip(
        rank(index, ["p", "q"], asked, term="x"), rank(index, ["p", "q"], asked, term="x", top_k=top_k), strict=True
    ):
        assert first.track_ids == whole.track_ids[:top_k]
        assert first.scores.tobytes() == whole.scores[:top_k].tobytes()


@given(seed=st.integers(0, 2**32), tracks=st.integers(1, 40))
@LAW
def test_leaving_tracks_out_keeps_the_order_of_the_rest(seed, tracks):
    rng = np.random.default_rng(seed)
    index, asked = index_of(rng.standard_normal((tracks, 7))), rng.standard_normal((1, 7)).astype(np.float32)
    allowed = rng.random(tracks) < 0.5
    (whole,), (some,) = rank(index, ["q"], asked, term="x"), rank(index, ["q"], asked, term="x", allowed=allowed)
    assert list(some.track_ids) == [key for key, row in zip(whole.track_ids, whole.rows, strict=True) if allowed[row]]


def test_no_allowed_track_is_an_empty_ranking():
    (ranking,) = rank(index_of(np.eye(3)), ["q"], np.ones((1, 3), np.float32), term="x", allowed=np.zeros(3, bool))
    assert (ranking.track_ids, len(ranking.rows), len(ranking.scores)) == ((), 0, 0)


@pytest.mark.parametrize("top_k", [0, -1])
def test_a_top_k_below_1_is_refused(top_k):
    with pytest.raises(InputError, match=f"^top_k: is {top_k}; give 1 or more$"):
        rank(index_of(np.eye(3)), ["q"], np.ones((1, 3), np.float32), term="x", top_k=top_k)


@pytest.mark.parametrize("top_k", [1, None])
def test_a_score_that_is_no_number_names_query_and_track(top_k):
    asked = np.zeros((3, 2), np.float32)
    asked[1, 1] = np.nan
    with pytest.raises(ScoreError, match=r"^query b, track t0000: the score is not a number; "):
        rank(index_of(np.eye(2)), ["a", "b", "c"], asked, term="x", top_k=top_k)
    huge = np.array([[0, 0], [3e38, 3e38], [1, 1]], np.float32)
    asked = np.array([[1, 1], [3e38, -3e38]], np.float32)
    with pytest.raises(ScoreError, match=r"^query b, track t0001: the score is not a number; "):
        rank(index_of(huge), ["a", "b"], asked, term="x", top_k=top_k)


def test_a_track_that_is_left_out_may_have_no_score():
    huge = np.array([[1, 1], [3e38, 3e38]], np.float32)
    asked = np.array([[3e38, -3e38]], np.float32)
    (ranking,) = rank(index_of(huge), ["q"], asked, term="x", allowed=np.array([True, False]))
    assert ranking.track_ids == ("t0000",)


@given(seed=st.integers(0, 2**32), tracks=st.integers(1, 30), top_k=st.none() | st.integers(1, 30))
@LAW
def test_the_matrix_holds_every_score_in_the_order_of_the_index(seed, tracks, top_k):
    rng = np.random.default_rng(seed)
    index, asked = index_of(few_values(rng, (tracks, 3))), few_values(rng, (2, 3))
    rankings = rank(index, ["p", "q"], asked, term="x", top_k=top_k)
    matrix = score_matrix([(ranking.rows, ranking.scores) for ranking in rankings], tracks)
    assert (matrix.dtype, matrix.shape) == (np.float32, (2, tracks))
    for row, (ranking, scores) in enumerate(zip(rankings, asked @ index.vectors.T, strict=True)):
        kept = np.isin(np.arange(tracks), ranking.rows)
        assert np.array_equal(matrix[row], np.where(kept, scores, -np.inf))
        assert kept.sum() == min(tracks, top_k or tracks)


def test_queries_are_ranked_alike_in_groups(monkeypatch):
    rng = np.random.default_rng(1)
    index, asked = index_of(few_values(rng, (30, 3))), few_values(rng, (7, 3))
    ids = [f"q{row}" for row in range(7)]
    whole = rank(index, ids, asked, term="x")
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 3)
    seen = []
    grouped = rank(index, ids, asked, term="x", progress=lambda *call: seen.append(call))
    assert [(one.query_id, one.track_ids) for one in grouped] == [(one.query_id, one.track_ids) for one in whole]
    assert seen == [("rank", 3, 7), ("rank", 6, 7), ("rank", 7, 7)]


@pytest.mark.parametrize("allowed", [np.ones(2, bool), np.ones(3, np.int8), np.ones((3, 1), bool)])
def test_an_allowed_that_does_not_fit_is_refused(allowed):
    with pytest.raises(InputError, match=r"bool \[3\]"):
        rank(index_of(np.eye(3)), ["q"], np.ones((1, 3), np.float32), term="x", allowed=allowed)


def test_the_head_of_a_ranking_is_its_first_tracks():
    (ranking,) = rank(index_of(np.eye(3)), ["q"], np.array([[1, 3, 2]], np.float32), term="x")
    head = ranking.head(2)
    assert head.track_ids == ("t0001", "t0002")
    assert head.scores.tolist() == head.terms["x"].tolist() == [3, 2]
    assert ranking.head(9).track_ids == ranking.track_ids

"""topk equals a stable sort of the defined scores, for every shape, layout, filter and number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import kernels

SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.sampled_from([None, *range(1, 9)])


@given(
    seed=SEEDS,
    q=st.integers(0, 9),
    n=st.integers(0, 40),
    d=st.integers(0, 70),
    k=st.integers(1, 50),
    threads=THREADS,
)
def test_scores_are_the_defined_sum(reference, wild, same_bits, seed, q, n, d, k, threads):
    queries, tracks = wild(seed, (q, d)), wild(seed + 1, (n, d))
    ids, scores = kernels.topk(queries, tracks, k, threads=threads)
    expected_ids, expected_scores = reference.topk(queries, tracks, k)
    assert same_bits(ids, expected_ids)
    assert same_bits(scores, expected_scores)


@given(seed=SEEDS, n=st.integers(1, 30), d=st.integers(1, 40), threads=THREADS)
def test_overflow_ranks_as_infinity_or_is_named(reference, wild, same_bits, seed, n, d, threads):
    rng = np.random.default_rng(seed)
    queries, tracks = wild(seed, (3, d), spread=70), wild(seed + 1, (n, d), spread=70)
    tracks[rng.random(tracks.shape) < 0.02] = np.inf
    undefined = np.argwhere(np.isnan(reference.scores(queries, tracks)))
    if len(undefined):
        with pytest.raises(kernels.NotANumberError) as caught:
            kernels.topk(queries, tracks, 5, threads=threads)
        assert [caught.value.query_row, caught.value.track_row] == undefined[0].tolist()
    else:
        for got, expected in zip(
            kernels.topk(queries, tracks, 5, threads=threads), reference.topk(queries, tracks, 5), strict=True
        ):
            assert same_bits(got, expected)


@given(
    seed=SEEDS,
    n=st.integers(1, 1500),
    k=st.integers(1, 1600),
    values=st.integers(1, 5),
    threads=THREADS,
    share=st.sampled_from([None, 0.0, 0.02, 0.5, 1.0]),
)
@settings(max_examples=60)
def test_planted_ties_go_to_the_lower_row(same_bits, seed, n, k, values, threads, share):
    rng = np.random.default_rng(seed)
    tracks = rng.integers(0, values, (n, 2)).astype(np.float32)
    queries = np.array([[1, 0], [0, -1], [1, 1], [0, 0]], np.float32)
    allowed = None if share is None else rng.random(n) < share
    ids, scores = kernels.topk(queries, tracks, k, allowed, threads)
    exact = queries @ tracks.T + np.float32(0)
    if allowed is not None:
        exact[:, ~allowed] = -np.inf
    order = np.lexsort((np.broadcast_to(np.arange(n), exact.shape), -exact), axis=1)[:, :k]
    best = np.take_along_axis(exact, order, 1)
    assert same_bits(ids, np.where(np.isneginf(best), -1, order))
    assert same_bits(scores, best)


@pytest.mark.parametrize("order", ["rising", "falling", "equal"])
@pytest.mark.parametrize("k", [1, 7, 300, 19_999])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_every_order_of_many_tracks(order, k, threads):
    n = 20_000
    value = {"rising": np.arange(n), "falling": -np.arange(n), "equal": np.zeros(n)}[order].astype(np.float32)
    ids, scores = kernels.topk(np.ones((1, 1), np.float32), value[:, None], k, threads=threads)
    best = np.arange(n)[::-1][:k] if order == "rising" else np.arange(k)
    assert ids[0].tolist() == best.tolist()
    assert scores[0].tolist() == value[best].tolist()


@given(seed=SEEDS, d=st.integers(1, 40), threads=THREADS)
@settings(max_examples=30)
def test_layout_changes_nothing(wild, layouts, same_bits, seed, d, threads):
    queries, tracks = wild(seed, (5, d)), wild(seed + 1, (70, d))
    expected = kernels.topk(queries, tracks, 9, threads=1)
    for name in layouts(queries):
        got = kernels.topk(layouts(queries)[name], layouts(tracks)[name], 9, threads=threads)
        assert same_bits(got[0], expected[0]), name
        assert same_bits(got[1], expected[1]), name


def test_one_row_broadcast_many_times_is_a_tie(wild):
    track = wild(3, (1, 20))
    ids, scores = kernels.topk(wild(4, (2, 20)), np.broadcast_to(track, (300, 20)), 300)
    assert (ids == np.arange(300)).all()
    assert (scores == scores[:, :1]).all()


@given(seed=SEEDS, n=st.integers(0, 300), threads=THREADS, share=st.floats(0, 1))
@settings(max_examples=40)
def test_packed_bits_filter_as_flags_do(wild, layouts, same_bits, seed, n, threads, share):
    queries, tracks = wild(seed, (3, 8)), wild(seed + 1, (n, 8))
    flags = np.random.default_rng(seed).random(n) < share
    bits = np.packbits(flags, bitorder="little")
    expected = kernels.topk(queries, tracks, 20, flags, threads=1)
    kept = np.flatnonzero(flags)
    dense = kernels.topk(queries, tracks[kept], 20, threads=1)
    count = dense[0].shape[1]
    if count:
        assert same_bits(expected[0][:, :count], kept[dense[0]])
        assert same_bits(expected[1][:, :count], dense[1])
    assert (expected[0][:, count:] == -1).all()
    assert np.isneginf(expected[1][:, count:]).all()
    for mask in (flags, bits):
        for name, view in layouts(mask).items():
            got = kernels.topk(queries, tracks, 20, view, threads)
            assert same_bits(got[0], expected[0]), name
            assert same_bits(got[1], expected[1]), name


@pytest.mark.parametrize("threads", range(1, 9))
def test_nan_is_named_and_counts_only_where_allowed(threads):
    queries, tracks = np.ones((6, 20), np.float32), np.ones((900, 20), np.float32)
    tracks[[700, 123], 4] = np.nan
    with pytest.raises(kernels.NotANumberError, match="query row 0 and track row 123 is not a number") as caught:
        kernels.topk(queries, tracks, 3, threads=threads)
    assert (caught.value.query_row, caught.value.track_row, caught.value.row) == (0, 123, None)
    allowed = np.ones(900, bool)
    allowed[123] = False
    with pytest.raises(kernels.NotANumberError) as caught:
        kernels.topk(queries, tracks, 3, allowed, threads)
    assert caught.value.track_row == 700
    allowed[700] = False
    assert kernels.topk(queries, tracks, 3, allowed, threads)[0][0].tolist() == [0, 1, 2]
    queries[4, 0] = np.nan
    with pytest.raises(kernels.NotANumberError) as caught:
        kernels.topk(queries, tracks, 3, allowed, threads)
    assert (caught.value.query_row, caught.value.track_row) == (4, 0)


def test_infinite_scores_are_real_places():
    tracks = np.array([[-np.inf], [1], [np.inf], [-np.inf]], np.float32)
    ids, scores = kernels.topk(np.ones((1, 1), np.float32), tracks, 4, np.array([True, True, True, False]))
    assert ids.tolist() == [[2, 1, 0, -1]]
    assert scores.tolist() == [[np.inf, 1, -np.inf, -np.inf]]


@pytest.mark.parametrize(
    ("q", "n", "d", "k", "shape"),
    [(0, 5, 3, 2, (0, 2)), (4, 0, 3, 2, (4, 0)), (2, 3, 0, 9, (2, 3)), (0, 0, 0, 1, (0, 0))],
)
def test_nothing_to_rank(q, n, d, k, shape):
    ids, scores = kernels.topk(np.zeros((q, d), np.float32), np.zeros((n, d), np.float32), k)
    assert (ids.dtype, ids.shape) == (np.int64, shape)
    assert (scores.dtype, scores.shape) == (np.float32, shape)
    assert (ids == np.arange(shape[1])).all()
    assert (scores == 0).all()


@pytest.mark.parametrize("d", [1, 16, 17, 32])
def test_zero_is_never_negative(d):
    tracks = np.repeat(np.array([[-1e-45], [-0.0], [1e-45]], np.float32), d, axis=1)
    ids, scores = kernels.topk(np.full((1, d), 1e-45, np.float32), tracks, 3)
    assert ids.tolist() == [[0, 1, 2]]
    assert scores.tobytes() == bytes(12)


GOOD = {"queries": np.ones((2, 3), np.float32), "tracks": np.ones((4, 3), np.float32), "k": 1}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"queries": np.ones((2, 3))},
            TypeError,
            r"queries: float64, wanted float32; use queries.astype\(np.float32\)",
        ),
        ({"tracks": np.ones((4, 3), ">f4")}, TypeError, "tracks: >f4, wanted float32"),
        ({"tracks": [[1.0, 2.0, 3.0]]}, TypeError, "tracks: list, wanted a numpy array of float32"),
        ({"queries": np.ones(3, np.float32)}, ValueError, r"queries: shape \[3\], wanted 2 dimensions \[Q, D\]"),
        ({"queries": np.ones((2, 4), np.float32)}, ValueError, r"queries: shape \[2, 4\], tracks: shape \[4, 3\]"),
        ({"k": 0}, ValueError, "k: 0, wanted at least 1"),
        ({"k": -3}, ValueError, "k: -3, wanted at least 1"),
        ({"k": 1.5}, TypeError, "k: float, wanted an int"),
        ({"threads": 0}, ValueError, "threads: 0, wanted at least 1"),
        ({"threads": "2"}, TypeError, "threads: str, wanted an int"),
        ({"allowed": np.ones(5, bool)}, ValueError, r"allowed: shape \[5\], wanted \[4\] for 4 tracks in bool"),
        (
            {"allowed": np.ones(4, np.uint8)},
            ValueError,
            r"allowed: shape \[4\], wanted \[1\] for 4 tracks in packed bits",
        ),
        ({"allowed": np.ones((2, 2), bool)}, ValueError, r"allowed: shape \[2, 2\]"),
        ({"allowed": np.ones(4, np.int64)}, TypeError, "allowed: int64, wanted bool"),
        ({"allowed": [True] * 4}, TypeError, "allowed: list, wanted a numpy array of bool or uint8"),
    ],
)
def test_arguments_are_refused_by_name(change, error, message):
    with pytest.raises(error, match=message):
        kernels.topk(**(GOOD | change))


def test_k_beyond_every_row_is_all_of_them():
    ids, _ = kernels.topk(**(GOOD | {"k": 2**62}))
    assert ids.tolist() == [[0, 1, 2, 3]] * 2


@pytest.mark.parametrize("queries", [1, 8])
@pytest.mark.parametrize("threads", [1, 2])
def test_nan_is_named_though_every_place_is_at_infinity(queries, threads):
    tracks = np.ones((8192, 256), np.float32)
    tracks[:2000] = 3e38
    tracks[8000] = np.nan
    asked = np.ones((queries, 256), np.float32)
    with pytest.raises(kernels.NotANumberError):
        kernels.topk(asked, tracks, 5, threads=threads)
    tracks[8000] = 1
    tracks[7000, 0], asked[:, 0] = 0, np.inf
    with pytest.raises(kernels.NotANumberError):
        kernels.topk(asked, tracks, 5, threads=threads)


def test_rows_longer_than_codes_can_be_multiplied_are_ranked_all_the_same():
    n, d = 4096, 140_000
    numbers = np.ones(d + 4 * n, np.float32) + np.linspace(0, 0.01, d + 4 * n, dtype=np.float32)
    tracks = np.lib.stride_tricks.as_strided(numbers, (n, d), (4, 4))
    asked = np.ones((8, d), np.float32)
    few = kernels.topk(asked[:1], tracks, 3, threads=2)
    many = kernels.topk(asked, tracks, 3, threads=2)
    for one, other in zip(few, many, strict=True):
        np.testing.assert_array_equal(np.broadcast_to(one, other.shape), other)

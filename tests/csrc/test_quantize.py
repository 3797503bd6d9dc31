"""quantize rounds rows to int8 and bounds what that changes; topk_screened is topk whatever the bounds let through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import _kernels, kernels

SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.sampled_from([None, *range(1, 9)])
KINDS = ["normal", "wild", "near ties", "rising", "sparse", "tiny", "huge", "zero"]
UNBOUNDED = "beyond"  # what only a screen made on the way meets


def rows_of(kind, wild, seed, n, d):
    """Float32 [n, d] that a screen finds easy, useless, or on the edge of float32."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((n, d)).astype(np.float32)
    with np.errstate(all="ignore"):
        return {
            "normal": normal,
            "wild": wild(seed, (n, d)),
            "near ties": normal[:1] + normal * np.float32(1e-6),
            "rising": normal[:1] * np.linspace(0, 1, n, dtype=np.float32)[:, None],
            "sparse": normal * (rng.random((n, d)) < 0.02),
            "tiny": normal * np.float32(2.0) ** rng.integers(-149, -90, (n, 1)).astype(np.float32),
            "huge": normal * np.float32(2.0) ** rng.integers(45, 55, (n, 1)).astype(np.float32),
            UNBOUNDED: normal * np.float32(2.0) ** rng.integers(60, 70, (n, 1)).astype(np.float32),
            "zero": np.zeros((n, d), np.float32),
        }[kind].astype(np.float32)


@given(seed=SEEDS, kind=st.sampled_from(KINDS), n=st.integers(0, 20), d=st.integers(0, 100), threads=THREADS)
def test_bounds_hold(wild, layouts, same_bits, seed, kind, n, d, threads):
    rows = rows_of(kind, wild, seed, n, d)
    quantized = kernels.quantize(rows, threads)
    codes, scales, norms, errors = quantized
    assert (codes.dtype, codes.shape) == (np.int8, (n, d))
    assert codes.min(initial=0) >= -127
    exact = rows.astype(np.float64)
    assert (norms >= np.linalg.norm(exact, axis=1)).all()
    assert (errors >= np.linalg.norm(exact - scales[:, None].astype(np.float64) * codes, axis=1)).all()
    assert (errors <= 0.51 * np.sqrt(d) * scales + (scales == 0) * (norms + 1e-20)).all()
    for name, view in layouts(rows).items():
        assert all(same_bits(*pair) for pair in zip(kernels.quantize(view), quantized, strict=True)), name


@pytest.mark.parametrize("value", [np.nan, np.inf, 2.0**63])
def test_a_row_without_bounds_is_named(value):
    rows = np.ones((9, 20), np.float32)
    rows[[7, 5], 3] = value
    with pytest.raises(kernels.NotANumberError, match="rows: row 5 is not finite, or longer") as caught:
        kernels.quantize(rows)
    assert caught.value.row == 5


@given(
    seed=SEEDS,
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    q=st.sampled_from([1, 2, 5, 9, 20, 40]),
    n=st.sampled_from([0, 1, 50, 400, 900, 2000]),
    d=st.integers(0, 140),
    k=st.integers(1, 60),
    share=st.sampled_from([None, 0.0, 0.1, 0.9, "window", "windows"]),
    layout=st.sampled_from(["as it is", "gathered", "scales apart"]),
    threads=THREADS,
)
def test_a_screen_changes_nothing(wild, same_bits, seed, kinds, q, n, d, k, share, layout, threads):
    queries, tracks = rows_of(kinds[0], wild, seed, q, d), rows_of(kinds[1], wild, seed + 1, n, d)
    allowed = chosen(n, share, seed)
    expected = kernels.topk(queries, tracks, k, allowed, threads=1)
    screen = kernels.quantize(tracks)
    if layout == "gathered":
        tracks = np.asfortranarray(tracks)
    elif layout == "scales apart":
        screen = screen._replace(scales=np.stack([screen.scales] * 2, axis=1)[:, 0])
    ids, scores, scored = kernels.topk_screened(queries, tracks, screen, k, allowed, threads=threads)
    assert same_bits(ids, expected[0])
    assert same_bits(scores, expected[1])
    assert (scored >= (ids >= 0).sum(axis=1)).all()
    assert (scored <= (n if allowed is None else allowed.sum())).all()


def chosen(n, share, seed):
    """Which of n rows are allowed: none of them told apart, a share of them, or all between some rows."""
    if share is None or isinstance(share, float):
        return None if share is None else np.random.default_rng(seed).random(n) < share
    rows = np.arange(n)
    window = (rows >= n // 7) & (rows < n - n // 5)
    return window if share == "window" else window & (rows // 130 % 2 == 0)


def test_few_tracks_are_scored():
    rng = np.random.default_rng(0)
    queries, tracks = (rng.standard_normal((size, 256), np.float32) for size in (3, 20_000))
    scored = kernels.topk_screened(queries, tracks, kernels.quantize(tracks), 10, threads=1)[2]
    assert (scored < 2_000).all()


ENOUGH = 4200  # rows for each thread, that it is worth to make codes of them, or to round them


@given(
    seed=SEEDS,
    kind=st.sampled_from([*KINDS, UNBOUNDED]),
    d=st.sampled_from([40, 200, 200, 333]),
    k=st.sampled_from([1, 5, 20]),
    share=st.sampled_from([None, 0.9, "window", "windows"]),
    threads=st.sampled_from([1, 2]),
)
@settings(max_examples=8)
def test_many_queries_share_a_screen_made_on_the_way(wild, same_bits, seed, kind, d, k, share, threads):
    queries = np.concatenate([rows_of(each, wild, seed, 3, d) for each in KINDS])
    n = (1 if share is None else 3) * ENOUGH * threads
    tracks = np.tile(rows_of(kind, wild, seed + 1, 700, d), (n // 700, 1))
    tracks[:, 0] *= np.linspace(0.5, 2, len(tracks), dtype=np.float32)
    allowed = chosen(len(tracks), share, seed)
    ids, scores = kernels.topk(queries, tracks, k, allowed, threads)
    alone = [kernels.topk(query[None], tracks, k, allowed, threads=1) for query in queries]
    assert same_bits(ids, np.concatenate([each[0] for each in alone]))
    assert same_bits(scores, np.concatenate([each[1] for each in alone]))


@given(
    seed=SEEDS,
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from([*KINDS, UNBOUNDED])),
    q=st.integers(5, 70),
    n=st.integers(512, 1200),
    d=st.integers(32, 100),
    k=st.integers(1, 9),
    layout=st.sampled_from(["as it is", "gathered", "half"]),
)
@settings(max_examples=100)
def test_a_few_hundred_tracks_are_screened_as_well(wild, same_bits, seed, kinds, q, n, d, k, layout):
    queries, tracks = rows_of(kinds[0], wild, seed, q, d), rows_of(kinds[1], wild, seed + 1, n, d)
    if layout == "gathered":
        tracks = np.asfortranarray(tracks)
    elif layout == "half":
        tracks = np.clip(tracks, -60000, 60000).astype(np.float16)
    ids, scores = kernels.topk(queries, tracks, k, threads=1)
    alone = [kernels.topk(query[None], tracks, k, threads=1) for query in queries]
    assert same_bits(ids, np.concatenate([each[0] for each in alone]))
    assert same_bits(scores, np.concatenate([each[1] for each in alone]))


@pytest.mark.skipif(kernels.isa() in {"avx2", "avx512", "neon"}, reason="a screen costs more than scores here")
def test_a_screen_is_made_where_many_queries_share_it():
    rng = np.random.default_rng(2)
    queries, tracks = (rng.standard_normal((size, 256), np.float32) for size in (20, 4 * ENOUGH))
    assert (_kernels.topk(queries, tracks, 10, threads=1)[2] < len(tracks) / 4).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("place", ["query", "track"])
def test_nan_and_overflow_are_not_screened_away(threads, place):
    rng = np.random.default_rng(1)
    queries, tracks = (rng.standard_normal((size, 200), np.float32) for size in (20, ENOUGH * threads))
    if place == "track":
        tracks[[1900, 1700, 1701], 7] = np.nan
        expected = (0, 1700)
    else:
        queries[[17, 9], 7] = np.nan
        expected = (9, 0)
    with pytest.raises(kernels.NotANumberError) as caught:
        kernels.topk(queries, tracks, 3, threads=threads)
    assert (caught.value.query_row, caught.value.track_row) == expected
    queries, tracks = np.abs(np.nan_to_num(queries)), np.nan_to_num(tracks)
    queries[5], tracks[1800] = 1e25, 1e25  # their score is infinite, though each is finite
    ids, scores = kernels.topk(queries, tracks, 3, threads=threads)
    assert (ids[5, 0], scores[5, 0]) == (1800, np.inf)


@given(seed=SEEDS, threads=THREADS, share=st.sampled_from([None, 0.3]))
@settings(max_examples=30)
def test_every_storage_counts_as_its_float32(wild, layouts, same_bits, seed, threads, share):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    queries = wild(seed, (9, 210), spread=4)
    tracks = np.random.default_rng(seed).standard_normal((350, 210)).astype(np.float32)
    allowed = None if share is None else np.random.default_rng(seed).random(350) < share
    for dtype in (np.float16, ml_dtypes.bfloat16):
        stored = tracks.astype(dtype)
        expected = kernels.topk(queries, stored.astype(np.float32), 9, allowed, threads=1)
        for name, view in layouts(stored).items():
            got = kernels.topk(queries, view, 9, allowed, threads)
            assert same_bits(got[0], expected[0]), name
            assert same_bits(got[1], expected[1]), name
    quantized = kernels.quantize(tracks)
    widened = quantized.codes.astype(np.float32) * quantized.scales[:, None]
    expected = kernels.topk(queries, widened, 9, allowed, threads=1)
    for name, codes in layouts(quantized.codes).items():
        got = kernels.topk(queries, quantized._replace(codes=codes), 9, allowed, threads)
        assert same_bits(got[0], expected[0]), name
        assert same_bits(got[1], expected[1]), name


@pytest.mark.parametrize("threads", [1, 3])
def test_every_half_widens_exactly(same_bits, threads):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in (np.float16, ml_dtypes.bfloat16):
        halves = np.arange(1 << 16, dtype=np.uint16).view(dtype)
        halves = halves[np.isfinite(halves.astype(np.float32))]
        ids, scores = kernels.topk(np.ones((1, 1), np.float32), halves[:, None], len(halves), threads=threads)
        assert same_bits(scores[0], halves.astype(np.float32)[ids[0]] + np.float32(0))


GOOD = kernels.quantize(np.ones((4, 3), np.float32))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"codes": np.ones((4, 3))}, TypeError, "screen.codes: float64, wanted int8"),
        ({"scales": np.ones(3, np.float32)}, ValueError, r"screen.scales: shape \[3\], wanted \[4\], one for each row"),
        ({"norms": np.ones((4, 1), np.float32)}, ValueError, r"screen.norms: shape \[4, 1\], wanted 1 dimension"),
        ({"errors": [1.0] * 4}, TypeError, "screen.errors: list, wanted a numpy array of float32"),
    ],
)
def test_arguments_are_refused_by_name(change, error, message):
    ones = np.ones((4, 3), np.float32)
    with pytest.raises(error, match=message):
        kernels.topk_screened(ones, ones, GOOD._replace(**change), 1)


def test_a_screen_of_other_rows_is_refused():
    with pytest.raises(ValueError, match=r"screen: codes of shape \[4, 3\], wanted \[5, 3\], those of tracks"):
        kernels.topk_screened(np.ones((1, 3), np.float32), np.ones((5, 3), np.float32), GOOD, 1)
    with pytest.raises(ValueError, match="tracks: a tuple of 2, wanted the four arrays of QuantizedRows"):
        kernels.topk(np.ones((1, 3), np.float32), GOOD[:2], 1)

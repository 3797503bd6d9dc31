"""mask_ratio is the mean mask value inside each box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import kernels

SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.sampled_from([None, *range(1, 9)])


def one_box_a_mask(seed, count, height, width):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.permuted(np.tile(np.arange(width + 1), (count, 1)), axis=1)[:, :2], axis=1)
    y = np.sort(rng.permuted(np.tile(np.arange(height + 1), (count, 1)), axis=1)[:, :2], axis=1)
    return np.stack([np.arange(count), x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.int32)


@given(seed=SEEDS, count=st.integers(0, 20), height=st.integers(1, 25), width=st.integers(1, 40), threads=THREADS)
def test_ratios_are_the_defined_sum(reference, wild, same_bits, seed, count, height, width, threads):
    masks, cells = wild(seed, (count, height, width)), one_box_a_mask(seed, count, height, width)
    expected = reference.box_means(masks[:, None], cells)[:, 0]
    assert same_bits(kernels.mask_ratio(masks, cells, threads), expected)
    assert same_bits(kernels.masked_pool(masks[:, None], cells, threads)[:, 0], expected)


@given(seed=SEEDS, count=st.integers(0, 20), height=st.integers(1, 25), width=st.integers(1, 40), threads=THREADS)
def test_halves_and_bits_count_as_their_float32(layouts, same_bits, seed, count, height, width, threads):
    rng, cells = np.random.default_rng(seed), one_box_a_mask(seed, count, height, width)
    halves = rng.random((count, height, width)).astype(np.float16)
    expected = kernels.mask_ratio(halves.astype(np.float32), cells, 1)
    assert all(same_bits(kernels.mask_ratio(view, cells, threads), expected) for view in layouts(halves).values())
    flags = rng.random((count, height, width)) < 0.5
    expected = kernels.mask_ratio(flags.astype(np.float32), cells, 1)
    bits = np.packbits(flags, axis=-1, bitorder="little")
    assert all(same_bits(kernels.mask_ratio(view, cells, threads), expected) for view in layouts(bits).values())


@given(seed=SEEDS, threads=THREADS)
@settings(max_examples=30)
def test_layout_changes_nothing(wild, layouts, same_bits, seed, threads):
    masks, cells = wild(seed, (6, 7, 20)), one_box_a_mask(seed, 6, 7, 20)
    expected = kernels.mask_ratio(masks, cells, 1)
    for name in layouts(masks):
        assert same_bits(kernels.mask_ratio(layouts(masks)[name], layouts(cells)[name], threads), expected), name


@given(seed=SEEDS)
def test_a_ratio_of_a_mask_is_within_it(seed):
    masks = np.random.default_rng(seed).random((5, 24, 24), np.float32)
    ratios = kernels.mask_ratio(masks, one_box_a_mask(seed, 5, 24, 24))
    assert (ratios >= 0).all()
    assert (ratios <= 1).all()


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_nan_is_named_where_it_lies_inside_a_box(threads):
    masks = np.zeros((40, 6, 8), np.float32)
    cells = np.tile(np.array([0, 2, 1, 5, 4], np.int32), (40, 1))
    cells[:, 0] = np.arange(40)
    masks[:, 0, 0] = np.nan
    assert (kernels.mask_ratio(masks, cells, threads) == 0).all()
    masks[[31, 17], 3, 4] = np.nan
    with pytest.raises(kernels.NotANumberError, match="cells row 17 is not a number") as caught:
        kernels.mask_ratio(masks, cells, threads)
    assert (caught.value.row, caught.value.query_row, caught.value.track_row) == (17, None, None)


def test_bad_boxes_are_named():
    masks = np.zeros((2, 6, 8), np.float32)
    with pytest.raises(kernels.EmptyBoxError) as empty:
        kernels.mask_ratio(masks, np.array([[0, 0, 0, 8, 6], [1, 3, 3, 3, 5]], np.int32))
    assert empty.value.row == 1
    with pytest.raises(kernels.BoxOutsideError) as outside:
        kernels.mask_ratio(masks, np.array([[0, 0, 0, 8, 7]], np.int32))
    assert outside.value.row == 0


@pytest.mark.parametrize(
    ("masks", "error", "message"),
    [
        (np.zeros((1, 2, 3)), TypeError, "masks: float64, wanted float32, float16 or uint8"),
        (
            np.zeros((1, 1, 2, 3), np.float32),
            ValueError,
            r"masks: shape \[1, 1, 2, 3\], wanted 3 dimensions \[F, H, W\]",
        ),
    ],
)
def test_arguments_are_refused_by_name(masks, error, message):
    with pytest.raises(error, match=message):
        kernels.mask_ratio(masks, np.zeros((0, 5), np.int32))

"""masked_pool is the mean of the cells inside each box, in one defined sum, from any layout of the maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import kernels

SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.sampled_from([None, *range(1, 9)])


def random_cells(seed, count, frames, height, width):
    rng = np.random.default_rng(seed)
    cells = np.empty((count, 5), np.int32)
    cells[:, 0] = rng.integers(0, frames, count)
    for low, high, size in ((1, 3, width), (2, 4, height)):
        cells[:, low] = rng.integers(0, size, count)
        cells[:, high] = cells[:, low] + 1 + rng.integers(0, size - cells[:, low])
    return cells


@given(
    seed=SEEDS,
    frames=st.integers(1, 3),
    channels=st.integers(0, 40),
    height=st.integers(1, 9),
    width=st.integers(1, 40),
    count=st.integers(0, 6),
    threads=THREADS,
)
def test_means_are_the_defined_sum(reference, wild, same_bits, seed, frames, channels, height, width, count, threads):
    features = wild(seed, (frames, channels, height, width))
    cells = random_cells(seed, count, frames, height, width)
    expected = reference.box_means(features, cells)
    assert same_bits(kernels.masked_pool(features, cells, threads), expected)
    channels_last = np.ascontiguousarray(features.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert same_bits(kernels.masked_pool(channels_last, cells, threads), expected)


@given(seed=SEEDS, threads=THREADS, dtype=st.sampled_from([np.float32, np.float16]))
@settings(max_examples=30)
def test_layout_and_storage_change_nothing(wild, layouts, same_bits, seed, threads, dtype):
    features, cells = wild(seed, (2, 5, 6, 20), spread=10).astype(dtype), random_cells(seed, 7, 2, 6, 20)
    expected = kernels.masked_pool(features.astype(np.float32), cells, 1)
    for name in layouts(features):
        got = kernels.masked_pool(layouts(features)[name], layouts(cells)[name], threads)
        assert same_bits(got, expected), name


@given(seed=SEEDS, lengths=st.lists(st.integers(1, 5), max_size=6), channels=st.integers(0, 40), threads=THREADS)
@settings(max_examples=40)
def test_a_track_is_the_mean_of_its_unit_vectors(reference, wild, same_bits, seed, lengths, channels, threads):
    offsets = np.cumsum([0, *lengths])
    features, cells = wild(seed, (2, channels, 6, 20), spread=3), random_cells(seed, int(offsets[-1]), 2, 6, 20)
    features[1, :, :3] = 0  # a box in it has no direction
    expected = reference.masked_pool_mean(features, cells, offsets)
    assert same_bits(kernels.masked_pool_mean(features, cells, offsets, threads), expected)


def test_a_track_without_frames_is_named():
    features, cells = np.ones((1, 2, 3, 4), np.float32), np.array([[0, 0, 0, 1, 1]], np.int32)
    with pytest.raises(ValueError, match="segment 1 runs from row 1 to 1"):
        kernels.masked_pool_mean(features, cells, np.array([0, 1, 1]))
    with pytest.raises(kernels.BoxOutsideError):
        kernels.masked_pool_mean(features, cells + np.int32(4), np.array([0, 1]))


def test_a_box_is_a_weighted_mean_over_the_map():
    rng = np.random.default_rng(5)
    features = rng.standard_normal((1, 300, 12, 20)).astype(np.float32)
    box = np.zeros((12, 20), np.float64)
    box[3:9, 2:19] = 1
    equation_6 = (features[0] * box).sum((1, 2)) / box.sum()
    got = kernels.masked_pool(features, np.array([[0, 2, 3, 19, 9]], np.int32))
    np.testing.assert_allclose(got[0], equation_6, rtol=0, atol=1e-6)


def test_cells_outside_the_box_are_not_read():
    features = np.full((1, 2, 5, 6), np.nan, np.float32)
    features[0, :, 1:3, 2:5] = 4
    assert kernels.masked_pool(features, np.array([[0, 2, 1, 5, 3]], np.int32)).tolist() == [[4, 4]]


@pytest.mark.parametrize("box", [(0, 2, 0, 2, 3), (0, 1, 2, 4, 2), (0, 3, 0, 1, 3), (0, 3, 1, 4, 0)])
def test_an_empty_box_is_named(box):
    cells = np.array([[0, 0, 0, 1, 1], box, (0, 9, 9, 9, 9)], np.int32)
    with pytest.raises(kernels.EmptyBoxError, match=r"cells: row 1 .* holds no cell") as caught:
        kernels.masked_pool(np.zeros((1, 3, 5, 6), np.float32), cells)
    assert caught.value.row == 1


@pytest.mark.parametrize(
    "box",
    [
        (-1, 0, 0, 1, 1),
        (2, 0, 0, 1, 1),
        (0, -1, 0, 1, 1),
        (0, 0, -1, 1, 1),
        (0, 0, 0, 7, 1),
        (0, 0, 0, 1, 6),
        (0, 0, 0, 2**31 - 1, 1),
        (0, -(2**31), 0, 2**31 - 1, 1),
    ],
)
def test_a_box_outside_the_map_is_named(box):
    cells = np.array([[1, 0, 0, 6, 5], [0, 5, 4, 6, 5], box], np.int32)
    with pytest.raises(
        kernels.BoxOutsideError, match=r"cells: row 2 .* leaves the 2 maps of height 5 and width 6"
    ) as caught:
        kernels.masked_pool(np.zeros((2, 3, 5, 6), np.float32), cells)
    assert caught.value.row == 2
    assert issubclass(kernels.BoxOutsideError, ValueError)


@pytest.mark.parametrize(
    ("features", "cells", "error", "message"),
    [
        (np.ones((1, 2, 3, 4)), np.ones((1, 5), np.int32), TypeError, "features: float64, wanted float32"),
        (np.ones((2, 3, 4), np.float32), np.ones((1, 5), np.int32), ValueError, r"wanted 4 dimensions \[F, C, H, W\]"),
        (np.ones((1, 2, 3, 4), np.float32), np.ones((1, 5)), TypeError, "cells: float64, wanted int32"),
        (
            np.ones((1, 2, 3, 4), np.float32),
            np.ones(5, np.int32),
            ValueError,
            r"cells: shape \[5\], wanted 2 dimensions",
        ),
        (np.ones((1, 2, 3, 4), np.float32), np.ones((1, 4), np.int32), ValueError, r"wanted \[N, 5\] \(frame, x0"),
    ],
)
def test_arguments_are_refused_by_name(features, cells, error, message):
    with pytest.raises(error, match=message):
        kernels.masked_pool(features, cells)

"""segment_mean is the mean of each run of rows, added in their order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import kernels

SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.sampled_from([None, *range(1, 9)])
LENGTHS = st.lists(st.one_of(st.integers(1, 5), st.just(130)), max_size=10)


@given(seed=SEEDS, lengths=LENGTHS, d=st.integers(0, 70), threads=THREADS)
def test_means_add_rows_in_order(reference, wild, same_bits, seed, lengths, d, threads):
    offsets = np.cumsum([0, *lengths])
    rows = wild(seed, (int(offsets[-1]), d))
    assert same_bits(kernels.segment_mean(rows, offsets, threads), reference.segment_mean(rows, offsets))


@given(seed=SEEDS, lengths=LENGTHS, threads=THREADS)
@settings(max_examples=30)
def test_layout_changes_nothing(wild, layouts, same_bits, seed, lengths, threads):
    offsets = np.cumsum([0, *lengths])
    rows = wild(seed, (int(offsets[-1]), 19))
    expected = kernels.segment_mean(rows, offsets, 1)
    for name in layouts(rows):
        assert same_bits(kernels.segment_mean(layouts(rows)[name], layouts(offsets)[name], threads), expected), name


def test_one_row_is_its_own_mean(wild, same_bits):
    rows = wild(1, (50, 33)) + np.float32(0)
    assert same_bits(kernels.segment_mean(rows, np.arange(51)), rows)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([0, 2, 2, 4], "segment 1 runs from row 2 to 2; every segment needs at least one row"),
        ([0, 3, 1, 4], "segment 1 runs from row 3 to 1"),
        ([0, 9, 4], "segment 1 runs from row 9 to 4"),
        ([1, 4], "must start at 0 and end at the number of rows, 4"),
        ([0, 3], "must start at 0 and end at the number of rows, 4"),
        ([], "must start at 0"),
    ],
)
def test_offsets_must_rise_over_all_the_rows(offsets, message):
    with pytest.raises(ValueError, match=message):
        kernels.segment_mean(np.zeros((4, 2), np.float32), np.array(offsets, np.int64))


@pytest.mark.parametrize(
    ("rows", "offsets", "error", "message"),
    [
        (np.zeros((4, 2)), np.array([0, 4]), TypeError, "rows: float64, wanted float32"),
        (np.zeros(4, np.float32), np.array([0, 4]), ValueError, r"rows: shape \[4\], wanted 2 dimensions \[R, D\]"),
        (np.zeros((4, 2), np.float32), np.array([0, 4], np.int32), TypeError, "offsets: int32, wanted int64"),
        (np.zeros((4, 2), np.float32), np.array([[0, 4]]), ValueError, r"offsets: .* wanted 1 dimension \[S \+ 1\]"),
    ],
)
def test_arguments_are_refused_by_name(rows, offsets, error, message):
    with pytest.raises(error, match=message):
        kernels.segment_mean(rows, offsets)

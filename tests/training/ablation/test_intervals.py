"""Intervals are those of Student's tables, and cover the mean as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nlvr.training.ablation.intervals import Interval, student_t


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (9, 2.2622), (10, 2.2281), (29, 2.0452)],
)
def test_the_quantiles_are_those_of_the_tables(freedom, quantile):
    assert student_t(freedom) == pytest.approx(quantile, abs=5e-5)


def test_many_degrees_of_freedom_are_the_normal_distribution_s():
    assert student_t(100_000) == pytest.approx(1.95996, abs=1e-4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_nineteen_intervals_of_twenty_hold_the_mean(count):
    values = np.random.default_rng(0).normal(2.0, 0.5, (4000, count))
    found = [Interval.of(own) for own in values.tolist()]
    assert np.mean([abs(one.mean - 2.0) <= one.half for one in found]) == pytest.approx(0.95, abs=0.01)


def test_one_value_leaves_everything_open():
    one = Interval.of([0.25])
    assert (one.mean, one.half) == (0.25, math.inf)
    assert one.overlaps(Interval(99.0, 0.0))


def test_intervals_overlap_where_they_touch():
    assert Interval(0.25, 0.125).overlaps(Interval(0.5, 0.125))
    assert not Interval(0.25, 0.125).overlaps(Interval(0.5, 0.0625))

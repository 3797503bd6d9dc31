"""Batches ahead of their use: in order, no more than a few, errors where they belong, nothing left running."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.training.data import ahead, batch_ends


def test_steps_come_in_order_and_a_few_ahead():
    loaded = []

    def load(step):
        loaded.append(step)
        return step * step

    batches = ahead(load, range(3, 30))
    assert next(batches) == 9
    assert len(loaded) <= 3
    assert list(batches) == [step * step for step in range(4, 30)]
    assert loaded == list(range(3, 30))


def test_an_error_comes_at_its_step():
    batches = ahead(lambda step: 1 // (2 - step), range(5))
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(batches)


def test_a_closed_generator_leaves_no_thread():
    before = threading.active_count()
    batches = ahead(lambda step: step, range(100))
    next(batches)
    batches.close()
    assert threading.active_count() == before


@given(st.integers(1, 200), st.integers(1, 40))
def test_batches_hold_every_sample_once_and_none_is_alone(count, batch):
    ends = batch_ends(count, batch)
    sizes = np.diff([0, *ends])
    assert ends[-1] == count
    assert (sizes[:-1] == batch).all()
    assert 0 < sizes[-1] <= batch + 1
    if min(count, batch) > 1:
        assert sizes[-1] > 1

"""Batches ahead of their use: in order, no more than a few, errors where they belong, nothing left running."""

from __future__ import annotations

import threading

import pytest

from nlvr.training.data import ahead


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

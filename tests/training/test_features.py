from __future__ import annotations

import numpy as np
import pytest

from nlvr.engine.errors import OutputError
from nlvr.training import features
from nlvr.training.features import FeatureFile


def test_arrays_come_back_to_half_a_level():
    values = np.random.default_rng(0).normal(3, 5, (6, 4, 3, 3)).astype(np.float32)
    kept = FeatureFile(6, values.shape[1:])
    for row, array in enumerate(values):
        kept[row] = array
    order = np.array([4, 0, 5])
    found = kept[order]
    assert (found.dtype, found.shape) == (np.float32, (3, 4, 3, 3))
    spans = np.ptp(values[order], axis=(2, 3))
    assert (np.abs(found - values[order]).max(axis=(2, 3)) <= spans / 510 * 1.001).all()


def test_an_array_of_one_value_comes_back_exactly():
    kept = FeatureFile(1, (2, 2))
    kept[0] = np.full((2, 2), 7.5, np.float32)
    np.testing.assert_array_equal(kept[np.array([0])], np.full((1, 2, 2), 7.5))


def test_no_room_is_said_before_anything_is_kept(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(features.os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="No space left on device"):
        FeatureFile(10, (2, 2))

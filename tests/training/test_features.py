from __future__ import annotations

import numpy as np
import pytest

from nlvr.engine.errors import OutputError
from nlvr.training import features
from nlvr.training.features import FeatureFile


def test_arrays_come_back_to_half_a_level_however_often_the_file_has_grown(monkeypatch):
    monkeypatch.setattr(features, "_MORE", 4)
    values = np.random.default_rng(0).normal(3, 5, (11, 4, 3, 3)).astype(np.float32)
    kept = FeatureFile(values.shape[1:])
    for array in values:
        kept.append(array)
    assert len(kept) == 11
    order = np.array([4, 0, 10, 5])
    found = kept[order]
    assert (found.dtype, found.shape) == (np.float32, (4, 4, 3, 3))
    spans = np.ptp(values[order], axis=(2, 3))
    assert (np.abs(found - values[order]).max(axis=(2, 3)) <= spans / 510 * 1.001).all()
    np.testing.assert_array_equal(kept.first(3, order), found[:, :3])


def test_an_array_of_one_value_comes_back_exactly():
    kept = FeatureFile((2, 2))
    kept.append(np.full((2, 2), 7.5, np.float32))
    np.testing.assert_array_equal(kept[np.array([0])], np.full((1, 2, 2), 7.5))


def test_no_room_is_said_before_anything_is_kept(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    kept = FeatureFile((2, 2))
    monkeypatch.setattr(features.os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="No space left on device"):
        kept.append(np.zeros((2, 2)))

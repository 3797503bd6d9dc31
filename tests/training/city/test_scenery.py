"""Scenery: things stand on the ground at their place, within their height."""

from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city.scenery import lamp_heads, stand
from nlvr.training.city.world import Building, Layout, Prop


def place(buildings=(), props=()):
    return Layout("intersection", (), (), tuple(buildings), tuple(props), np.zeros((0, 3)), (), np.zeros(2))


@pytest.mark.parametrize("kind", ["tree", "lamp", "signal", "sign", "pole", "bush"])
def test_a_prop_stands_where_it_is_put(kind):
    for look in range(12):
        (thing,) = stand(place(props=[Prop(kind, 30.0, -20.0, 1.0, 6.0 if kind != "bush" else 1.2, look)]))
        points = np.concatenate([c.reshape(-1, 3) for part in (thing.solid, thing.leaves) for c in part.corners])
        assert points[:, 2].min() > -0.6
        assert 0.5 <= points[:, 2].max() <= 8.0
        assert np.abs(points[:, :2] - (30, -20)).max() < 9
        if kind not in {"bush"}:
            assert points[:, 2].min() == pytest.approx(0.0, abs=0.05)


def test_a_building_fills_its_footprint():
    for look in range(20):
        high = 3.5 + look
        (thing,) = stand(place([Building(5.0, 6.0, 20.0, 12.0, 0.0, high, look)]))
        points = np.concatenate([c.reshape(-1, 3) for c in thing.solid.corners])
        assert np.allclose(points[:, :2].min(axis=0), (-5, 0), atol=0.5)
        assert np.allclose(points[:, :2].max(axis=0), (15, 12), atol=0.5)
        assert high <= points[:, 2].max() < high + 6
        assert thing.trim.corners


def test_lamps_shine_from_their_heads():
    heads = lamp_heads(place(props=[Prop("lamp", 1.0, 2.0, 0.0, 8.0, 3), Prop("pole", 9.0, 9.0, 0.0, 8.0, 4)]))
    assert heads.shape == (1, 6)
    assert heads[0, 0] > 2
    assert heads[0, 1] == pytest.approx(2.0)
    assert 7 < heads[0, 2] < 8
    assert (heads[0, 3:] > 0).all()

"""Vehicles: every kind closed, standing on the ground, within its size, the same for the same look."""

from __future__ import annotations

import numpy as np
import pytest

from nlvr.engine.language import COLOURS, TYPES
from nlvr.training.city.meshes import KINDS
from nlvr.training.city.vehicles import mesh, outline
from nlvr.training.city.world import Vehicle

LOOKS = (1, 22, 333, 4444, 55555)


@pytest.fixture(scope="module")
def fleet():
    return [(v, mesh(v)) for v in (Vehicle(0, kind, "red", look) for kind in TYPES for look in LOOKS)]


def test_a_vehicle_fills_its_size(fleet):
    for vehicle, form in fleet:
        low, high = form.vertices.min(axis=0), form.vertices.max(axis=0)
        length, width, height = vehicle.size
        assert abs(low[2]) < 0.02, vehicle
        assert np.allclose([-low[0], high[0]], length / 2, rtol=0.05), vehicle
        assert 0.95 * width <= high[1] - low[1] <= 1.28 * width, vehicle  # mirrors stand out
        assert 0.94 * height <= high[2] <= 1.3 * height, vehicle  # loads and racks too


def test_a_mesh_is_well_formed(fleet):
    for vehicle, form in fleet:
        count = len(form.vertices)
        assert form.triangles.min() == 0
        assert form.triangles.max() == count - 1, vehicle
        assert form.normals.shape == form.colours.shape == (count, 3)
        assert np.allclose(np.linalg.norm(form.normals, axis=1), 1, atol=1e-3), vehicle
        assert form.colours.min() >= 0
        assert form.colours.max() <= 1
        assert 300 < len(form.triangles) < 3200, vehicle


def test_every_vehicle_has_paint_glass_tyres_and_lamps(fleet):
    needed = {"paint", "glass", "tyre", "lamp-front", "lamp-rear", "signal-left", "signal-right"}
    for vehicle, form in fleet:
        assert needed <= {KINDS[k] for k in np.unique(form.kinds)}, vehicle


def test_lamps_and_indicators_are_where_they_belong(fleet):
    for vehicle, form in fleet:
        x, y = form.vertices[:, 0], form.vertices[:, 1]
        assert (x[form.kinds == KINDS.index("lamp-front")] > 0.2 * vehicle.size[0]).all(), vehicle
        assert (x[form.kinds == KINDS.index("lamp-rear")] < -0.3 * vehicle.size[0]).all(), vehicle
        assert (y[form.kinds == KINDS.index("signal-left")] > 0).all(), vehicle
        assert (y[form.kinds == KINDS.index("signal-right")] < 0).all(), vehicle


def test_most_triangles_face_outward(fleet):
    for vehicle, form in fleet:
        a, b, c = (form.vertices[form.triangles[:, k]].astype(float) for k in range(3))
        assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0, vehicle


def test_the_outline_holds_the_body(fleet):
    rng = np.random.default_rng(0)
    ways = rng.normal(size=(200, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    for vehicle, form in fleet:
        points = outline(vehicle)
        assert points.dtype == np.float32
        assert len(points) <= 40
        beyond = (form.vertices @ ways.T).max(axis=0) - (points @ ways.T).max(axis=0)
        assert beyond.max() < 0.06, vehicle


def test_the_same_look_gives_the_same_mesh_and_another_another():
    for kind in TYPES:
        first, again, other = (mesh(Vehicle(n, kind, "blue", look)) for n, look in ((0, 7), (1, 7), (0, 8)))
        for name in ("vertices", "normals", "colours", "kinds", "triangles"):
            assert np.array_equal(getattr(first, name), getattr(again, name)), kind
        assert first.vertices.shape != other.vertices.shape or not np.allclose(first.vertices, other.vertices)


def test_most_of_the_paint_has_the_colour():
    for colour in COLOURS:
        for kind in ("sedan", "bus", "cargo"):
            form = mesh(Vehicle(0, kind, colour, 3))
            painted = form.colours[form.triangles[:, 0]]
            area = np.linalg.norm(
                np.cross(*(form.vertices[form.triangles[:, k]] - form.vertices[form.triangles[:, 0]] for k in (1, 2))),
                axis=1,
            )
            is_paint = form.kinds[form.triangles[:, 0]] == KINDS.index("paint")
            shades, place = np.unique(painted[is_paint].round(3), axis=0, return_inverse=True)
            shares = np.bincount(place.ravel(), area[is_paint], len(shades))
            assert shares.max() > 0.5 * shares.sum(), (kind, colour)

"""Frames: the same for the same moment, vehicles where they are projected, light that shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nlvr.training.city.vehicles import outline
from nlvr.training.city.world import Building, Camera, Lane, Layout, Light, Prop, Recording, Surface, Vehicle

pytest.importorskip("panda3d")

from nlvr.training.city.render import Moment, Renderer, vehicle_crop

NOON, NIGHT = Light("noon", 2.0, 0.9, 0.0), Light("night", 0.0, -0.2, 0.0)
LIGHTS = [
    NOON,
    Light("dusk", 0.5, 0.15, 0.0),
    Light("overcast", 0.0, 0.8, 0.0),
    NIGHT,
    Light("overcast", 0.0, 0.8, 0.9),
]
CAMERA = Camera("c001", -25.0, -8.0, 8.0, 0.3, 0.32, 420.0, 480, 270, noise=1.0)
CAR, BUS = Vehicle(1, "sedan", "red", 11), Vehicle(2, "bus", "white", 12)
MOMENT = Moment(
    4,
    [(CAR, 0.0, 0.0, 0.2, True, 1, 9.0), (BUS, 12.0, 6.0, 3.1, False, 0, 0.0), (CAR, 500.0, 0.0, 0.0, False, 0, 5.0)],
    [(5, -4.0, 3.0, 1.0, 0.3)],
)


def layout():
    def square(x0, y0, x1, y1):
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)

    surfaces = (
        Surface(square(-200, -200, 200, 200), "grass", 0),
        Surface(square(-200, -8, 200, 10), "asphalt", 4),
        Surface(square(-20, 0.9, 40, 1.1), "paint-white", 7),
    )
    lanes = tuple(
        Lane(np.column_stack([np.arange(-100.0, 101.0), np.full(201, y)]), 3.5, 14.0, "through") for y in (0, 36)
    )
    props = (Prop("tree", 10.0, 16.0, 0.0, 7.0, 1), Prop("lamp", 4.0, 12.0, -1.5, 8.0, 2))
    houses = (Building(30.0, 30.0, 20.0, 14.0, 0.1, 12.0, 3),)
    return Layout("highway", lanes, surfaces, houses, props, np.zeros((0, 3)), (), np.zeros(2))


def recording(light=NOON, seed=3):
    return Recording("S01", layout(), (), (), light, (CAMERA,), 100, seed)


def draw(moments, light=NOON, seed=3, camera=CAMERA):
    renderer = Renderer(recording(light, seed), camera)
    try:
        return [renderer.draw(moment) for moment in moments]
    finally:
        renderer.close()


def box(vehicle, x, y, heading):
    points = outline(vehicle).astype(float)
    c, s = np.cos(heading), np.sin(heading)
    seen = CAMERA.project(points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + (x, y, 0))
    return seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)


@pytest.mark.parametrize("light", LIGHTS, ids=lambda light: f"{light.kind}-{light.rain}")
def test_frames_are_the_same_whatever_came_before(light):
    others = [Moment(tick, [(CAR, tick * 2.0, 0.0, 0.2, False, 0, 9.0)]) for tick in range(3)]
    (alone,) = draw([MOMENT], light)
    after = draw([*others, MOMENT], light)[-1]
    assert alone.shape == (270, 480, 3)
    assert alone.dtype == np.uint8
    assert np.array_equal(alone, after)


def test_another_seed_gives_another_look():
    (first,), (second,) = draw([MOMENT], seed=3), draw([MOMENT], seed=4)
    assert np.abs(first.astype(int) - second).mean() > 3


def test_a_vehicle_shows_within_its_box():
    camera = replace(CAMERA, noise=0.0)
    still = [(CAR, 0.0, 0.0, 0.2, False, 0, 0.0)]
    empty, full = draw([Moment(1), Moment(1, still)], Light("overcast", 0.0, 0.8, 0.0), camera=camera)
    changed = np.abs(empty.astype(int) - full).max(axis=2)
    low, high = box(CAR, 0.0, 0.0, 0.2)
    rows, columns = np.nonzero(changed > 45)
    assert abs(columns.min() - low[0]) < 4
    assert abs(columns.max() - high[0]) < 4
    assert abs(rows.min() - low[1]) < 4
    red = full[rows, columns].astype(int)
    assert (red[:, 0] - red[:, 2] > 25).mean() > 0.25


def test_a_vehicle_behind_a_house_is_hidden():
    behind = (CAR, 49.0, 36.0, 0.0, False, 0, 0.0)
    empty, full = draw([Moment(1), Moment(1, [behind])])
    assert np.abs(empty.astype(int) - full).max() <= 1


def test_nights_are_dark_and_head_lamps_bright():
    toward = Moment(1, [(CAR, 0.0, 0.0, 3.3, False, 0, 0.0)])
    (day,), (night_empty, night) = draw([toward]), draw([Moment(1), toward], NIGHT)
    assert night.mean() < 0.8 * day.mean()  # cameras open, and not far enough
    low, high = (corner.astype(int) for corner in box(CAR, 0.0, 0.0, 3.3))
    inside = (slice(low[1], high[1]), slice(low[0], high[0]))
    assert night[inside].max() > 230
    assert night_empty[inside].max() < 200


@pytest.mark.parametrize("light", LIGHTS[:1] + LIGHTS[3:], ids=lambda light: f"{light.kind}-{light.rain}")
def test_a_vehicle_under_the_camera_does_no_harm(light):
    under = [(BUS, CAMERA.x + d, CAMERA.y, 0.0, True, -1, 10.0) for d in (-12.0, 0.0, 6.0)]
    (frame,) = draw([Moment(0, under)], light)
    assert frame.std() > 5


def test_crops_show_the_vehicle_large():
    for kind in ("coupe", "cargo"):
        crop = vehicle_crop(
            Vehicle(0, kind, "yellow", 5), NOON, size=(150, 110), azimuth=2.4, pitch=0.35, distance=20.0, seed=1
        )
        assert crop.shape == (110, 150, 3)
        middle = crop[30:80, 40:110].astype(int)
        assert (middle[..., 0] - middle[..., 2] > 50).mean() > 0.3

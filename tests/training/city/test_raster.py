"""The software renderer sees what the camera says."""

from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city.world import Camera

pytest.importorskip("panda3d")

from nlvr.training.city.raster import Raster

CAMERA = Camera("c", 3.0, -10.0, 8.0, 1.4, 0.35, 420.0, 480, 270)
SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def marker(point, pixels=4.0):
    """A square that faces the camera, so many pixels wide about a point."""
    right, down, _ = CAMERA.axes
    half = pixels / 2 * CAMERA.project(point)[2] / CAMERA.focal
    return np.array([point + half * (a * right + b * down) for a, b in ((-1, 1), (1, 1), (1, -1), (-1, -1))])


@pytest.fixture(scope="module", params=[1, 2])
def raster(request):
    made = Raster(CAMERA, request.param)
    yield made
    made.close()


def test_points_are_drawn_where_the_camera_projects_them(raster):
    rng = np.random.default_rng(0)
    scale, found = raster.shape[1] / CAMERA.width, 0
    for point in rng.uniform([-12, 5, 0], [18, 60, 6], (60, 3)):
        column, row, depth = CAMERA.project(point)
        if not (6 < column < CAMERA.width - 6 and 6 < row < CAMERA.height - 6 and depth > 1):
            continue
        image = raster.draw(marker(point), np.full((4, 4), 255, np.uint8), SQUARE)
        rows, columns = np.nonzero(image[..., 3])
        assert abs((columns.mean() + 0.5) / scale - column) < 1
        assert abs((rows.mean() + 0.5) / scale - row) < 1
        found += 1
    assert found > 20


def test_colours_come_back_as_they_were_given(raster):
    point = np.array([2.0, 15.0, 1.0])
    image = raster.draw(marker(point, 12), np.tile(np.array([200, 100, 50, 255], np.uint8), (4, 1)), SQUARE)
    column, row = (CAMERA.project(point)[:2] * raster.shape[1] / CAMERA.width).astype(int)
    assert np.abs(image[row, column].astype(int) - (50, 100, 200, 255)).max() <= 2


def test_what_is_behind_something_is_not_seen(raster):
    near, far = np.array([2.0, 12.0, 1.0]), np.array([2.0, 12.0, 1.0]) + 8 * CAMERA.axes[2]
    white = np.full((4, 4), 255, np.uint8)
    raster.hide_behind(marker(near, 60), SQUARE)
    assert not raster.draw(marker(far, 4), white, SQUARE).any()
    raster.hide_behind(marker(far, 60), SQUARE)
    assert raster.draw(marker(near, 4), white, SQUARE).any()
    raster.hide_behind(np.zeros((0, 3)), np.zeros((0, 3), int))


def test_only_what_may_hide_something_is_drawn_and_the_picture_is_that_of_all(raster, monkeypatch):
    rng = np.random.default_rng(4)
    eye = np.array([CAMERA.x, CAMERA.y, CAMERA.z])
    away = np.concatenate([rng.uniform(1, 40, 300), rng.uniform(-8, 1, 20)])  # some reach behind the camera
    middles = eye + away[:, None] * CAMERA.axes[2] + rng.normal(0, 6, (320, 3))
    corners = (middles[:, None] + rng.normal(0, 0.6, (320, 3, 3))).astype(np.float32)
    raster.hide_behind(corners.reshape(-1, 3), np.arange(960).reshape(-1, 3))
    things = [marker(eye + d * CAMERA.axes[2] + rng.normal(0, d / 5, 3), 60) for d in (6.0, 15.0, 30.0)]
    vertices, starts = np.concatenate(things), np.array([0, 4, 8])
    triangles = np.concatenate([SQUARE + start for start in starts])
    colours = np.full((12, 4), 255, np.uint8)
    kept = raster._hiders.before(vertices, starts)
    assert 0 < len(kept) < 320
    some = raster.draw(vertices, colours, triangles, starts=starts, two_sided=True).copy()
    monkeypatch.setattr(raster._hiders, "before", lambda *_: corners)
    assert np.array_equal(some, raster.draw(vertices, colours, triangles, starts=starts, two_sided=True))
    raster.hide_behind(np.zeros((0, 3)), np.zeros((0, 3), int))
    alone = raster.draw(vertices, colours, triangles, starts=starts, two_sided=True)
    assert 0 < np.count_nonzero(some[..., 3]) < np.count_nonzero(alone[..., 3])


def test_buffers_are_used_again():
    from panda3d.core import GraphicsEngine

    Raster(CAMERA).close()
    before = GraphicsEngine.get_global_ptr().get_num_windows()
    for _ in range(5):
        made = Raster(CAMERA)
        made.draw(marker(np.array([2.0, 15.0, 1.0])), np.full((4, 4), 255, np.uint8), SQUARE)
        made.close()
        made.close()
    assert GraphicsEngine.get_global_ptr().get_num_windows() == before


def test_two_rasters_at_once_keep_apart():
    first, second = Raster(CAMERA), Raster(CAMERA)
    point, white = np.array([2.0, 15.0, 1.0]), np.full((4, 4), 255, np.uint8)
    seen = first.draw(marker(point), white, SQUARE)
    second.draw(np.zeros((0, 3)), np.zeros((0, 4), np.uint8), np.zeros((0, 3), int))
    assert seen.any()
    assert not second.draw(np.zeros((0, 3)), np.zeros((0, 4), np.uint8), np.zeros((0, 3), int)).any()
    first.close()
    second.close()

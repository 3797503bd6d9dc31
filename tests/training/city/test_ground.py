"""The ground: where pixels meet it, polygons on it, noise without seams."""

from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city import ground
from nlvr.training.city.world import Camera

CAMERA = Camera("c", 3.0, -4.0, 8.0, 1.2, 0.4, 300.0, 320, 240)


def test_rays_meet_the_ground_where_points_are_seen():
    view = ground.look_down(CAMERA)
    rows, columns = np.nonzero(view.sees)
    points = np.column_stack([view.x[rows, columns], view.y[rows, columns], np.zeros(len(rows))]).astype(float)
    seen = CAMERA.project(points)
    near = view.distance[rows, columns] < 100
    assert near.sum() > 10_000
    assert np.allclose(seen[near, 0], columns[near] + 0.5, atol=0.05)
    assert np.allclose(seen[near, 1], rows[near] + 0.5, atol=0.05)


def test_a_square_covers_its_share():
    ahead = np.array([np.cos(CAMERA.azimuth), np.sin(CAMERA.azimuth)])
    middle = np.array([CAMERA.x, CAMERA.y]) + 18 * ahead
    square = middle + 4 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    mask = ground.cover(CAMERA, [square])
    seen = CAMERA.project(np.column_stack([square, np.zeros(4)]))[:, :2]
    x, y = seen[:, 0], seen[:, 1]
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    assert mask.sum() == pytest.approx(area, rel=0.03)


def test_a_polygon_that_reaches_behind_the_camera_is_cut_off():
    wide = 5000.0 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    view = ground.look_down(CAMERA)
    mask = ground.cover(CAMERA, [wide])
    assert np.abs(mask - view.sees).mean() < 0.02
    ahead = np.array([np.cos(CAMERA.azimuth), np.sin(CAMERA.azimuth)])
    behind = np.array([CAMERA.x, CAMERA.y]) - 20 * ahead + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    assert len(ground.flat(CAMERA, behind)) == 0


def test_noise_repeats_without_a_seam():
    tile = ground.noise_tile(3)
    assert abs(tile.mean()) < 1e-3
    assert abs(tile.std() - 1) < 1e-3
    step = np.abs(np.diff(tile, axis=0)).mean()
    assert np.abs(tile[0] - tile[-1]).mean() < 1.3 * step

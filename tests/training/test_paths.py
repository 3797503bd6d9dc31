"""Paths as training changes them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine import preprocess
from nlvr.engine.preprocess import Recipe
from nlvr.training.paths import Path

RECIPE = Recipe(max_points=32)
SIZE = (640, 360)
BOXES = np.column_stack([np.arange(0, 400, 10), np.arange(40)[::-1] * 5.0, np.full(40, 30.0), np.full(40, 20.0)])


def test_a_path_that_nothing_changes_is_the_engines():
    points, length = Path().points(BOXES, *SIZE, RECIPE, mirrored=False)
    wanted, count = preprocess.points(BOXES, *SIZE, RECIPE)
    assert length == count
    np.testing.assert_allclose(points, wanted, atol=1e-7)
    assert Path.draw(0.0, 32, np.random.default_rng(0)) == Path()


def test_a_mirrored_path_runs_the_other_way():
    points, length = Path().points(BOXES, *SIZE, RECIPE, mirrored=False)
    mirrored, _ = Path().points(BOXES, *SIZE, RECIPE, mirrored=True)
    # Its points are the boxes' left upper corners.
    np.testing.assert_allclose(mirrored[:length, 0], 1 - points[:length, 0] - 30 / SIZE[0], atol=1e-6)
    np.testing.assert_array_equal(mirrored[:, 1], points[:, 1])


@given(
    boxes=st.integers(1, 40),
    start=st.floats(0, 1),
    end=st.floats(0, 1),
    count=st.integers(0, 32),
)
def test_some_of_a_path_is_left_whatever_is_cut_off(boxes, start, end, count):
    points, length = Path(start, end, count).points(BOXES[:boxes], *SIZE, RECIPE, mirrored=False)
    assert np.isfinite(points).all()
    if count:
        assert length == count
    else:
        assert min(2, boxes) <= length <= min(boxes, 32)
    whole, of = Path().points(BOXES[:boxes], *SIZE, RECIPE, mirrored=False)
    low, high = whole[:of].min(axis=0) - 1e-6, whole[:of].max(axis=0) + 1e-6
    assert ((points[:length] >= low) & (points[:length] <= high)).all()


def test_ends_are_cut_and_the_rest_is_sampled_between_boxes_stretched_and_moved():
    points, length = Path(0.25, 0.5, 11).points(BOXES, *SIZE, RECIPE, mirrored=False)
    left = BOXES[10:20, 0]
    assert length == 11
    np.testing.assert_allclose(points[:11, 0], np.linspace(left[0], left[-1], 11) / SIZE[0], atol=1e-6)
    changed, _ = Path(0.25, 0.5, 11, (2.0, 0.5), (0.1, -0.2)).points(BOXES, *SIZE, RECIPE, mirrored=False)
    np.testing.assert_allclose(changed[:11], (points[:11] - 0.5) * (2.0, 0.5) + 0.5 + (0.1, -0.2), atol=1e-6)


def test_a_drawn_path_stays_within_its_strength_and_fits_the_points():
    generator = np.random.default_rng(0)
    drawn = [Path.draw(0.1, 32, generator) for _ in range(500)]
    assert all(0 <= path.start <= 0.1 and 0 <= path.end <= 0.1 and 6 <= path.count <= 32 for path in drawn)
    assert 0.08 < np.std([path.move for path in drawn]) < 0.12
    assert 0.08 < np.std(np.log([path.stretch for path in drawn])) < 0.12
    assert {path.count for path in drawn} >= {6, 10, 20, 31}
    assert all(Path.draw(0.1, 6, generator).count == 0 for _ in range(9))

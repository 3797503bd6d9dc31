from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import geometry

LAW = settings(deadline=None, max_examples=200)
SIDES = st.integers(1, 4000)
WHOLE = st.tuples(st.integers(-5000, 5000), st.integers(-5000, 5000), st.integers(1, 9000), st.integers(1, 9000))
NUMBER = st.floats(-5000, 5000) | st.integers(-5000, 5000)
EXTENT = st.floats(1e-9, 1e8) | st.integers(1, 9000)
ANY = st.tuples(NUMBER, NUMBER, EXTENT, EXTENT)
FAR = st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))


def rows(*boxes):
    return np.array(boxes, np.float64).reshape(-1, 4)


@given(box=ANY | FAR, width=SIDES, height=SIDES)
@LAW
def test_clipping_is_the_intersection_with_the_image(box, width, height):
    (x, y, w, h) = geometry.clip_boxes(rows(box), width, height)[0]
    assert 0 <= x <= x + w
    assert 0 <= y <= y + h
    assert x + w <= width * (1 + 1e-12)
    assert y + h <= height * (1 + 1e-12)
    far = rows(box)[0, :2] + rows(box)[0, 2:]
    inside = (min(far[0], width) > max(box[0], 0)) and (min(far[1], height) > max(box[1], 0))
    assert (w > 0 and h > 0) == inside
    if inside:
        assert (x, y) == (max(box[0], 0), max(box[1], 0))
        assert (x + w, y + h) == pytest.approx((min(far[0], width), min(far[1], height)))


@given(box=WHOLE, width=SIDES, height=SIDES)
@LAW
def test_clipping_twice_is_clipping_once(box, width, height):
    once = geometry.clip_boxes(rows(box), width, height)
    assert np.array_equal(geometry.clip_boxes(once, width, height), once)


@given(box=WHOLE, width=SIDES, height=SIDES)
@LAW
def test_a_box_touches_the_edge_within_a_pixel(box, width, height):
    x, y, w, h = box
    expected = x < 1 or y < 1 or x + w > width - 1 or y + h > height - 1
    assert geometry.touches_edge(rows(box), width, height).tolist() == [expected]


def cells_by_formula(box, width, height, cells):
    """The formula in exact fractions."""
    low, high = [], []
    for near, extent, side in ((box[0], box[2], width), (box[1], box[3], height)):
        begin, end = (min(max(value, 0), side) for value in (near, near + extent))
        start = min(cells - 1, floor(Fraction(begin * cells, side)))
        low.append(start)
        high.append(min(cells, max(start + 1, ceil(Fraction(end * cells, side)))))
    return [*low, *high]


@given(box=WHOLE, width=SIDES, height=SIDES, cells=st.integers(1, 100))
@LAW
def test_cells_follow_the_formula_exactly_for_boxes_of_whole_pixels(box, width, height, cells):
    assert geometry.box_cells(rows(box), width, height, cells)[0].tolist() == cells_by_formula(
        box, width, height, cells
    )


@pytest.mark.parametrize("cells", [7, 14, 25, 28, 49, 56])
def test_cells_follow_the_formula_at_every_pixel(cells):
    for side in (*range(1, 300, 3), 432, 768, 960, 1080, 1280, 1600, 1920, 2560):
        starts = np.arange(side)
        boxes = np.stack([starts, starts, np.ones(side), np.ones(side)], axis=1).astype(np.float64)
        expected = np.stack([starts * cells // side, -(-(starts + 1) * cells // side)], axis=1)
        assert np.array_equal(geometry.box_cells(boxes, side, side, cells)[:, [0, 2]], expected), side


@given(box=ANY | FAR, width=SIDES, height=SIDES, cells=st.integers(1, 100))
@LAW
def test_cells_are_never_empty_lie_inside_and_hold_the_centre(box, width, height, cells):
    x0, y0, x1, y1 = geometry.box_cells(rows(box), width, height, cells)[0].tolist()
    assert 0 <= x0 < x1 <= cells
    assert 0 <= y0 < y1 <= cells
    x, y, w, h = geometry.clip_boxes(rows(box), width, height)[0]
    if w > 0 and h > 0:
        rounding = 1e-9
        assert x0 - rounding <= (x + w / 2) * cells / width <= x1 + rounding
        assert y0 - rounding <= (y + h / 2) * cells / height <= y1 + rounding


def test_no_boxes_have_no_cells():
    assert geometry.box_cells(rows(), 10, 10, 7).shape == (0, 4)
    assert geometry.box_cells(rows((0, 0, 1, 1)), 10, 10, 7).dtype == np.int32


@given(box=ANY | FAR, width=SIDES, height=SIDES)
@LAW
def test_a_pixel_box_is_the_smallest_that_holds_the_part_inside(box, width, height):
    far = rows(box)[0, :2] + rows(box)[0, 2:]
    near = max(box[0], 0), max(box[1], 0)
    far = min(far[0], width), min(far[1], height)
    if far[0] <= near[0] or far[1] <= near[1]:
        with pytest.raises(ValueError, match="wholly outside"):
            geometry.pixel_box(rows(box)[0], width, height)
        return
    found = geometry.pixel_box(rows(box)[0], width, height)
    assert found == (floor(near[0]), floor(near[1]), ceil(far[0]), ceil(far[1]))
    x0, y0, x1, y1 = found
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height


@given(count=st.integers(1, 3000), wanted=st.integers(1, 3000) | st.just(10**9))
@LAW
def test_spread_positions_are_distinct_and_even(count, wanted):
    positions = geometry.spread(count, wanted)
    assert len(positions) == min(count, wanted)
    assert positions.min() >= 0
    assert positions.max() < count
    gaps = np.diff(positions)
    assert (gaps > 0).all()
    if len(positions) > 1:
        assert (positions[0], positions[-1]) == (0, count - 1)
        assert gaps.max() - gaps.min() <= 1
    elif wanted == 1:
        assert abs(positions[0] - (count - 1) / 2) <= 0.5


@given(count=st.integers(1, 300), most=st.integers(1, 200), width=SIDES, height=SIDES, seed=st.integers(0, 2**32))
@LAW
def test_a_trajectory_is_the_top_left_corners_as_shares_of_the_image(count, most, width, height, seed):
    boxes = np.random.default_rng(seed).uniform(-10, 4000, (count, 4))
    line = geometry.trajectory(boxes, width, height, most)
    assert line.dtype == np.float32
    assert line.shape == (min(count, most), 2)
    kept = range(count) if count <= most else geometry.spread(count, most)
    expected = [[boxes[row, 0] / width, boxes[row, 1] / height] for row in kept]
    assert np.array_equal(line, np.array(expected, np.float32))


@given(
    corner=st.tuples(st.integers(0, 23), st.integers(0, 23)),
    size=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    sides=st.sets(st.integers(1, 23)),
    halo=st.integers(0, 5),
)
@LAW
def test_a_window_is_the_smallest_that_holds_the_box_and_its_halo(corner, size, sides, halo):
    (x0, y0), (x1, y1) = corner, np.minimum(np.add(corner, size), 24)
    found = geometry.window(np.array([x0, y0, x1, y1], np.int32), [*sorted(sides), 24], halo)
    for places, near, far in zip(found, (y0, x0), (y1, x1), strict=True):
        assert places.dtype == np.int64
        assert np.array_equal(places, np.arange(near - halo, near - halo + len(places)))
        assert places[-1] >= far - 1 + halo
        side = len(places) - 2 * halo
        assert side in sides | {24}
        assert not any(far - near <= other < side for other in sides)


@given(
    corner=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    sides=st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    width=SIDES,
    height=SIDES,
    around=st.floats(1, 8),
)
@LAW
def test_surroundings_have_the_box_in_their_middle_as_far_as_the_image_goes(corner, sides, width, height, around):
    box = (floor(corner[0] * width), floor(corner[1] * height), *sides)
    ((x, y, w, h),) = geometry.clip_boxes(rows(box), width, height)
    x0, y0, x1, y1 = geometry.surroundings(rows(box)[0], width, height, around)
    for low, high, start, length, limit in ((x0, x1, x, w, width), (y0, y1, y, h, height)):
        assert 0 <= low <= start
        assert start + length <= high <= limit
        assert high - low == min(max(ceil(around * max(w, h)), length), limit)
        if low > 0 and high < limit:
            assert abs((low + high) - (2 * start + length)) <= 1
    assert geometry.surroundings(rows(box)[0], width, height, 0) == (0, 0, width, height)


@given(count=st.integers(1, 500), wanted=st.integers(1, 600))
@LAW
def test_middles_cut_a_track_into_equal_parts(count, wanted):
    places = geometry.middles(count, wanted)
    parts = min(count, wanted)
    assert places.tolist() == [floor(Fraction(2 * part + 1, 2 * parts) * count) for part in range(parts)]
    assert (np.diff(places) > 0).all()
    assert places[0] >= 0
    assert places[-1] < count

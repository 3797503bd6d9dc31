from __future__ import annotations

import itertools
from dataclasses import asdict
from math import ceil, floor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nlvr.engine import geometry, preprocess
from nlvr.engine.preprocess import Recipe

LAW = settings(deadline=None, max_examples=50)
SIZES = st.integers(1, 300)
RESIZES = st.sampled_from(["area", "bicubic"])


def noise(width, height, seed=0):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image.setflags(write=False)
    return image


def resized(image, size, kernel):
    if kernel == "area":
        return cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((size, size), Image.Resampling.BICUBIC))


def rows(*boxes):
    return np.array(boxes, np.float64).reshape(-1, 4)


# The recipe


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 0),
        ("size", -224),
        ("size", 224.0),
        ("size", "224"),
        ("size", True),
        ("size", None),
        ("max_points", 0),
        ("max_points", 12.5),
        ("resize", "bilinear"),
        ("resize", None),
        ("trajectory", "none"),
        ("trajectory", ["track"]),
        ("frames", "first"),
        ("frames", "0"),
        ("frames", 4),
        ("frames", None),
        ("around", 0.5),
        ("around", -1),
        ("around", float("inf")),
        ("around", float("nan")),
        ("around", True),
        ("around", "3"),
        ("line_width", -0.1),
        ("line_width", 1.5),
        ("line_width", float("nan")),
        ("line_width", "thin"),
        ("mean", (0.5, 0.5)),
        ("mean", (0.5, 0.5, "0.5")),
        ("mean", (123.7, 116.3, 103.5)),
        ("mean", (0.5, 0.5, float("nan"))),
        ("std", (0.5, 0.5, 0.0)),
        ("std", ()),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_by_field(field, value):
    with pytest.raises(ValueError, match=f"^{field} is .*, wanted "):
        Recipe(**{field: value})


def test_a_recipe_is_its_fields():
    recipe = Recipe(size=32, resize="bicubic", frames="4", trajectory="shown", line_width=0, max_points=1)
    assert Recipe(**asdict(recipe)) == recipe


# Resizing


@given(width=SIZES, height=SIZES, size=st.integers(1, 80), kernel=RESIZES, seed=st.integers(0, 99))
@LAW
def test_a_resize_is_that_of_its_library(width, height, size, kernel, seed):
    image = noise(width, height, seed)
    found = preprocess.resize(image, Recipe(size=size, resize=kernel))
    assert found.dtype == np.uint8
    assert np.array_equal(found, resized(image, size, kernel))


@pytest.mark.parametrize("kernel", ["area", "bicubic"])
def test_area_is_the_mean_and_a_flat_image_stays_flat(kernel):
    image = noise(64, 32)
    if kernel == "area":
        expected = image.reshape(8, 4, 8, 8, 3).mean(axis=(1, 3))
        assert np.abs(preprocess.resize(image, Recipe(size=8)) - expected).max() <= 0.5
    flat = np.full((37, 53, 3), (10, 200, 90), np.uint8)
    assert np.array_equal(
        preprocess.resize(flat, Recipe(size=24, resize=kernel)), np.full((24, 24, 3), (10, 200, 90), np.uint8)
    )


@pytest.mark.parametrize("kernel", ["area", "bicubic"])
def test_a_view_is_resized_like_its_copy(kernel):
    image, recipe = noise(90, 70), Recipe(size=16, resize=kernel)
    for view in (image[5:60, 7:80], image[::-1], image[:, ::-1], image[::2, 1::3], image[..., ::-1]):
        assert np.array_equal(preprocess.resize(view, recipe), preprocess.resize(view.copy(), recipe))


# The crop

BOXES = st.tuples(st.floats(-50, 99), st.floats(-50, 79), st.floats(0.01, 200), st.floats(0.01, 200))


@given(box=BOXES, kernel=RESIZES)
@LAW
def test_a_crop_is_every_pixel_the_box_touches(box, kernel):
    image, recipe = noise(100, 80), Recipe(size=16, resize=kernel)
    x, y, w, h = box
    if x + w <= 0 or y + h <= 0:
        with pytest.raises(ValueError, match="wholly outside"):
            preprocess.crop(image, np.array(box), recipe)
        return
    x0, y0, x1, y1 = floor(max(x, 0)), floor(max(y, 0)), ceil(min(x + w, 100)), ceil(min(y + h, 80))
    assert np.array_equal(preprocess.crop(image, np.array(box), recipe), resized(image[y0:y1, x0:x1], 16, kernel))


@pytest.mark.parametrize(
    ("box", "corner"),
    [
        ((0, 0, 1, 1), (0, 0)),
        ((99, 79, 1, 1), (99, 79)),
        ((-5, -5, 6, 6), (0, 0)),
        ((99.5, 79.5, 50, 50), (99, 79)),
        ((42.25, 17.5, 0.01, 0.01), (42, 17)),
        ((-1e9 + 1, 79, 1e9, 1), (0, 79)),
    ],
)
def test_a_box_of_one_pixel_is_that_pixel(box, corner):
    image = noise(100, 80)
    found = preprocess.crop(image, np.array(box, np.float64), Recipe(size=8))
    assert (found == image[corner[1], corner[0]]).all()


def test_a_box_of_the_whole_image_is_the_whole_image():
    image, recipe = noise(100, 80), Recipe(size=16)
    for box in ((0, 0, 100, 80), (-1e8, -1e8, 9e8, 9e8), (-0.5, -0.5, 101, 81)):
        assert np.array_equal(
            preprocess.crop(image, np.array(box, np.float64), recipe), preprocess.resize(image, recipe)
        )


# The background


def drawn_by_hand(image, corners, width):
    """Every pixel whose centre lies within half a width of the polyline, in green."""
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]]
    distance = np.full(image.shape[:2], np.inf)
    for (ax, ay), (bx, by) in itertools.pairwise(corners):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        along = np.clip(((xs - ax) * (bx - ax) + (ys - ay) * (by - ay)) / max(length, 1e-12), 0, 1)
        distance = np.minimum(distance, np.hypot(xs - ax - along * (bx - ax), ys - ay - along * (by - ay)))
    return distance


POINT = st.tuples(st.integers(-40, 240), st.integers(-40, 240))


@given(corners=st.lists(POINT, min_size=2, max_size=5), shown=st.integers(0, 4))
@LAW
def test_the_background_is_the_frame_with_a_green_line_through_the_corners(corners, shown):
    image = np.full((200, 200, 3), (90, 10, 160), np.uint8)
    image.setflags(write=False)
    boxes = rows(*[(x, y, 7, 9) for x, y in corners])
    recipe = Recipe(size=200, line_width=0.02)
    found = preprocess.background(image, boxes, min(shown, len(corners) - 1), recipe)
    distance = drawn_by_hand(image, corners, 4)
    assert (found[distance < 1] == preprocess.GREEN).all()
    assert np.array_equal(found[distance > 5], image[distance > 5])


@pytest.mark.parametrize(
    "corners",
    [
        [(-1e8, 100), (100, 100)],
        [(100, -1e9 + 1), (100, 100)],
        [(-1e9 + 1, 50), (1e9 - 1, 50)],
        [(-1e9 + 1, -1e9 + 1), (1e9 - 1, 1e9 - 1)],
        [(-1e8, -1e8), (100, 100), (1e8, 100)],
        [(1e9 - 1, 1e9 - 1), (1e9 - 2, 1e9 - 2)],
    ],
)
def test_corners_far_outside_draw_the_part_inside(corners):
    image = np.zeros((200, 200, 3), np.uint8)
    boxes = rows(*[(x, y, 2e9, 2e9) for x, y in corners])
    found = preprocess.background(image, boxes, 0, Recipe(size=200, line_width=0.02))
    distance = drawn_by_hand(image, corners, 4)
    assert (found[distance < 1] == preprocess.GREEN).all()
    assert (found[distance > 5] == 0).all()


def test_the_line_is_whole_or_up_to_the_shown_frame():
    image, boxes = noise(60, 60), rows(*[(10 * step, 5 * step, 4, 4) for step in range(6)])
    whole, shown = Recipe(size=60), Recipe(size=60, trajectory="shown")
    for position in range(6):
        up_to = preprocess.background(image, boxes, position, shown)
        assert np.array_equal(
            preprocess.background(image, boxes, position, whole), preprocess.background(image, boxes, 0, whole)
        )
        assert np.array_equal(up_to, preprocess.background(image, boxes[: position + 1], 0, whole))
    assert np.array_equal(up_to, preprocess.background(image, boxes, 0, whole))
    assert not np.array_equal(preprocess.background(image, boxes, 2, shown), up_to)


@pytest.mark.parametrize("trajectory", ["track", "shown"])
@pytest.mark.parametrize("corner", [(30, 20), (0, 0), (59, 59)])
def test_a_single_point_is_a_dot(trajectory, corner):
    image = np.zeros((60, 60, 3), np.uint8)
    recipe = Recipe(size=60, trajectory=trajectory, line_width=0.05)
    found = preprocess.background(image, rows((*corner, 5, 5)), 0, recipe)
    distance = np.hypot(*(np.mgrid[:60, :60] - np.array(corner[::-1])[:, None, None]))
    assert (found[distance < 2] == preprocess.GREEN).all()
    assert (found[distance > 5] == 0).all()


def test_a_vehicle_that_stands_still_is_a_dot():
    image = np.zeros((60, 60, 3), np.uint8)
    found = preprocess.background(image, rows(*[(30, 20, 5, 5)] * 9), 8, Recipe(size=60, line_width=0.05))
    assert (found[20, 30] == preprocess.GREEN).all()
    assert np.count_nonzero(found) < 60


@pytest.mark.parametrize("corner", [(-500, -500), (1e9 - 1, 5), (-1e9 + 1, -1e9 + 1)])
def test_a_dot_outside_is_not_seen(corner):
    image = noise(60, 60)
    assert np.array_equal(preprocess.background(image, rows((*corner, 2e9, 2e9)), 0, Recipe(size=60)), image)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
@pytest.mark.parametrize("kernel", ["area", "bicubic"])
def test_the_smallest_images_become_inputs(size, kernel):
    image, recipe = noise(*size), Recipe(size=8, resize=kernel)
    box = np.array([0, 0, *size], np.float64)
    assert preprocess.crop(image, box, recipe).shape == (8, 8, 3)
    assert preprocess.background(image, box[None], 0, recipe).shape == (8, 8, 3)


def test_the_frame_itself_is_left_as_it_was():
    image = noise(60, 60).copy()
    before = image.copy()
    boxes = rows((5, 5, 9, 9), (20, 30, 9, 9))
    for kernel in ("area", "bicubic"):
        recipe = Recipe(size=60, resize=kernel)
        background = preprocess.background(image, boxes, 1, recipe)
        preprocess.crop(image, boxes[1], recipe)
        assert not np.shares_memory(background, image)
        assert np.array_equal(image, before)


# The points


@given(count=st.integers(1, 60), most=st.integers(1, 60), seed=st.integers(0, 99))
@LAW
def test_points_are_the_trajectory_padded_with_zeros(count, most, seed):
    boxes = np.random.default_rng(seed).uniform(1, 300, (count, 4))
    padded, length = preprocess.points(boxes, 640, 360, Recipe(max_points=most))
    assert (padded.dtype, padded.shape, length) == (np.float32, (most, 2), min(count, most))
    assert np.array_equal(padded[:length], geometry.trajectory(boxes, 640, 360, most))
    assert not padded[length:].any()

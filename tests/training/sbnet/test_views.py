"""Random crops that keep the boxes, mirroring of frames and of words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine import geometry, preprocess
from nlvr.engine.preprocess import Recipe
from nlvr.training.augment import mirrored_sentence
from nlvr.training.sbnet.config import AugmentConfig
from nlvr.training.sbnet.views import View

WIDTH, HEIGHT, CELLS = 120, 90, 8
SHARE = st.floats(0, 0.999)
RECIPE = Recipe(size=64)


@st.composite
def views(draw):
    corners = [(draw(st.floats(0, 110)), draw(st.floats(0, 80))) for _ in range(draw(st.integers(1, 3)))]
    boxes = [[x, y, draw(st.floats(1, WIDTH - x)), draw(st.floats(1, HEIGHT - y))] for x, y in corners]
    return View(np.array(boxes), draw(st.floats(0.1, 1)), (draw(SHARE), draw(SHARE)), draw(st.booleans()))


@given(views())
def test_a_window_lies_in_the_image_holds_the_boxes_and_is_no_larger_than_needed(view):
    x0, y0, x1, y1 = view.window(WIDTH, HEIGHT)
    near, far = view.boxes[:, :2].min(axis=0), (view.boxes[:, :2] + view.boxes[:, 2:]).max(axis=0)
    assert 0 <= x0 <= near[0]
    assert 0 <= y0 <= near[1]
    assert far[0] - 1e-9 <= x1 <= WIDTH
    assert far[1] - 1e-9 <= y1 <= HEIGHT
    for side, limit, low, high in ((x1 - x0, WIDTH, near[0], far[0]), (y1 - y0, HEIGHT, near[1], far[1])):
        assert side == max(np.ceil(view.crop * limit), np.ceil(high) - np.floor(low))


def test_windows_reach_all_their_places():
    boxes = np.array([[50.0, 40.0, 10.0, 10.0]])
    generator = np.random.default_rng(0)
    drawn = {
        View.draw(boxes, AugmentConfig(crop=0.8), RECIPE, generator, zoomed=False).window(WIDTH, HEIGHT)
        for _ in range(4000)
    }
    assert {window[0] for window in drawn} == set(range(25))
    assert {window[1] for window in drawn} == set(range(19))


@given(views(), st.floats(1, 6))
def test_what_is_around_a_box_is_a_square_where_the_image_has_room(view, around):
    view = replace(view, boxes=view.boxes[:1], around=around)
    x0, y0, x1, y1 = view.window(WIDTH, HEIGHT)
    x, y, w, h = view.boxes[0]
    assert 0 <= x0 <= x
    assert 0 <= y0 <= y
    assert x + w - 1e-9 <= x1 <= WIDTH
    assert y + h - 1e-9 <= y1 <= HEIGHT
    ((x, y, w, h),) = geometry.clip_boxes(view.boxes, WIDTH, HEIGHT)
    side, holds = np.ceil(around * max(w, h)), np.ceil((x + w, y + h)) - np.floor((x, y))
    assert (x1 - x0, y1 - y0) == tuple(np.minimum(np.maximum(side, holds), (WIDTH, HEIGHT)))


def test_a_scored_view_has_its_box_in_the_middle():
    view = View.scored(np.array([[50.0, 40.0, 10.0, 6.0]]), replace(RECIPE, around=3.0))
    assert view.window(WIDTH, HEIGHT) == (40, 28, 70, 58)
    beside = View.scored(np.array([[4.0, 70.0, 10.0, 6.0]]), replace(RECIPE, around=3.0))
    assert beside.window(WIDTH, HEIGHT) == (0, 58, 30, 88)
    assert View.scored(np.array([[0.0, 0.0, 120.0, 90.0]]), replace(RECIPE, around=3.0)).window(WIDTH, HEIGHT) == (
        0,
        0,
        WIDTH,
        HEIGHT,
    )


@given(views())
def test_the_cells_are_those_of_the_box_in_what_is_shown(view):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    masks = view.masks(WIDTH, HEIGHT, CELLS)
    x0, y0, x1, y1 = view.window(WIDTH, HEIGHT)
    for box, mask in zip(view.boxes, masks, strict=True):
        inside = box - (x0, y0, 0, 0)
        ((left, top, right, bottom),) = geometry.box_cells(inside[None], x1 - x0, y1 - y0, CELLS)
        expected = np.zeros((CELLS, CELLS), bool)
        expected[top:bottom, left:right] = True
        np.testing.assert_array_equal(mask, expected[:, ::-1] if view.mirrored else expected)
        assert mask.any()
    np.testing.assert_array_equal(view.shown(image, RECIPE), np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("mirror", [False, True])
def test_a_painted_box_is_seen_in_its_cells(mirror):
    image, box = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.array([[70, 20, 30, 25]])
    image[20:45, 70:100] = 255
    view = View(box, 0.8, (0.3, 0.6), mirror)
    shown = view.shown(image, Recipe(size=CELLS))
    np.testing.assert_array_equal(shown.any(axis=2), view.masks(WIDTH, HEIGHT, CELLS)[0])


def test_the_whole_view_is_the_engine_s_resize():
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    whole = View.scored(np.array([[1.0, 2.0, 3.0, 4.0]]), RECIPE)
    np.testing.assert_array_equal(whole.shown(image, RECIPE), preprocess.resize(image, RECIPE))
    cells = geometry.box_cells(whole.boxes, WIDTH, HEIGHT, CELLS)[0]
    assert whole.masks(WIDTH, HEIGHT, CELLS)[0].sum() == (cells[2] - cells[0]) * (cells[3] - cells[1])


def test_views_follow_the_settings():
    generator, boxes = np.random.default_rng(0), np.array([[1.0, 2.0, 3.0, 4.0]])
    for flip in (0.0, 0.3, 1.0):
        drawn = [
            View.draw(boxes, AugmentConfig(crop=0.5, flip=flip), RECIPE, generator, zoomed=False) for _ in range(2000)
        ]
        assert np.mean([view.mirrored for view in drawn]) == pytest.approx(flip, abs=0.05)
        assert {view.crop for view in drawn} == {0.5}


@pytest.mark.parametrize(
    ("sentence", "swapped"),
    [
        ("A red car turns left.", "A red car turns right."),
        ("LEFT, then Right; then left-hand", "RIGHT, then Left; then right-hand"),
        ("A bright cleft copyright leftover", "A bright cleft copyright leftover"),
        ("goes straight", "goes straight"),
    ],
)
def test_mirroring_swaps_words_and_nothing_else(sentence, swapped):
    assert mirrored_sentence(sentence) == swapped
    assert mirrored_sentence(swapped) == sentence

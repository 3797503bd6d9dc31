"""Changes of pictures: that none is none, that colours keep their order, what a mirrored box and a background are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.training.augment import Photo, mirrored_boxes, mixed_background

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def test_no_change_is_none():
    np.testing.assert_array_equal(Photo().apply(IMAGE), IMAGE)
    np.testing.assert_array_equal(Photo.draw(0, 32, np.random.default_rng(0)).apply(IMAGE), IMAGE)


@given(st.integers(0, 2**32))
def test_a_change_depends_on_its_draw_alone_and_leaves_the_image_as_it_was(seed):
    before = IMAGE.copy()
    one, other = (Photo.draw(1, 32, np.random.default_rng(seed)) for _ in range(2))
    assert one == other
    shown = one.apply(IMAGE)
    assert (shown.dtype, shown.shape) == (np.uint8, IMAGE.shape)
    np.testing.assert_array_equal(shown, other.apply(IMAGE))
    np.testing.assert_array_equal(IMAGE, before)


@given(st.integers(0, 2**32))
def test_red_stays_redder_than_green_and_blue(seed):
    red = np.full((32, 32, 3), (200, 40, 40), np.uint8)
    shown = Photo.draw(1, 32, np.random.default_rng(seed)).apply(red).mean(axis=(0, 1))
    assert shown[0] > shown[1] + 20
    assert shown[0] > shown[2] + 20


@pytest.mark.parametrize("change", [{"side": 8}, {"blur": 1.5}])
def test_a_coarser_or_blurred_picture_has_less_detail(change):
    shown = replace(Photo(), **change).apply(IMAGE)
    assert shown.astype(float).std() < 0.7 * IMAGE.astype(float).std()
    assert shown.mean() == pytest.approx(IMAGE.mean(), abs=3)


def test_colours_alone_leave_out_what_needs_room():
    photo = Photo(gamma=1.2, side=8, blur=1.0, noise=5.0, quality=30)
    assert photo.colours == Photo(gamma=1.2)


def test_a_box_is_mirrored_with_its_image():
    image = np.zeros((20, 50), bool)
    image[3:8, 10:25] = True
    ((x, y, w, h),) = mirrored_boxes(np.array([[10.0, 3.0, 15.0, 5.0]]), 50).astype(int)
    assert image[:, ::-1][y : y + h, x : x + w].all()
    assert w * h == image.sum()


def test_a_background_is_mixed_outside_of_what_is_kept():
    other = np.zeros_like(IMAGE)
    kept = np.zeros((4, 4), bool)
    kept[1:3, 1:3] = True
    shown = mixed_background(IMAGE, other, kept, 0.5)
    np.testing.assert_array_equal(shown[8:24, 8:24], IMAGE[8:24, 8:24])
    np.testing.assert_allclose(shown[:8].astype(float), IMAGE[:8] / 2, atol=0.51)

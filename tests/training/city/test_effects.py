"""Effects: layers, blur, shadows, and a sensor that repeats itself."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nlvr.training.city import effects
from nlvr.training.city.world import Camera, Light

CAMERA = Camera("c", 0.0, 0.0, 8.0, 0.0, 0.5, 160.0, 160, 120, noise=4.0)


def recording(seed=1, rain=0.0):
    return SimpleNamespace(seed=seed, light=Light("overcast", 0.0, 0.8, rain))


def test_an_opaque_layer_hides_and_a_clear_one_does_not():
    image = np.full((8, 8, 3), 90, np.uint8)
    layer = np.zeros((8, 8, 4), np.uint8)
    layer[:4] = (10, 20, 30, 255)
    effects.compose(image, layer)
    assert (image[:4] == (30, 20, 10)).all()
    assert (image[4:] == 90).all()


@pytest.mark.parametrize("way", [(7.0, 0.0), (-4.0, 3.0), (0.0, 9.0)])
def test_blur_along_a_way_keeps_what_it_spreads(way):
    layer = np.zeros((41, 41, 4), np.uint8)
    layer[16:25, 16:25] = 200
    blurred = effects.smear(layer, *way)
    assert blurred.sum() == pytest.approx(layer.sum(), rel=0.02)
    rows, columns = np.nonzero(blurred[..., 3] > 8)
    assert np.ptp(columns) >= 8 + abs(way[0]) - 2
    assert np.ptp(rows) >= 8 + abs(way[1]) - 2


def test_shadows_only_darken_and_beams_only_lighten():
    mask = np.zeros((60, 80), np.uint8)
    effects.fill(mask, CAMERA, np.array([[[9, -2, 0], [14, -2, 0], [14, 2, 0], [9, 2, 0]]], float), (255,))
    assert 100 < np.count_nonzero(mask) < 4000
    image, change = np.full((120, 160, 3), 100, np.uint8), np.full((120, 160, 3), 40, np.uint8)
    dark, light = image.copy(), image.copy()
    effects.darken(dark, change, mask)
    effects.lighten(light, change, mask)
    assert dark.min() == 60
    assert light.max() == 140
    assert (dark <= image).all()
    assert (light >= image).all()
    assert ((dark < image) == (light > image)).all()


@pytest.mark.parametrize("rain", [0.0, 0.8])
def test_a_frame_depends_on_its_tick_alone(rain):
    image = np.full((120, 160, 3), 128, np.uint8)
    first, second = (
        effects.Sensor(recording(1, rain), CAMERA, night=0),
        effects.Sensor(recording(1, rain), CAMERA, night=0),
    )
    frames = [first.expose(image, tick) for tick in (0, 1, 2)]
    again = [second.expose(image, tick) for tick in (2, 0, 1)]
    for frame, same in zip(frames, (again[1], again[2], again[0]), strict=True):
        assert np.array_equal(frame, same)
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], effects.Sensor(recording(2, rain), CAMERA, night=0).expose(image, 0))
    assert (image == 128).all()


def test_a_glow_may_lie_outside_the_image():
    image = np.zeros((40, 40, 3), np.uint8)
    effects.halo(image, (-50.0, 20.0), 10, np.full(3, 255.0))
    assert not image.any()
    effects.halo(image, (2.0, 39.0), 10, np.full(3, 255.0))
    assert image[35:, :6].any()

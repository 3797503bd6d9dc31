"""Paint: colours that people name as they are named."""

from __future__ import annotations

import colorsys
from itertools import pairwise

import numpy as np
import pytest

from nlvr.engine.language import COLOURS
from nlvr.training.city.paint import paint_of
from nlvr.training.city.world import Vehicle


@pytest.fixture(scope="module")
def shades():
    return {c: [colorsys.rgb_to_hsv(*paint_of(Vehicle(0, "suv", c, look)).rgb) for look in range(200)] for c in COLOURS}


def test_every_colour_has_paint_within_range():
    for colour in COLOURS:
        paints = [paint_of(Vehicle(0, "sedan", colour, look)) for look in range(50)]
        assert len({paint.rgb for paint in paints}) == 50
        for paint in paints:
            assert all(0 <= channel <= 1 for channel in paint.rgb)
            assert 0 <= paint.metallic <= 1
            assert 0 <= paint.gloss <= 1


def test_greys_go_from_white_to_black(shades):
    values = [np.array([v for _, _, v in shades[colour]]) for colour in ("white", "silver", "gray", "black")]
    for lighter, darker in pairwise(values):
        assert lighter.min() > darker.max()
    for colour in ("white", "silver", "gray", "black"):
        assert max(s for _, s, _ in shades[colour]) < 0.15


def test_hues_keep_apart(shades):
    hues = {
        colour: np.array([(h * 360 + 30) % 360 for h, _, _ in shades[colour]])
        for colour in ("red", "orange", "yellow", "green", "blue", "purple")
    }
    order = ["red", "orange", "yellow", "green", "blue", "purple"]
    for before, after in pairwise(order):
        assert hues[before].max() < hues[after].min(), (before, after)


def test_paint_is_the_vehicles_own():
    assert paint_of(Vehicle(1, "bus", "gold", 5)) == paint_of(Vehicle(2, "bus", "gold", 5))
    assert paint_of(Vehicle(1, "bus", "gold", 5)) != paint_of(Vehicle(1, "bus", "gold", 6))

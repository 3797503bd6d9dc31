from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city.roads import about_face, connect, inside, offset, part, rectangle, resample, strip, turn_between


def headings(line):
    steps = np.diff(line, axis=0)
    return np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))


@pytest.mark.parametrize("seed", range(20))
def test_a_turn_is_smooth_and_ends_as_it_should(seed):
    rng = np.random.default_rng(seed)
    heading, turn = rng.uniform(-np.pi, np.pi), rng.choice([-1, 1]) * rng.uniform(0.8, 2.0)
    ahead = np.array([np.cos(heading), np.sin(heading)])
    after = np.array([np.cos(heading + turn), np.sin(heading + turn)])
    end = rng.uniform(8, 20) * ahead + rng.uniform(8, 20) * after
    line = connect(np.zeros(2), heading, end, heading + turn)
    assert np.allclose(line[[0, -1]], [[0, 0], end])
    along = headings(line)
    assert abs(turn_between(along[0], heading)) < 0.15
    assert along[-1] - along[0] == pytest.approx(turn, abs=0.3)
    assert (np.diff(along) * np.sign(turn) > -1e-6).all(), "it bends one way only"


def test_one_turns_about_to_the_left_in_half_a_circle():
    line = about_face(np.zeros(2), 0.0, np.array([0.0, 8.0]))
    along = headings(line)
    assert along[-1] - along[0] == pytest.approx(np.pi, abs=0.3)
    assert np.allclose(line[[0, -1]], [[0, 0], [0, 8]])
    assert line[:, 1].max() < 8.2


@pytest.mark.parametrize("seed", range(10))
def test_a_strip_covers_what_lies_between_its_sides_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    bend = np.cumsum(rng.uniform(-0.02, 0.02, 120))
    line = np.cumsum(np.column_stack([np.cos(bend), np.sin(bend)]), axis=0)
    outlines = [surface.outline for surface in strip(line, -1.0, 3.0, "asphalt", 1)]
    middle = part(line, 5, 100)
    for left, within in ((-1.2, False), (-0.8, True), (2.8, True), (3.2, False)):
        assert (inside(offset(middle, left), outlines) == within).mean() > 0.97


@pytest.mark.parametrize("seed", range(10))
def test_a_line_keeps_its_ends_and_shape_when_resampled(seed):
    line = np.cumsum(np.random.default_rng(seed).uniform(0.5, 4, (9, 2)), axis=0)
    again = resample(line)
    assert np.allclose(again[[0, -1]], line[[0, -1]])
    assert np.linalg.norm(np.diff(again, axis=0), axis=1).max() <= 1 + 1e-9


def test_a_margin_widens_a_rectangle():
    corner = np.array([[2.4, 1.4]])
    assert not inside(corner, [rectangle(0, 0, 4, 2, 0)])[0]
    assert inside(corner, [rectangle(0, 0, 4, 2, 0, margin=0.5)])[0]

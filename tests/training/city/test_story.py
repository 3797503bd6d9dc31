from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nlvr.training.city.story import tell
from nlvr.training.city.world import Camera, Lane, Layout, Light, Motion, Recording, Vehicle

CAMERA = Camera("c001", 0.0, -30.0, 8.0, np.pi / 2, 0.3, 900.0, 1280, 720)
# Two lanes side by side, and one that goes on where the first ends.
LANES = tuple(
    Lane(np.array([[x, y], [x + 50.0, y]]), 3.5, 20.0, "through") for x, y in ((0.0, 0.0), (0.0, 3.5), (50.5, 0.0))
)
STREET = Layout("highway", LANES, (), (), (), np.zeros((0, 3)), (), np.zeros(2))


def motion_of(headings, *, speeds=8.0, number=1, place=(0.0, 0.0), kind="sedan", manoeuvre="straight"):
    """A vehicle that drives along its headings, one a tick."""
    headings = np.asarray(headings, float)
    speeds = np.broadcast_to(speeds, headings.shape)
    steps = speeds[:, None] / 10 * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    places = np.asarray(place) + np.concatenate([[[0, 0]], np.cumsum(steps, axis=0)[:-1]])
    poses = np.concatenate([places, headings[:, None], speeds[:, None]], axis=1)
    nothing = np.zeros(len(poses), np.int16)
    return Motion(Vehicle(number, kind, "red", 1), 0, poses, nothing > 0, nothing.astype(np.int8), nothing, manoeuvre)


def told(motion, *others, ticks=None):
    recording = Recording("S01", STREET, (motion, *others), (), Light("dusk", 0, 0.2, 0), (CAMERA,), 100, 0)
    return tell(recording, CAMERA, motion, np.arange(len(motion.poses)) if ticks is None else np.array(ticks))


@pytest.mark.parametrize(
    ("turn", "manoeuvre"), [(0, "straight"), (0.3, "straight"), (1.5, "left"), (-1.5, "right"), (3.1, "u-turn")]
)
@pytest.mark.parametrize("start", [0.0, 2.9, -2.0])
def test_a_manoeuvre_is_what_the_heading_does(turn, manoeuvre, start):
    assert told(motion_of(np.linspace(start, start + turn, 40))).manoeuvre == manoeuvre


def test_a_turn_that_the_track_does_not_show_is_not_told():
    motion = motion_of([0.0] * 20 + np.linspace(0, 1.5, 20).tolist(), manoeuvre="left")
    assert told(motion).manoeuvre == "left"
    assert told(motion, ticks=range(20)).manoeuvre == "straight"


def test_a_stop_lasts_and_follows_or_precedes_movement():
    assert told(motion_of([0.0] * 40, speeds=np.repeat([8.0, 0.0, 8.0], [10, 20, 10]))).stops
    assert not told(motion_of([0.0] * 40, speeds=np.repeat([8.0, 0.0, 8.0], [18, 4, 18]))).stops
    parked = told(motion_of([0.0] * 40, speeds=0.0, manoeuvre="parked"))
    assert (parked.manoeuvre, parked.stops, parked.speed) == ("parked", False, 0)


@pytest.mark.parametrize(("heading", "toward"), [(-np.pi / 2, True), (np.pi / 2, False), (0.0, None)])
def test_it_comes_goes_or_passes_across(heading, toward):
    story = told(motion_of([heading] * 10))
    assert story.toward is toward
    assert story.direction == {True: "south", False: "north", None: "east"}[toward]


def test_neighbours_are_told_by_side_nearest_first():
    own = motion_of([0.0] * 20)
    others = [
        motion_of([0.0] * 20, number=number, place=place, kind=kind)
        for number, (place, kind) in enumerate(
            [((9, 0), "bus"), ((-6, 0), "van"), ((0, 4), "suv"), ((0, -5), "coupe"), ((40, 0), "cargo")], 2
        )
    ]
    found = [(neighbour.kind, neighbour.relation) for neighbour in told(own, *others).neighbours]
    assert found == [("suv", "left"), ("coupe", "right"), ("van", "behind")]
    assert [one.relation for one in told(own, others[0]).neighbours] == ["ahead"]
    assert told(own, others[4]).neighbours == ()


def test_a_lane_change_counts_only_where_it_is_seen():
    motion = motion_of([0.0] * 20)
    lanes = np.repeat(np.array([0, 1], np.int16), 10)
    changing = replace(motion, lanes=lanes, changes_lane=True)
    assert told(changing).changes_lane
    assert not told(changing, ticks=range(10)).changes_lane


def test_a_lane_that_goes_on_in_another_is_not_left():
    motion = motion_of([0.0] * 20)
    going_on = replace(motion, lanes=np.repeat(np.array([-1, 0, 2, -1], np.int16), 5), changes_lane=True)
    assert not told(going_on).changes_lane

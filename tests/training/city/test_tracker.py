from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city.tracker import LOST, SHORTEST, follow
from nlvr.training.city.world import Camera, Layout, Light, Motion, Recording, Vehicle

CAMERA = Camera("c001", 0.0, -20.0, 8.0, np.pi / 2, 0.35, 900.0, 1280, 720)
CORNERS = np.array([[x, y, z] for x in (-2.3, 2.3) for y in (-0.9, 0.9) for z in (0.0, 1.5)])
NOWHERE = Layout("intersection", (), (), (), (), np.zeros((0, 3)), (), np.zeros(2))


def driving(number, *, y=0.0, speed=10.0, ticks=80, start=0, first=-40.0, manoeuvre="straight"):
    """A vehicle along x past the camera."""
    x = first + speed / 10 * np.arange(ticks)
    poses = np.stack([x, np.full(ticks, y), np.zeros(ticks), np.full(ticks, speed)], axis=1)
    nothing = np.zeros(ticks, np.int16)
    vehicle = Vehicle(number, "sedan", "red", number)
    return Motion(vehicle, start, poses, nothing > 0, nothing.astype(np.int8), nothing, manoeuvre)


def recorded(*motions, length=80):
    return Recording("S01", NOWHERE, motions, (), Light("noon", 0, 1, 0), (CAMERA,), length, 0)


def tracks_of(*motions, length=80, seed=0):
    return follow(
        recorded(*motions, length=length), CAMERA, {motion.vehicle.number: CORNERS for motion in motions}, seed=seed
    )


@pytest.mark.parametrize("seed", range(5))
def test_boxes_lie_in_the_image_around_the_vehicle(seed):
    (track,) = tracks_of(driving(7), seed=seed)
    assert track.motion.vehicle.number == 7
    assert (np.diff(track.ticks) > 0).all()
    x, y, w, h = track.boxes.T
    assert (x >= 0).all()
    assert (y >= 0).all()
    assert (x + w <= CAMERA.width).all()
    assert (y + h <= CAMERA.height).all()
    assert (track.boxes[:, 2:] >= 2).all()
    for tick, box in zip(track.ticks, track.boxes, strict=True):
        points = CAMERA.project(CORNERS + np.append(track.motion.poses[tick, :2], 0))
        near, far = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        inside = np.concatenate([np.clip(near, 0, (1280, 720)), np.clip(far, 0, (1280, 720))])
        error = np.abs(np.concatenate([box[:2], box[:2] + box[2:]]) - inside)
        assert (error <= 0.08 * np.tile(far - near, 2) + 2).all()


def test_a_vehicle_behind_the_camera_or_out_of_view_is_not_seen():
    assert not tracks_of(driving(1, y=-30), driving(2, first=500))


def test_a_vehicle_that_a_nearer_one_hides_has_a_gap_or_ends():
    hidden, lorry = driving(1, y=4.0, speed=0.0, first=0.0), driving(2, y=-2.0, speed=6.0, first=-24.0)
    wall = np.concatenate([CORNERS * [2.2, 1, 2.4], CORNERS])
    found = follow(recorded(hidden, lorry), CAMERA, {1: CORNERS, 2: wall}, seed=1)
    ticks = np.concatenate([track.ticks for track in found if track.motion is hidden])
    gone = sorted(set(range(80)) - set(ticks.tolist()))
    passing = np.abs(lorry.poses[:, 0]) < 2
    assert set(np.flatnonzero(passing).tolist()) <= set(gone)


def test_a_long_loss_makes_another_track_and_a_short_one_a_gap():
    for away, wanted in ((int(LOST * 10) + 5, 2), (5, 1)):
        ticks = 60 + away
        motion = driving(1, speed=0.0, first=0.0, ticks=ticks)
        motion.poses[30 : 30 + away, 1] = -60  # behind the camera meanwhile
        assert len(tracks_of(motion, length=ticks)) == wanted


def test_tracks_are_a_function_of_the_seed():
    first, again, other = (tracks_of(driving(1), seed=seed)[0].boxes for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_a_glimpse_is_no_track():
    assert not tracks_of(driving(1, ticks=SHORTEST - 1, first=0.0))


def test_what_was_there_before_the_recording_is_seen_from_its_start():
    (track,) = tracks_of(driving(1, start=-30, first=-30.0), length=40)
    assert track.ticks.min() <= 2
    assert track.ticks.max() <= 40

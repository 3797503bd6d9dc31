from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from nlvr.training.city.cameras import draw_light, place_cameras
from nlvr.training.city.layout import build_layout
from nlvr.training.city.traffic import simulate
from nlvr.training.city.world import RESOLUTIONS

KINDS = ("intersection", "highway", "car park")
TICKS = 600


@cache
def simulated(kind, seed):
    layout = build_layout(kind, seed)
    return layout, *simulate(layout, seed=seed, ticks=TICKS, vehicles_per_minute=30)


def turned(motion):
    headings = np.unwrap(motion.poses[:, 2])
    return np.rad2deg(headings[-1] - headings[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_motions_are_whole_and_smooth(kind, seed):
    _, motions, walkers = simulated(kind, seed)
    assert len(motions) > 10
    assert len({motion.vehicle.number for motion in motions}) == len(motions)
    for motion in motions:
        count = len(motion.poses)
        assert motion.poses.shape == (count, 4)
        assert len(motion.brakes) == len(motion.signals) == len(motion.lanes) == count
        assert np.isfinite(motion.poses).all()
        assert (motion.poses[:, 3] >= 0).all()
        steps = np.linalg.norm(np.diff(motion.poses[:, :2], axis=0), axis=1)
        assert steps.max(initial=0) < 5.0, "no vehicle jumps"
        assert set(motion.signals.tolist()) <= {-1, 0, 1}
    for walker in walkers:
        assert walker.poses.shape[1] == 3
        assert np.linalg.norm(np.diff(walker.poses[:, :2], axis=0), axis=1).max(initial=0) < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_manoeuvres_are_true_to_the_poses(seed):
    _, motions, _ = simulated("intersection", seed)
    for motion in motions:
        if motion.end < TICKS and motion.start >= 0:  # it came and went
            turn = turned(motion)
            bounds = {"left": (40, 140), "right": (-140, -40), "straight": (-40, 40)}
            if motion.manoeuvre in bounds:
                low, high = bounds[motion.manoeuvre]
                assert low < turn < high, (motion.manoeuvre, turn)
            elif motion.manoeuvre == "u-turn":
                assert abs(turn) > 140
        if motion.manoeuvre == "parked":
            assert (motion.poses[:, 3] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_vehicles_hardly_ever_overlap(kind, seed):
    """Of each vehicle three discs along its middle stand for its footprint, a little narrower than it is."""
    _, motions, _ = simulated(kind, seed)
    hits = pairs = 0
    for tick in range(0, TICKS, 5):
        there = [motion for motion in motions if motion.start <= tick < motion.end]
        poses = np.array([motion.poses[tick - motion.start] for motion in there])
        length, width, _ = np.array([motion.vehicle.size for motion in there]).T
        ahead = np.stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])], axis=1)
        discs = np.stack([poses[:, :2] + share * length[:, None] * ahead for share in (-0.3, 0.0, 0.3)], axis=1)
        apart = np.linalg.norm(discs[:, None, :, None] - discs[None, :, None, :], axis=-1).min(axis=(2, 3))
        touching = apart < 0.42 * (width[:, None] + width[None, :])
        upper = np.triu_indices(len(there), 1)
        moving = (poses[:, 3] > 0)[:, None] | (poses[:, 3] > 0)[None, :]
        hits += int((touching & moving)[upper].sum())
        pairs += int(moving[upper].sum())
    assert hits <= 0.001 * pairs


def test_traffic_is_a_function_of_its_seed():
    layout = build_layout("intersection", 4)
    first, again, other = (simulate(layout, seed=seed, ticks=100, vehicles_per_minute=30)[0] for seed in (1, 1, 2))
    assert [motion.poses.tolist() for motion in first] == [motion.poses.tolist() for motion in again]
    assert [motion.vehicle for motion in first] != [motion.vehicle for motion in other]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_cameras_hang_on_poles_and_look_at_the_place(kind, seed):
    layout = build_layout(kind, seed)
    cameras = place_cameras(layout, (4, 7, 10), seed=seed)
    assert [camera.name for camera in cameras] == ["c004", "c007", "c010"]
    for camera in cameras:
        assert (camera.width, camera.height) in RESOLUTIONS
        assert 4 <= camera.z <= 15
        assert 0 < camera.pitch < 1.5
        lanes = np.concatenate([lane.line for lane in layout.lanes])
        seen = camera.project(np.concatenate([lanes, np.zeros((len(lanes), 1))], axis=1))
        inside = (
            (seen[:, 2] > 1)
            & (seen[:, :2] >= 0).all(axis=1)
            & (seen[:, :2] < (camera.width, camera.height)).all(axis=1)
        )
        assert inside.sum() > 20, "some road is in view"
    assert [camera.width for camera in place_cameras(layout, (1, 2), seed=seed, resolution=(640, 360))] == [
        640,
        640,
    ]


def test_light_varies_and_is_a_function_of_its_seed():
    lights = [draw_light(seed) for seed in range(300)]
    assert lights == [draw_light(seed) for seed in range(300)]
    kinds = [light.kind for light in lights]
    assert {kind: kinds.count(kind) > 15 for kind in ("noon", "overcast", "dusk", "night")} == dict.fromkeys(
        ("noon", "overcast", "dusk", "night"), True
    )
    assert all(0 <= light.rain <= 1 for light in lights)
    assert any(light.rain for light in lights)


def test_what_a_camera_may_see_holds_all_that_it_sees():
    rng = np.random.default_rng(3)
    (camera,) = place_cameras(build_layout("intersection", 2), (1,), seed=2)
    points = np.array([camera.x, camera.y, 1.0]) + rng.normal(0, 60, (4000, 3)) * (1, 1, 0.05)
    seen = camera.project(points)
    inside = (
        (seen[:, 2] > 0) & (seen[:, :2] >= 0).all(axis=1) & (seen[:, :2] < (camera.width, camera.height)).all(axis=1)
    )
    close, wide = camera.may_see(points, 0.0), camera.may_see(points, 9.0)
    assert (inside <= close).all()
    assert close.sum() < 1.05 * inside.sum() + 5
    ways = rng.standard_normal((4000, 3))
    moved = points + 9 * ways / np.linalg.norm(ways, axis=1, keepdims=True)
    assert (camera.may_see(moved, 0.0) <= wide).all()
    assert wide.mean() < 0.8

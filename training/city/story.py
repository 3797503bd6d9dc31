"""What a track shows of its vehicle: the facts that an annotator who watches it can write about."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .world import TICKS_PER_SECOND, Neighbour, Story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .world import Camera, Lane, Manoeuvre, Motion, Recording

TURNED, BACK = np.deg2rad([38, 150])
STOPPED, MOVING = 0.3, 1.0  # m/s: slower is standing, faster is moving
STANDS = 1.0  # seconds
SIDEWAYS = 0.45  # cosine below which a vehicle passes across the view rather than along it
AROUND, IN_LINE = 18.0, 35.0  # metres within which a neighbour is noticed, and one in the same lane
BESIDE = 2.2  # metres to the side within which another vehicle is in the same lane
ON = 1.5  # metres from the end of a lane within which another one goes on
MOST = 3
COMPASS = ("east", "north", "west", "south")


def tell(recording: Recording, camera: Camera, motion: Motion, ticks: np.ndarray) -> Story:
    """Return the story of one vehicle over some ticks of a recording, int64 [T]."""
    rows = ticks - motion.start
    poses = motion.poses[rows[0] : rows[-1] + 1]
    speeds = poses[:, 3]
    moving = speeds > MOVING
    return Story(
        kind=motion.vehicle.kind,
        colour=motion.vehicle.colour,
        manoeuvre=_manoeuvre(motion, poses),
        stops=bool(moving.any()) and _longest(speeds < STOPPED) >= STANDS * TICKS_PER_SECOND,
        changes_lane=motion.changes_lane and _leaves_lane(motion.lanes[rows[0] : rows[-1] + 1], recording.layout.lanes),
        toward=_toward(poses[moving], camera),
        speed=float(speeds[moving].mean()) if moving.any() else 0.0,
        direction=COMPASS[round(float(poses[moving][0, 2] if moving.any() else poses[0, 2]) / (np.pi / 2)) % 4],
        place=recording.layout.kind,
        light=recording.light.kind,
        neighbours=_neighbours(recording, motion, int(ticks[len(ticks) // 2])),
    )


def _manoeuvre(motion: Motion, poses: np.ndarray) -> Manoeuvre:
    """Return what the poses show; a turn of which only the way to it is seen is not seen."""
    if (poses[:, 3] <= MOVING).all():
        return "parked" if motion.manoeuvre == "parked" else "straight"
    turn = float(np.unwrap(poses[:, 2])[-1] - np.unwrap(poses[:, 2])[0])
    if abs(turn) >= BACK:
        return "u-turn"
    if abs(turn) >= TURNED:
        return "left" if turn > 0 else "right"
    return "straight"


def _leaves_lane(numbers: np.ndarray, lanes: Sequence[Lane]) -> bool:
    """Tell whether a vehicle leaves a lane for another one than those that go on where it ends. numbers: int16 [T]."""
    driven = numbers[numbers >= 0]
    moves = set(pairwise(driven[np.flatnonzero(np.diff(driven, prepend=-1))].tolist()))
    return any(np.hypot(*(lanes[one].line[-1] - lanes[other].line[0])) > ON for one, other in moves)


def _longest(flags: np.ndarray) -> int:
    """Return the length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _toward(poses: np.ndarray, camera: Camera) -> bool | None:
    """Tell whether a vehicle comes (True), goes (False) or passes across; None as well where it never moves."""
    if not len(poses):
        return None
    away = poses[:, :2] - (camera.x, camera.y)
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    heading = np.stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])], axis=1)
    along = float((away * heading).sum(axis=1).mean())
    return None if abs(along) < SIDEWAYS else along < 0


def _neighbours(recording: Recording, motion: Motion, tick: int) -> tuple[Neighbour, ...]:
    """Return who is nearest in the middle of a track, by side as the vehicle's driver sees it."""
    x, y, heading, _ = motion.poses[tick - motion.start]
    cosine, sine = np.cos(heading), np.sin(heading)
    near = []
    for other in recording.motions:
        if other is motion or not other.start <= tick < other.end:
            continue
        ox, oy, _, speed = other.poses[tick - other.start]
        forward = (ox - x) * cosine + (oy - y) * sine
        left = (oy - y) * cosine - (ox - x) * sine
        distance = float(np.hypot(forward, left))
        in_line = abs(left) <= BESIDE
        if distance > (IN_LINE if in_line else AROUND) or (other.manoeuvre == "parked" and speed == 0 and in_line):
            continue
        along, beside = ("ahead" if forward > 0 else "behind"), ("left" if left > 0 else "right")
        relation = along if in_line else beside
        near.append((distance, other.vehicle.number, Neighbour(other.vehicle.kind, other.vehicle.colour, relation)))
    return tuple(neighbour for _, _, neighbour in sorted(near, key=lambda one: one[:2])[:MOST])

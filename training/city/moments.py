"""Who is where at a tick of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .render import Moment
from .world import TICKS_PER_SECOND

if TYPE_CHECKING:
    from .world import Recording


def moment(recording: Recording, tick: int) -> Moment:
    """Return the vehicles and walkers that a recording has at a tick."""
    vehicles = []
    for motion in recording.motions:
        if motion.start <= tick < motion.end:
            row = tick - motion.start
            x, y, heading, speed = motion.poses[row].tolist()
            vehicles.append((motion.vehicle, x, y, heading, bool(motion.brakes[row]), int(motion.signals[row]), speed))
    walkers = [
        (walker.look, *walker.poses[tick - walker.start].tolist(), tick / TICKS_PER_SECOND)
        for walker in recording.walkers
        if walker.start <= tick < walker.start + len(walker.poses)
    ]
    return Moment(tick, tuple(vehicles), tuple(walkers))

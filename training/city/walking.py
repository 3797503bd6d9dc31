"""People who walk along pavements and over crossings. They know what will drive by, and wait until it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .cars import DT
from .roads import lengths
from .world import Walker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .world import Layout, Motion

_ON_LANE = 1.5  # metres from a lane's middle within which one is in cars' way
_ROOM = 0.9  # metres people keep from vehicles
_CAUTION = 7  # ticks before and after a vehicle passes during which its place is not walked on
_JOIN = 4.0  # metres between a pavement and a crossing that belongs to it
_CROSSES = 0.55  # share of those who come by a crossing that take it
_FAR = 55.0  # metres from the middle at which people may appear while the recording runs


@dataclass(slots=True, eq=False)
class _Way:
    """A line to walk along.

    line: float64 [P, 2].  occupied: bool [ticks, P], where a vehicle is or soon will be, None for where none comes.
    crosses: whether it leads over lanes, so that one waits before it and then walks on to the other side.
    """

    line: np.ndarray
    occupied: np.ndarray | None
    crosses: bool


def stroll(layout: Layout, motions: Sequence[Motion], rng: np.random.Generator, ticks: int) -> tuple[Walker, ...]:
    """Return the pedestrians of a recording of so many ticks, who keep out of the vehicles' way."""
    if not layout.pavements:
        return ()
    ways = [_make_way(line, layout, motions, ticks) for line in layout.pavements]
    walkers = []
    for _ in range(int(rng.integers(4, 26))):
        start = 0 if rng.random() < 0.6 else int(rng.integers(0, max(1, ticks - 100)))
        walker = _walk(ways, start, ticks, layout.centre, rng)
        if walker is not None:
            walkers.append(walker)
    return tuple(walkers)


def _make_way(line: np.ndarray, layout: Layout, motions: Sequence[Motion], ticks: int) -> _Way:
    """Find out where and when vehicles come across a line."""
    lanes = np.concatenate([lane.line for lane in layout.lanes])
    gaps = np.array([np.hypot(*(lanes - point).T).min() for point in line])
    crosses = bool((gaps < _ON_LANE).mean() > 0.12)
    disturbed = crosses or layout.kind == "car park"
    return _Way(line, _occupied(line, motions, ticks) if disturbed else None, crosses)


def _occupied(line: np.ndarray, motions: Sequence[Motion], ticks: int) -> np.ndarray:
    """Return where along a line vehicles are, or are within `_CAUTION` ticks, bool [ticks, P]."""
    occupied = np.zeros((ticks, len(line)), bool)
    low, high = line.min(0) - 9, line.max(0) + 9
    for motion in motions:
        first, last = max(motion.start, 0), min(motion.end, ticks)
        poses = motion.poses[first - motion.start : max(last, first) - motion.start]
        near = np.flatnonzero(((poses[:, :2] > low) & (poses[:, :2] < high)).all(axis=1))
        if not len(near):
            continue
        half = np.array(motion.vehicle.size[:2]) / 2 + _ROOM
        away = line[None] - poses[near, None, :2]
        cosine, sine = np.cos(poses[near, 2])[:, None], np.sin(poses[near, 2])[:, None]
        along, aside = away[..., 0] * cosine + away[..., 1] * sine, away[..., 1] * cosine - away[..., 0] * sine
        occupied[first + near] |= (np.abs(along) < half[0]) & (np.abs(aside) < half[1])
    spread = occupied.copy()
    for shift in range(1, _CAUTION + 1):
        spread[shift:] |= occupied[:-shift]
        spread[:-shift] |= occupied[shift:]
    return spread


def _walk(ways: list[_Way], start: int, ticks: int, centre: np.ndarray, rng: np.random.Generator) -> Walker | None:
    """Return somebody who starts somewhere on a pavement at a tick, and walks until they or the recording end."""
    pavements = [way for way in ways if not way.crosses]
    if not pavements:
        return None
    way = pavements[int(rng.integers(len(pavements)))]
    away = np.hypot(*(way.line - centre).T)
    possible = np.flatnonzero((away < 75) if start == 0 else (away > _FAR) & (away < 130))
    if not len(possible):
        return None
    speed, aside = rng.uniform(1.0, 1.7), rng.uniform(-0.6, 0.6)
    at, ahead = int(rng.choice(possible)), int(rng.choice([-1, 1]))
    places: list[np.ndarray] = []
    tick = start
    while tick < ticks:
        stretch, crossing = _stretch(ways, way, at, ahead, rng)
        tick = _tread(way, stretch, tick, ticks, speed, places)
        if crossing is None or tick >= ticks:
            break
        way, at, ahead = crossing
    if len(places) < 10:
        return None
    line = np.array(places)
    return Walker(start, _with_headings(line, aside), int(rng.integers(2**31)))


def _stretch(
    ways: list[_Way], way: _Way, at: int, ahead: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[_Way, int, int] | None]:
    """Return which points of a way one treads on, and where one goes on from there: way, point, direction."""
    rest = np.arange(at, len(way.line) if ahead > 0 else -1, ahead)
    if way.crosses:
        return rest, _nearest(ways, way, way.line[rest[-1]], rng, crossing=False)
    for place, point in enumerate(way.line[rest]):
        if place > 3:
            found = _nearest(ways, way, point, rng, crossing=True)
            if found is not None and rng.random() < _CROSSES / 4:
                return rest[: place + 1], found
    return rest, None


def _nearest(
    ways: list[_Way], own: _Way, point: np.ndarray, rng: np.random.Generator, *, crossing: bool
) -> tuple[_Way, int, int] | None:
    """Return the way that begins, or for a pavement passes, next to a point."""
    for way in ways:
        if way is own or way.crosses is not crossing:
            continue
        away = np.hypot(*(way.line - point).T)
        if crossing:
            away[1:-1] = np.inf
        place = int(np.argmin(away))
        if away[place] < _JOIN:
            direction = (1 if place == 0 else -1) if crossing else int(rng.choice([-1, 1]))
            return way, place, direction
    return None


def _tread(  # noqa: PLR0917
    way: _Way, stretch: np.ndarray, tick: int, ticks: int, speed: float, places: list[np.ndarray]
) -> int:
    """Walk along points of a way from a tick on, adding a place a tick; return the tick after."""
    line = way.line[stretch]
    if places:  # from where one is, which may be a few steps off
        line, stretch = np.vstack([places[-1], line]), np.append(stretch[:1], stretch)
    if len(line) < 2:
        return tick
    along = lengths(line)
    gone = 0.0
    steps = np.arange(int(along[-1] / (speed * DT)) + 1)
    points = np.searchsorted(along, steps * speed * DT, side="right") - 1
    while gone < along[-1] and tick < ticks:
        free = True
        if way.occupied is not None:
            if way.crosses and gone == 0.0:  # the whole of it, as there is no stopping in the middle
                later = np.minimum(tick + steps, ticks - 1)
                free = not way.occupied[later, stretch[points]].any()
            elif not way.crosses:
                near = stretch[np.searchsorted(along, [gone, gone + 1.2, gone + 2.4]).clip(max=len(stretch) - 1)]
                free = not way.occupied[tick, near[1:]].any() or bool(way.occupied[tick, near[0]])
        if free:
            gone += speed * DT
        places.append(np.array([np.interp(gone, along, line[:, axis]) for axis in (0, 1)]))
        tick += 1
    return tick


def _with_headings(line: np.ndarray, aside: float) -> np.ndarray:
    """Return poses on a trodden line, somewhat to its side, float64 [T, 3]; who stands keeps looking ahead."""
    width = 9
    smooth = np.column_stack(
        [
            np.convolve(np.pad(line[:, axis], width // 2, mode="edge"), np.full(width, 1 / width), mode="valid")
            for axis in (0, 1)
        ]
    )
    steps = np.gradient(smooth, axis=0)
    moving = np.hypot(*steps.T) > 0.02
    last = np.maximum.accumulate(np.where(moving, np.arange(len(line)), -1))
    last[last < 0] = int(np.argmax(moving)) if moving.any() else 0
    headings = np.unwrap(np.arctan2(steps[last, 1], steps[last, 0]))
    headings = np.convolve(np.pad(headings, 8, mode="edge"), np.full(17, 1 / 17), mode="valid")
    across = np.column_stack([-np.sin(headings), np.cos(headings)])
    return np.column_stack([smooth + aside * across, headings])

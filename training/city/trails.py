"""From how far cars went to where they were: trails on the ground, poses along them, and what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .cars import DT
from .world import Motion

if TYPE_CHECKING:
    from .cars import Car, Piece
    from .network import Network, Track
    from .world import Manoeuvre

_STEP = 0.4  # metres between the points of a trail
_AXLES = 0.58  # distance of the axles as a share of the length
_TURNED, _BACK = np.radians(38), np.radians(150)
_STANDS, _SECONDS = 0.1, 1.0  # m/s below which it stands, and for how long it must to have stopped
_BRAKING = -0.55  # m/s² at which brake lamps light
_BLINK = 32.0  # metres before a turn at which its indicator starts


def motion_of(car: Car, network: Network, lanes: int, *, until: int) -> Motion:
    """Return a car's motion. lanes: how many of the network's are the layout's.  until: tick to which one that has
    parked stays there.
    """
    marks = np.array([mark[:2] for mark in car.marks])
    own = np.array([mark[2] for mark in car.marks], np.int16)
    odometer, speed = marks[:, 0], marks[:, 1]
    poses = np.column_stack([_poses(car, network, odometer), speed])
    gains = np.gradient(_smooth(speed), DT) if len(speed) > 1 else np.zeros(len(speed))
    brakes = (gains < _BRAKING) | (speed < 0.25)
    signals = _signals(car, network, odometer)
    own[own >= lanes] = -1
    rest = max(0, until - car.born - len(poses)) if car.slot >= 0 and car.done else 0
    if rest:
        poses = np.vstack([poses, np.repeat(poses[-1:] * (1, 1, 1, 0), rest, axis=0)])
        brakes, signals = np.pad(brakes, (0, rest)), np.pad(signals, (0, rest))
        own = np.pad(own, (0, rest), mode="edge")
    wait = max(0, car.born) if car.pieces[0].backwards else 0  # parked before it leaves
    if wait:
        poses = np.vstack([np.repeat(poses[:1] * (1, 1, 1, 0), wait, axis=0), poses])
        brakes, signals = np.pad(brakes, (wait, 0)), np.pad(signals, (wait, 0))
        own = np.pad(own, (wait, 0), mode="edge")
    return Motion(
        vehicle=car.vehicle,
        start=car.born - wait,
        poses=poses,
        brakes=brakes,
        signals=signals,
        lanes=own,
        manoeuvre=_manoeuvre(car, network),
        stops=stands(poses[:, 3]),
        changes_lane=any(piece.shift is not None for piece in car.pieces),
    )


def stands(speed: np.ndarray) -> bool:
    """Tell whether someone stands still for a second or more."""
    still = np.concatenate([[0], (speed < _STANDS).astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(still))
    return bool((edges[1::2] - edges[::2]).max(initial=0) >= _SECONDS / DT)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return the running mean over half a second."""
    if len(values) < 5:
        return values
    return np.convolve(np.pad(values, 2, mode="edge"), np.full(5, 0.2), mode="valid")


def _poses(car: Car, network: Network, odometer: np.ndarray) -> np.ndarray:
    """Return x, y and heading at odometer readings [T], float64 [T, 3], both axles on the trail."""
    turnings = [place for place, piece in enumerate(car.pieces) if place and car.pieces[place - 1].backwards]
    if not turnings:
        return _roll(car, network, car.pieces, odometer)
    first, rest = car.pieces[: turnings[0]], car.pieces[turnings[0] :]
    split = int(np.searchsorted(odometer, rest[0].odometer, side="left"))
    # Backwards: along the way into the slot, from its end to its beginning, nose to the slot all the time.
    way = network.tracks[first[0].lane]
    out = _along(way, car, way.length - odometer[:split])
    forward = _roll(car, network, rest, odometer[split:])
    shift = 2 * np.pi * np.round((out[-1, 2] - forward[0, 2]) / (2 * np.pi)) if len(out) and len(forward) else 0.0
    forward[:, 2] += shift
    return np.vstack([out, forward])


def _along(way: Track, car: Car, s: np.ndarray) -> np.ndarray:
    """Return poses along one lane, float64 [T, 3]."""
    half = _AXLES * car.length / 2
    return _between(way.at(s - half), way.at(s + half))


def _between(rear: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Return the poses of vehicles with these places of their axles."""
    heading = np.unwrap(np.arctan2(front[:, 1] - rear[:, 1], front[:, 0] - rear[:, 0]))
    return np.column_stack([(rear + front) / 2, heading])


def _roll(car: Car, network: Network, pieces: list[Piece], odometer: np.ndarray) -> np.ndarray:
    """Return poses along a trail of several lanes, float64 [T, 3]."""
    if not len(odometer):
        return np.zeros((0, 3))
    half = _AXLES * car.length / 2
    grid = np.arange(odometer[0] - half - _STEP, odometer[-1] + half + 2 * _STEP, _STEP)
    points = np.zeros((len(grid), 2))
    for place, piece in enumerate(pieces):
        end = pieces[place + 1].odometer if place + 1 < len(pieces) else np.inf
        own = (grid >= (piece.odometer if place else -np.inf)) & (grid < end)
        points[own] = network.tracks[piece.lane].at(piece.s + grid[own] - piece.odometer)
    for piece in pieces:
        if piece.shift is None:
            continue
        shift = piece.shift
        share = (grid - shift.begun) / shift.length
        during = (share >= 0) & (share < 1)
        stay = network.tracks[shift.lane].at(shift.s + (grid[during] - shift.begun) * shift.rate)
        u = share[during][:, None]
        blend = u**3 * (10 - 15 * u + 6 * u**2)
        points[during] = (1 - blend) * stay + blend * points[during]

    def at(where: np.ndarray) -> np.ndarray:
        return np.column_stack([np.interp(where, grid, points[:, axis]) for axis in (0, 1)])

    return _between(at(odometer - half), at(odometer + half))


def _turns(car: Car, network: Network) -> list[tuple[float, float, float]]:
    """Return odometers at the ends of each lane through a junction that a car took, and by how much it turned."""
    found = []
    for place, piece in enumerate(car.pieces):
        track = network.tracks[piece.lane]
        if track.lane.role == "turn" and piece.s < 1e-6:
            end = car.pieces[place + 1].odometer if place + 1 < len(car.pieces) else car.odometer
            found.append((piece.odometer, end, track.turn))
    return found


def _manoeuvre(car: Car, network: Network) -> Manoeuvre:
    """Return what a car did at the junction: its last turn there."""
    for _, _, turn in reversed(_turns(car, network)):
        if abs(turn) > _BACK:
            return "u-turn"
        if abs(turn) > _TURNED:
            return "left" if turn > 0 else "right"
    return "straight"


def _signals(car: Car, network: Network, odometer: np.ndarray) -> np.ndarray:
    """Return the indicators, int8 [T]: before and in turns, while changing lanes, and on the way into a slot."""
    signals = np.zeros(len(odometer), np.int8)
    spans = list(car.blinks)
    for start, end, turn in _turns(car, network):
        if abs(turn) > _TURNED:
            spans.append((start - _BLINK, end - 1.0, 1 if turn > 0 else -1))
    last = car.pieces[-1]
    if car.slot >= 0 and network.tracks[last.lane].lane.role == "through" and car.done:
        side = 1 if network.tracks[last.lane].turn > 0 else -1
        spans.append((last.odometer - 14, car.odometer - 0.5, side))
    if car.blinkers:
        for start, end, side in spans:
            signals[(odometer >= start) & (odometer <= end)] = side
    return signals

"""Ways into slots from the aisles along which they lie, and out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .network import make_track
from .roads import connect, turn_between
from .world import Lane

if TYPE_CHECKING:
    from .network import Network

_CREEP = 2.6  # m/s
_FARTHEST = 9.0  # metres from an aisle's line to the middle of a slot


@dataclass(frozen=True, slots=True)
class SlotWay:
    """The way into a slot. slot: its row.  aisle: the lane it leads off, at `mouth` metres.

    clear: metres along the way after which the aisle is free for others.
    """

    slot: int
    aisle: int
    mouth: float
    clear: float


def open_slots(network: Network, slots: np.ndarray) -> dict[int, SlotWay]:
    """Add a lane to the network for each slot one can drive into from an aisle, and return them by number."""
    aisles = [n for n, track in enumerate(network.tracks) if track.lane.role == "through" and track.lane.limit < 8]
    ways: dict[int, SlotWay] = {}
    for row, (x, y, heading) in enumerate(slots):
        for aisle in aisles:
            track = network.tracks[aisle]
            away = np.hypot(*(track.line - (x, y)).T)
            nearest = int(np.argmin(away))
            turn = turn_between(track.headings[nearest], heading)
            if away[nearest] > _FARTHEST or not 0.6 < abs(turn) < 2.0:
                continue
            # Where the slot's axis meets the aisle, and before that room to swing in.
            meets = nearest * track.step - away[nearest] / np.tan(abs(turn))
            mouth = meets - 5.6
            if not 2.0 < mouth < track.length - 9:
                continue
            start = track.at(np.array([mouth]))[0]
            line = connect(
                start, float(track.headings[int(mouth / track.step)]), np.array([x, y]), heading, spacing=0.5
            )
            way = make_track(Lane(line, 2.6, _CREEP, "through"))
            ways[len(network.tracks)] = SlotWay(row, aisle, float(mouth), way.length - 1.6)
            network.tracks.append(way)
            network.groups.append(frozenset({len(network.tracks) - 1}))
            way.beside = {}
            break
    return ways

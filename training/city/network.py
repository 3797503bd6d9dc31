"""A layout's lanes as a network: what follows what, what runs beside what, and where lanes get in each other's way.

All of it is found from the lines alone. Lanes are told by their number in `Layout.lanes`; `s` is metres along one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .roads import lengths, turn_between
from .world import Lane

_TOUCH = 0.3  # metres within which the end of one lane is the start of another
_CROSS = 3.0  # lines nearer than this cannot be driven at the same time
_PART = 2.9  # metres by which lanes from one start have parted, so that one no longer follows who took the other
_BESIDE = (2.3, 4.8)  # metres between the lines of lanes between which one changes
_SIDE_GRIP = 2.2  # m/s², sideways, that drivers like in bends
_SLOWEST_BEND = 3.2  # m/s


@dataclass(slots=True, eq=False)
class Track:
    """A lane made ready to drive on.

    line, headings: at steps of `step` metres.  caps: m/s that limit and bends allow at each of them.
    next: lanes that follow.  beside: for each lane next to it, where its own points lie on that one, NaN where not.
    turn: by how much one turns on it, radians.
    """

    lane: Lane
    line: np.ndarray
    headings: np.ndarray
    caps: np.ndarray
    length: float
    step: float
    turn: float
    next: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    beside: dict[int, np.ndarray] | None = None

    def at(self, s: np.ndarray) -> np.ndarray:
        """Return the points at float64 [N] metres along, float64 [N, 2], straight on beyond either end."""
        along = np.arange(len(self.line)) * self.step
        points = np.column_stack([np.interp(s, along, self.line[:, axis]) for axis in (0, 1)])
        for end, beyond in ((0, np.minimum(s, 0.0)), (-1, np.maximum(s - self.length, 0.0))):
            heading = self.headings[end]
            points += beyond[:, None] * np.array([np.cos(heading), np.sin(heading)])
        return points

    def cap(self, s: float) -> float:
        """Return the speed allowed at a place, m/s."""
        return float(self.caps[min(max(int(s / self.step), 0), len(self.caps) - 1)])


def make_track(lane: Lane) -> Track:
    """Return a lane with its headings and the speeds that its bends allow."""
    line = np.asarray(lane.line, float)
    total = float(lengths(line)[-1])
    steps = np.diff(line, axis=0)
    between = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    headings = np.concatenate([[between[0]], (between[1:] + between[:-1]) / 2, [between[-1]]])
    step = total / (len(line) - 1)
    bends = np.abs(np.gradient(headings, step)) if len(headings) > 2 else np.zeros(len(headings))
    if len(bends) > 8:
        bends = np.convolve(np.pad(bends, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    caps = np.clip(np.sqrt(_SIDE_GRIP / np.maximum(bends, 1e-6)), min(_SLOWEST_BEND, lane.limit), lane.limit)
    for place in range(len(caps) - 2, -1, -1):  # brake in time for what comes
        caps[place] = min(caps[place], np.sqrt(caps[place + 1] ** 2 + 2 * 1.6 * step))
    return Track(lane, line, headings, caps, total, step, turn_between(between[0], between[-1] + 1e-9))


class Network:
    """All lanes of a layout.

    tracks: one a lane.  conflicts: for a gated lane, the lanes that cross or join it, and up to where on *those* they
    do so, in metres (from, to).  parting: for lanes that start together, s up to which they are one.
    gated: lanes that one enters only when they are free.  entries: lanes on which one comes in from outside.
    """

    def __init__(self, lanes: tuple[Lane, ...]) -> None:
        self.tracks = [make_track(lane) for lane in lanes]
        self._join()
        for number, track in enumerate(self.tracks):
            track.beside = self._beside(number)
        self.groups = self._groups()
        self.conflicts: dict[int, dict[int, tuple[float, float]]] = {}
        self.parting: dict[tuple[int, int], float] = {}
        self._cross()
        self.gated = {
            number
            for number, track in enumerate(self.tracks)
            if track.before and (track.lane.role == "turn" or number in self.conflicts)
        }
        joined = {m for track in self.tracks for m, places in track.beside.items() if _joins(places)}
        self.dead_ends = {
            number
            for number, track in enumerate(self.tracks)
            if not track.next and any(_ends_beside(self.tracks[m], places) for m, places in track.beside.items())
        }
        self.entries = [n for n, track in enumerate(self.tracks) if not track.before and n not in joined]

    def _join(self) -> None:
        starts = np.array([track.line[0] for track in self.tracks])
        for number, track in enumerate(self.tracks):
            near = np.hypot(*(starts - track.line[-1]).T) < _TOUCH
            ahead = [abs(turn_between(track.headings[-1], other.headings[0])) < 0.6 for other in self.tracks]
            track.next = tuple(np.flatnonzero(near & ahead).tolist())
            for follower in track.next:
                self.tracks[follower].before += (number,)

    def _beside(self, number: int) -> dict[int, np.ndarray]:
        """Return where the points of a lane lie on each lane beside it, NaN where that is not beside it."""
        own, found = self.tracks[number], {}
        if own.lane.role == "turn":
            return found
        for other, track in enumerate(self.tracks):
            if other == number or track.lane.role == "turn":
                continue
            if np.cos(own.headings[len(own.line) // 2] - track.headings[len(track.line) // 2]) < 0:
                continue
            gaps = np.hypot(*(own.line[:, None] - track.line[None]).transpose(2, 0, 1))
            nearest = gaps.argmin(1)
            turned = np.cos(own.headings - track.headings[nearest])
            distance = gaps[np.arange(len(gaps)), nearest]
            inner = (nearest > 0) & (nearest < len(track.line) - 1)
            good = (distance > _BESIDE[0]) & (distance < _BESIDE[1]) & (turned > 0.995) & inner
            if np.count_nonzero(good) * own.step > 25:
                found[other] = np.where(good, nearest * track.step, np.nan)
        return found

    def _groups(self) -> list[frozenset[int]]:
        """Return for each lane those that one can change to from it, one after the other, itself with them."""
        groups = []
        for number in range(len(self.tracks)):
            seen, todo = {number}, [number]
            while todo:
                for other in self.tracks[todo.pop()].beside:
                    if other not in seen:
                        seen.add(other)
                        todo.append(other)
            groups.append(frozenset(seen))
        return groups

    def _cross(self) -> None:
        for first, a in enumerate(self.tracks):
            for second, b in enumerate(self.tracks):
                if first == second or not a.before or not b.before:
                    continue
                both = a.lane.role == b.lane.role == "turn"
                joining = bool(set(a.next) & set(b.next))
                if not both and not joining:
                    continue
                gaps = np.hypot(*(a.line[:, None] - b.line[None]).transpose(2, 0, 1))
                if set(a.before) & set(b.before):
                    apart = np.flatnonzero(gaps.min(1) > _PART)
                    self.parting[first, second] = float(apart[0] * a.step) if len(apart) else a.length
                    continue
                near = np.flatnonzero(gaps.min(0) < _CROSS)
                if len(near):
                    end = b.length if joining else float(near[-1] * b.step)
                    self.conflicts.setdefault(first, {})[second] = (float(near[0] * b.step), end)

    def hop(self, lane: int, goal: int) -> int | None:
        """Return the lane beside `lane` to change to on the way to `goal`, None where there is none."""
        if lane == goal:
            return None
        seen, todo = {lane: lane}, [lane]
        while todo:
            here = todo.pop(0)
            for other in sorted(self.tracks[here].beside):
                if other not in seen:
                    seen[other] = other if here == lane else seen[here]
                    if other == goal:
                        return seen[other]
                    todo.append(other)
        return None

    def way(self, lane: int, goal: int) -> list[int] | None:
        """Return the fewest lanes that lead on from `lane` to `goal`, None where none do."""
        ways, todo = {lane: []}, [lane]
        while todo:
            here = todo.pop(0)
            if here == goal:
                return ways[here]
            for other in self.tracks[here].next:
                if other not in ways:
                    ways[other] = [*ways[here], other]
                    todo.append(other)
        return None

    def place_beside(self, lane: int, other: int, s: float) -> float:
        """Return where on the lane beside it a place lies, NaN where they do not run beside each other."""
        track = self.tracks[lane]
        places = track.beside[other]
        exact = s / track.step
        low = min(max(int(exact), 0), len(places) - 2)
        return float(places[low] + (exact - low) * (places[low + 1] - places[low]))


def _joins(places: np.ndarray) -> bool:
    """Tell whether a lane beside begins in the middle of this one: where its first places lie."""
    good = np.flatnonzero(~np.isnan(places))
    return bool(good[0] > 12 and places[good[0]] < 4)


def _ends_beside(other: Track, places: np.ndarray) -> bool:
    """Tell whether a lane ends beside the middle of another."""
    good = np.flatnonzero(~np.isnan(places))
    return bool(good[-1] >= len(places) - 4 and places[good[-1]] < other.length - 12)

"""How one drives: keeping behind those ahead, slowing down for bends, and stopping where one must.

A car moves along its lanes in one dimension, by the intelligent driver model; where it is on the ground is found from
its trail afterwards (`trails`).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from .cars import DT, Piece
from .changing import LaneChanges
from .rights import BRAKE, LINE, RightOfWay

if TYPE_CHECKING:
    from .cars import Car
    from .lights import Lights
    from .network import Network
    from .parking import SlotWay

_SIGHT = 90.0  # metres ahead that a driver heeds
_HARDEST = 8.0
_BACKING = 1.4  # m/s


class Driving:
    """Everybody under way at one moment, and the rules by which the next follows."""

    def __init__(
        self, network: Network, lights: Lights, rng: np.random.Generator, ways: dict[int, SlotWay] | None = None
    ) -> None:
        self.network = network
        self.rights, self.changes = RightOfWay(self, lights), LaneChanges(self, rng)
        self.ways = ways or {}
        self.cars: list[Car] = []
        self.tick = 0
        self.rows: dict[int, list[tuple[float, int, Car]]] = {}

    @property
    def seconds(self) -> float:
        """The time."""
        return self.tick * DT

    def step(self) -> None:
        """Let a tenth of a second pass."""
        self.line_up()
        self.rights.hear()
        for car in self.cars:
            self.changes.consider(car)
        gains = [self._gain(car) for car in self.cars]
        for car, gain in zip(self.cars, gains, strict=True):
            self._move(car, gain)
        self.cars = [car for car in self.cars if not car.done]
        self.tick += 1

    def line_up(self) -> None:
        """Sort everybody by lane, on two lanes while changing."""
        rows: dict[int, list[tuple[float, int, Car]]] = {}
        for car in self.cars:
            if not car.backwards:
                rows.setdefault(car.lane, []).append((car.s, car.vehicle.number, car))
            if car.shift is not None:
                rows.setdefault(car.shift.lane, []).append((car.shift.s, car.vehicle.number, car))
            way = self.ways.get(car.lane)
            if way is not None and (car.backwards or car.s < way.clear):  # it still stands across the aisle
                at = way.mouth + (0.0 if car.backwards else min(car.s, 4.0))
                rows.setdefault(way.aisle, []).append((at, car.vehicle.number, car))
        for row in rows.values():
            row.sort(key=lambda one: one[:2])
        self.rows = rows

    def end(self, car: Car) -> float:
        """Return where a car leaves its lane: its end, or the mouth of the slot it is bound for."""
        way = self.ways.get(car.todo[0]) if car.todo else None
        return self.network.tracks[car.lane].length if way is None else way.mouth

    # Who is ahead

    def ahead(self, car: Car, lane: int, s: float, todo: list[int]) -> tuple[float, float]:
        """Return the gap to whom a car at s of a lane would follow, bumper to bumper, and their speed, or inf."""
        best, speed, base = np.inf, 0.0, -s
        before = lane
        for place, here in enumerate([lane, *todo]):
            if base > _SIGHT:
                break
            others = [here]
            if place:  # those who part from us at the end of the lane before are still in our way at first
                others += [n for n in self.network.tracks[before].next if n != here]
            else:
                others += [n for n in self._siblings(here) if n != here]
            for other in others:
                limit = np.inf if other == here else self.network.parting.get((here, other), 0.0)
                for at, _, one in self.beyond(other, s if place == 0 else -1.0):
                    if one is car:
                        continue
                    gap = base + at - (one.length + car.length) / 2
                    if at - one.length / 2 < limit and gap < best:
                        best, speed = gap, one.speed if not one.backwards else 0.0
                    break
            before, base = here, base + self.network.tracks[here].length
            if best < np.inf:
                break
        return best, speed

    def _siblings(self, lane: int) -> list[int]:
        """Return the lanes that start where this one does, those of a junction."""
        track = self.network.tracks[lane]
        return [n for b in track.before for n in self.network.tracks[b].next] if lane in self.network.gated else []

    def beyond(self, lane: int, s: float) -> list[tuple[float, int, Car]]:
        """Return those of a lane beyond s, the nearest first."""
        row = self.rows.get(lane, ())
        return row[bisect_right(row, s, key=lambda one: one[0]) :] if row else []

    def behind(self, lane: int, s: float) -> tuple[float, Car] | None:
        """Return the next behind a place of a lane, and where on the lane; it looks at the lane before too."""
        row = self.rows.get(lane, [])
        place = bisect_right(row, s, key=lambda one: one[0]) - 1
        if place >= 0:
            return row[place][0], row[place][2]
        for before in self.network.tracks[lane].before:
            row = self.rows.get(before, [])
            if row:
                return row[-1][0] - self.network.tracks[before].length, row[-1][2]
        return None

    # How fast

    def follow(self, car: Car, speed: float, wanted: float, gap: float, other: float) -> float:
        """Return the change of speed of the intelligent driver model, m/s²."""
        free = 1 - (speed / max(wanted, 0.1)) ** 4 if speed <= wanted else -min((speed - wanted) / 0.8, 2.5) / car.eager
        if gap == np.inf:
            return car.eager * free
        gap = max(gap, 0.05)
        keep = car.gap + max(0.0, speed * car.headway + speed * (speed - other) / (2 * np.sqrt(car.eager * BRAKE)))
        return max(car.eager * (free - (keep / gap) ** 2), -_HARDEST)

    def _wanted(self, car: Car) -> float:
        """Return the speed that limits and bends here and soon allow a car."""
        track = self.network.tracks[car.lane]
        wanted = track.cap(car.s) * (car.haste if track.cap(car.s) > 6 else 1.0)
        left = self.end(car) - car.s
        for follower in car.todo[:2]:
            bend = self.network.tracks[follower].caps[0]
            wanted = min(wanted, float(np.sqrt(bend**2 + 2 * 1.5 * max(left, 0.0))))
            left += self.network.tracks[follower].length
        return wanted

    def _gain(self, car: Car) -> float:
        """Return the change of speed a car's driver chooses, m/s²."""
        wanted = self._wanted(car)
        if car.backwards:
            left = self.network.tracks[car.lane].length - car.s
            return min(self.follow(car, car.speed, _BACKING, np.inf, 0.0), self._halt(car, left))
        gap, other = self.ahead(car, car.lane, car.s, car.todo)
        gain = self.follow(car, car.speed, wanted, gap, other)
        if car.shift is not None:
            gap, other = self.ahead(car, car.shift.lane, car.shift.s, [])
            gain = min(gain, self.follow(car, car.speed, wanted, gap, other))
        left = self.end(car) - car.s
        if self.rights.must_wait(car):
            gain = min(gain, self._halt(car, left - car.length / 2 - LINE))
        elif car.slot >= 0 and not car.todo:
            gain = min(gain, self._halt(car, left))
        return gain

    @staticmethod
    def _halt(car: Car, left: float) -> float:
        """Return the change of speed that stops a car within so many metres, none while it need not brake yet."""
        if left <= 0.05:
            return -car.speed / DT if car.speed < 1.0 else -_HARDEST
        need = car.speed**2 / (2 * left)
        if need < 0.75 * BRAKE:
            return car.eager if left > 1.5 else (max(0.25, 0.6 * left) - car.speed) / 0.4
        return -min(need * 1.05, _HARDEST)

    def _move(self, car: Car, gain: float) -> None:
        """Move a car on, from lane to lane."""
        if car.pause:
            car.pause -= 1
            gain = -_HARDEST
        before = car.speed
        car.speed = max(0.0, before + gain * DT)
        if car.speed < 0.03 and gain < 0.05:
            car.speed = 0.0
        stride = (before + car.speed) / 2 * DT
        car.odometer += stride
        car.s += stride
        car.marks.append((car.odometer, car.speed, car.lane))
        if car.shift is not None:
            car.shift.s += stride * car.shift.rate
            if car.odometer - car.shift.begun >= car.shift.length:
                car.shift = None
        while not car.done and car.s >= self.end(car) - (0.06 if car.lane in self.ways else 0.0):
            if car.backwards:
                self._turn_forward(car)
            elif car.todo:
                self._enter(car, car.s - self.end(car))
            else:
                car.done = True
        self.rights.release(car)

    def _enter(self, car: Car, s: float) -> None:
        """Go on to the next lane."""
        car.lane = car.goal = car.todo.pop(0)
        car.s = s
        car.waits = 0
        car.wish_at = np.inf
        car.pieces.append(Piece(car.odometer - s, car.lane, 0.0))

    def _turn_forward(self, car: Car) -> None:
        """Having backed out of a slot, go on along the aisle after a moment."""
        way = self.ways[car.lane]
        car.backwards, car.pause, car.speed = False, 8, 0.0
        car.lane, car.s = way.aisle, way.mouth
        car.pieces.append(Piece(car.odometer, car.lane, car.s))

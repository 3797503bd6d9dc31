"""Who goes first where lanes cross or join.

A car goes into a junction only once it has a claim on its lane there. It gets one only while every car with a claim on
a lane that crosses it is past the crossing, if its light allows it, and if nobody who goes first is about to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .cars import DT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cars import Car
    from .driving import Driving
    from .lights import Lights

BRAKE = 2.1  # m/s², for a stop that is seen in time
LINE = 1.0  # metres before the stop line at which one stops
_PATIENCE = 16.0  # seconds of waiting after which the others let one go


class RightOfWay:
    """Hands out claims. claimed: who has one on a lane of a junction."""

    def __init__(self, driving: Driving, lights: Lights) -> None:
        self.driving, self.lights, self.network = driving, lights, driving.network
        self.claimed: dict[int, list[Car]] = {}

    def hear(self) -> None:
        """Hear everybody who nears a junction, those first who go first, and give claims to those who may go."""
        held: list[int] = []
        for impatient, rank, _, _, car, left in sorted(self._asking(), key=lambda one: one[:4]):
            lane = car.todo[0]
            crossings = self.network.conflicts.get(lane, {})
            if any(other in crossings for other in held) or not self._is_free(lane, car):
                if not impatient:
                    held.append(lane)
            elif not (impatient and self._yields(car, rank, left)):
                car.claims[lane] = car.odometer + self.network.tracks[car.lane].length - car.s
                self.claimed.setdefault(lane, []).append(car)

    def _asking(self) -> Iterator[tuple[bool, int, int, int, Car, float]]:
        """Yield who wants to go into a junction now: in what order they are heard, the car, metres to the line."""
        for car in self.driving.cars:
            if not self._needs_claim(car) or car.lane != car.goal or self._is_behind_a_claimless(car):
                continue
            left = self.network.tracks[car.lane].length - car.s - car.length / 2 - LINE
            if car.speed < 0.5 and left < 6:
                car.waits += 1
            near = left < car.speed**2 / (2 * BRAKE) + 0.7 * car.speed + 3
            state = self.lights.state(car.lane, self.driving.seconds)
            if near and car.shift is None and self._may(car, state, left):
                yield car.waits * DT <= _PATIENCE, self.rank(car.todo[0]), -car.waits, car.vehicle.number, car, left

    def _needs_claim(self, car: Car) -> bool:
        """Tell whether a car must yet claim the lane that it goes on to."""
        return bool(car.todo) and car.todo[0] in self.network.gated and car.todo[0] not in car.claims

    def must_wait(self, car: Car) -> bool:
        """Tell whether a car may not leave its lane yet: no claim on what follows, or a lane that ends."""
        if not car.todo:
            return car.lane in self.network.dead_ends
        return car.lane != car.goal or self._needs_claim(car)

    def release(self, car: Car) -> None:
        """Take back the claims of a car that is past what crosses its way, or has left."""
        for lane in [n for n, start in car.claims.items() if car.done or self._has_cleared(car, n, start)]:
            del car.claims[lane]
            self.claimed[lane].remove(car)

    def _is_behind_a_claimless(self, car: Car) -> bool:
        """Tell whether somebody before a car on its lane has no claim yet: it must not claim what it cannot reach."""
        others = [one for _, _, one in self.driving.beyond(car.lane, car.s) if one.lane == car.lane]
        return any(self._needs_claim(one) for one in others)

    def _may(self, car: Car, state: str, left: float) -> bool:
        """Tell whether the light lets a car ask: who waits to turn left goes when the others have amber."""
        if state in {"green", "none"}:
            return True
        turns = self.network.tracks[car.todo[0]].turn > 0.6
        return state in {"amber", "clearing"} and turns and car.waits > 20 and left < 3

    def rank(self, lane: int) -> int:
        """Return who goes first: 0 for straight on, 1 for turning off, 2 for coming in from the side."""
        track = self.network.tracks[lane]
        sources = {n for b in track.before for n in self.network.groups[b]}
        main = any(abs(self.network.tracks[n].turn) < 0.5 for b in sources for n in self.network.tracks[b].next)
        if not main:
            return 2
        return 1 if track.turn > 0.6 else 0

    def _is_free(self, lane: int, car: Car) -> bool:
        """Tell whether all who claimed a crossing lane are past the crossing."""
        for other, (_, end) in self.network.conflicts.get(lane, {}).items():
            for one in self.claimed.get(other, ()):
                if one is not car and one.odometer - one.claims[other] - one.length / 2 < end + 0.5:
                    return False
        return True

    def _yields(self, car: Car, rank: int, left: float) -> bool:
        """Tell whether a car waits for those who go first and would come while it crosses their way."""
        if rank == 0:
            return False
        lane = car.todo[0]
        crossings = self.network.conflicts.get(lane, {})
        for one in self.driving.cars:
            if one is car or not one.todo or one.todo[0] not in crossings or one.backwards:
                continue
            other = one.todo[0]
            if self.rank(other) >= rank or self.lights.state(one.lane, self.driving.seconds) not in {"green", "none"}:
                continue
            away = self.network.tracks[one.lane].length - one.s + crossings[other][0] - one.length / 2
            end = self.network.conflicts[other][lane][1]
            distance = left + end + car.length
            mine = (-car.speed + np.sqrt(car.speed**2 + 2 * car.eager * distance)) / car.eager
            # Who waits counts as one who sets off now.
            soon = (-one.speed + np.sqrt(one.speed**2 + 2 * one.eager * max(away, 0.0))) / one.eager
            theirs = max(soon, away / self.network.tracks[one.lane].lane.limit)
            if theirs < max(mine, distance / 7.0) + 1.0:
                return True
        return False

    def _has_cleared(self, car: Car, lane: int, start: float) -> bool:
        """Tell whether a car has its tail out of all that crosses a lane it claimed."""
        crossings = self.network.conflicts.get(lane, {})
        end = max((self.network.conflicts[other][lane][1] for other in crossings), default=0.0)
        return car.odometer - start - car.length / 2 > end + 0.5

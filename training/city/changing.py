"""When and how one changes lanes: because one must, to be where one's way goes on, or to overtake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .cars import Piece, Shift

if TYPE_CHECKING:
    from .cars import Car
    from .driving import Driving


class LaneChanges:
    """Lets cars begin to change lanes; the rest is done as they drive."""

    def __init__(self, driving: Driving, rng: np.random.Generator) -> None:
        self.driving, self.network, self.rng = driving, driving.network, rng

    def consider(self, car: Car) -> None:
        """Begin to change lanes if the car has to, or likes to and can."""
        if car.shift is not None or car.backwards or car.claims or car.slot >= 0:
            return
        track = self.network.tracks[car.lane]
        urgent = car.lane in self.network.dead_ends
        if car.lane == car.goal:
            self._wish(car)
            return
        if not urgent and car.todo and track.length - car.s < 22 + car.length:
            self._give_up(car)
            return
        if not urgent and car.s < car.wish_at:
            return
        target = self.network.hop(car.lane, car.goal)
        if target is None:
            car.goal = car.lane
        elif car.speed > 4.0 or urgent:
            self._change(car, target, urgent)

    def _wish(self, car: Car) -> None:
        """Now and then overtake someone slow where nothing but the road's end is to come."""
        if car.todo or self.driving.tick % 5 or self.rng.random() > 0.15:
            return
        gap, other = self.driving.ahead(car, car.lane, car.s, [])
        if gap > 45 or other > car.speed - 0.5 or car.speed < 6:
            return
        for lane in sorted(self.network.tracks[car.lane].beside):
            s = self.network.place_beside(car.lane, lane, car.s)
            if not np.isnan(s) and lane not in self.network.dead_ends and self.network.tracks[lane].length - s > 60:
                room, _ = self.driving.ahead(car, lane, s, [])
                if room > gap + 15 and self._change(car, lane, False):
                    car.goal = lane
                    return

    def _give_up(self, car: Car) -> None:
        """Go where the own lane leads, as it is too late to change to another."""
        follower = self.network.tracks[car.lane].next
        car.goal, car.todo = car.lane, []
        while follower:
            car.todo.append(int(self.rng.choice(follower)))
            follower = self.network.tracks[car.todo[-1]].next

    def _change(self, car: Car, target: int, urgent: bool) -> bool:
        """Begin to change to a lane beside if there is room, lengthwise and between the others there."""
        s = self.network.place_beside(car.lane, target, car.s)
        if np.isnan(s):
            return False
        length = float(np.clip(3.8 * car.speed, 24, 110))
        left = self.network.tracks[car.lane].length - car.s - car.length / 2 - 1
        if urgent:
            length = min(length, max(left, 16.0))
        far = self.network.place_beside(car.lane, target, car.s + length)
        if urgent and np.isnan(far):  # the last of a lane that ends narrows only behind its end
            far = s + length
        if np.isnan(far) or (left < length and not urgent):
            return False
        if not self._fits(car, target, s, urgent):
            return False
        rate = length / max(far - s, 1.0)
        car.shift = Shift(car.lane, car.s, rate, car.odometer, length)
        trail = Shift(car.lane, car.s, rate, car.odometer, length)
        side = 1 if self._is_left(car.lane, target, car.s, s) else -1
        car.blinks.append((car.odometer - 1.5 * car.speed, car.odometer + 0.8 * length, side))
        car.lane, car.s = target, s
        car.pieces.append(Piece(car.odometer, target, s, shift=trail))
        return True

    def _fits(self, car: Car, target: int, s: float, urgent: bool) -> bool:
        """Tell whether a car can be in a lane without anyone having to brake hard."""
        hardest = -3.5 if urgent else -1.8
        gap, other = self.driving.ahead(car, target, s, [])
        if gap < 2.0 or self.driving.follow(car, car.speed, car.speed + 1, gap, other) < hardest:
            return False
        after = self.driving.behind(target, s)
        if after is None:
            return True
        at, one = after
        gap = s - at - (one.length + car.length) / 2
        return one is car or (
            gap > 2.0 and self.driving.follow(one, one.speed, one.speed + 1, gap, car.speed) > hardest
        )

    def _is_left(self, lane: int, target: int, s: float, other: float) -> bool:
        """Tell whether a lane beside lies to the left."""
        track = self.network.tracks[lane]
        here, there = track.at(np.array([s]))[0], self.network.tracks[target].at(np.array([other]))[0]
        heading = track.headings[min(int(s / track.step), len(track.headings) - 1)]
        return bool(np.cos(heading) * (there - here)[1] - np.sin(heading) * (there - here)[0] > 0)

"""Traffic on a layout: who comes when, where they go, how they get there, and who walks by."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from .cars import DT, Car
from .driving import Driving
from .fleet import COLOURS, KINDS, LONG, draw_vehicle
from .lights import Lights
from .network import Network
from .parking import open_slots
from .trails import motion_of
from .walking import stroll
from .world import Motion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .world import Layout, Vehicle, Walker

_WARM = 450  # ticks that traffic runs before the recording begins
_BACKLOG = 12  # vehicles, at most, that put off their coming until they meet green
_PATIENT = 120  # ticks one waits outside for room to come in
_OUT = 900  # ticks, at most, that those still there after the recording need to leave
_WAYS = {"straight": 60.0, "left": 22.0, "right": 11.0, "u-turn": 6.0}
_QUEUE = 3  # standing vehicles on a lane for which others take another way
_PRESS = 5  # vehicles at once on the way to a junction without lights: with more, most would wait
_PARK = 0.45  # share of those who come to a car park with free slots that park
_LUCK = 0.06  # share of those who would meet a red light and come all the same: lights are in step, as a rule


def simulate(
    layout: Layout,
    *,
    seed: int,
    ticks: int,
    vehicles_per_minute: float,
    first_number: int = 0,
    kinds: Mapping[str, float] = KINDS,
    colours: Mapping[str, float] = COLOURS,
) -> tuple[tuple[Motion, ...], tuple[Walker, ...]]:
    """Return who drives, stands and walks on a layout during ticks 0 to `ticks` − 1.

    Motions are whole: those under way at tick 0 began before, at a negative `start`, and those under way at the end
    go on until they have left. Vehicles are numbered from `first_number` on. kinds, colours: weights of what is drawn.
    """
    scene = _Scene(layout, np.random.default_rng((seed, 7)), ticks, (first_number, kinds, colours))
    scene.run(vehicles_per_minute)
    motions = scene.motions()
    return motions, stroll(layout, motions, np.random.default_rng((seed, 8)), ticks)


class _Scene:
    """A layout while traffic runs on it."""

    def __init__(self, layout: Layout, rng: np.random.Generator, ticks: int, fleet: tuple) -> None:
        self.layout, self.rng, self.ticks = layout, rng, ticks
        self.number, self.kinds, self.colours = fleet
        self.network = Network(layout.lanes)
        self.ways = open_slots(self.network, layout.slots)
        self.driving = Driving(self.network, Lights(layout, rng), rng, self.ways)
        self.driving.tick = -_WARM
        self.everyone: list[Car] = []
        self.parked: list[Motion] = []
        self.leaving: list[tuple[int, int, Vehicle]] = []  # tick, lane into the slot, who
        self.free: list[int] = []
        self.waiting: list[tuple[int, Car]] = []
        self._park()

    def _vehicle(self, without: frozenset[str] = frozenset()) -> Vehicle:
        self.number += 1
        return draw_vehicle(self.number - 1, self.rng, self.kinds, self.colours, without=without)

    def _park(self) -> None:
        """Fill some of the slots, and decide who leaves them and which are free for those who come."""
        full = self.rng.uniform(0.35, 0.85)
        way_to = {way.slot: lane for lane, way in self.ways.items()}
        for slot, (x, y, heading) in enumerate(self.layout.slots):
            if self.rng.random() > full:
                if slot in way_to:
                    self.free.append(way_to[slot])
                continue
            vehicle = self._vehicle(LONG)
            if slot in way_to and self.rng.random() < 0.12:
                begin = int(self.rng.integers(-_WARM + 50, self.ticks))
                self.leaving.append((begin, way_to[slot], vehicle))
                continue
            along, aside = self.rng.uniform(-0.2, 0.2), self.rng.uniform(-0.12, 0.12)
            turn = heading + self.rng.normal(0, 0.015) + (np.pi if slot in way_to and self.rng.random() < 0.2 else 0)
            pose = [x + along * np.cos(heading) - aside * np.sin(heading), 0, turn, 0.0]
            pose[1] = y + along * np.sin(heading) + aside * np.cos(heading)
            self.parked.append(_standing(vehicle, pose, self.ticks))

    def run(self, per_minute: float) -> None:
        """Let time pass until the recording is over and everybody has left."""
        driving = self.driving
        chance, coming = per_minute / 60 * DT, 0
        while driving.tick < self.ticks + _OUT:
            if driving.tick < self.ticks:
                coming = min(coming + int(self.rng.poisson(chance)), _BACKLOG)
                if coming and self._invite():
                    coming -= 1
                self._admit()
                self._back_out()
            elif not driving.cars:
                break
            driving.step()

    def _invite(self) -> bool:
        """Let somebody come who has drawn where from and where to, unless now is no good time for it."""
        network = self.network
        queues = Counter(car.lane for car in self.driving.cars if car.speed < 1.0)
        most = _QUEUE if self.layout.signals else 1
        near = sum(network.tracks[car.lane].lane.role == "in" for car in self.driving.cars)
        if not self.layout.signals and near >= _PRESS:
            return False
        open_lanes = [n for n in network.entries if queues[n] < most]
        if not open_lanes:
            return False
        weights = np.array([network.tracks[n].lane.limit ** 2 * self._liking(n) for n in open_lanes])
        anyhow = self.rng.random() < _LUCK * DT
        for _ in range(3):
            lane = int(self.rng.choice(open_lanes, p=weights / weights.sum()))
            goal, todo, slot = self._draw_route(lane)
            if queues[goal] < most and (anyhow or self._is_green(lane, goal)):
                break
        else:
            return False
        short = slot >= 0 or any(abs(network.tracks[n].turn) > 2.6 for n in todo)
        vehicle = self._vehicle(LONG if short else frozenset())
        car = self._car(vehicle, lane, todo, goal)
        car.slot = slot
        self.waiting.append((self.driving.tick, car))
        if slot >= 0:
            self.free.remove(slot)
        return True

    def _car(self, vehicle: Vehicle, lane: int, todo: list[int], goal: int) -> Car:
        """Return a vehicle at the begin of a lane, with a driver drawn for it."""
        rng, long = self.rng, vehicle.kind in LONG
        return Car(
            vehicle=vehicle,
            lane=lane,
            s=0.0,
            speed=0.0,
            todo=todo,
            goal=goal,
            haste=float(np.clip(rng.normal(0.92 if long else 1.0, 0.09), 0.7, 1.25)),
            headway=rng.uniform(1.0, 1.7),
            eager=rng.uniform(0.8, 1.3) if long else rng.uniform(1.3, 2.2),
            gap=rng.uniform(1.6, 3.0),
            wish_at=rng.uniform(5, 0.6 * self.network.tracks[lane].length),
            blinkers=bool(rng.random() < 0.9),
        )

    def _liking(self, lane: int) -> float:
        """Return how much of the traffic a lane of its width and place gets: ramps and side streets less."""
        return 0.4 if lane in self.network.dead_ends else 1.0

    def _is_green(self, lane: int, goal: int) -> bool:
        """Tell whether someone who comes now would meet a green light."""
        track, driving = self.network.tracks[lane], self.driving
        if driving.rights.lights.state(goal, 0.0) == "none":
            return True
        arrives = driving.seconds + track.length / (0.93 * track.lane.limit)
        return all(driving.rights.lights.state(goal, arrives + later) == "green" for later in (-1.0, 2.0, 6.0))

    def _draw_route(self, lane: int) -> tuple[int, list[int], int]:
        """Return the lane of the group to be on, the lanes after that, and the lane into a slot or −1."""
        network = self.network
        if self.free and self.rng.random() < _PARK:
            way = self.rng.choice(self.free)
            todo = network.way(lane, self.ways[way].aisle)
            if todo:
                return lane, [*todo, int(way)], int(way)
        group = sorted(network.groups[lane])
        choices = [(n, follower) for n in group for follower in network.tracks[n].next]
        if not choices:
            return self._draw_exit(lane, group), [], -1
        alike = Counter(self._way(follower) for _, follower in choices)
        weights = np.array(
            [
                self._weight(follower) / alike[self._way(follower)] * (2.0 if n == lane else 1.0)
                for n, follower in choices
            ]
        )
        goal, follower = choices[int(self.rng.choice(len(choices), p=weights / weights.sum()))]
        todo = [follower]
        while network.tracks[todo[-1]].next:
            options = network.tracks[todo[-1]].next
            shares = np.array([self._weight(option) for option in options])
            todo.append(int(self.rng.choice(options, p=shares / shares.sum())))
        return goal, todo, -1

    def _way(self, lane: int) -> str:
        """Return which way a lane leads: "straight", "left", "right" or back, "u-turn"."""
        turn = self.network.tracks[lane].turn
        if abs(turn) < np.radians(38):
            return "straight"
        return "u-turn" if abs(turn) > np.radians(150) else "left" if turn > 0 else "right"

    def _weight(self, lane: int) -> float:
        """Return how often a lane is taken among those that follow one; nobody drives into a car park for nothing."""
        way = self._way(lane)
        return 1e-9 if self.ways and way != "straight" else _WAYS[way]

    def _draw_exit(self, lane: int, group: list[int]) -> int:
        """Return the lane of a highway on which someone leaves."""
        exits = [n for n in group if n not in self.network.dead_ends]
        starts = set(self.network.entries)
        weights = [8.0 if n == lane else (1.0 if n in starts else 0.9) for n in exits]
        shares = np.array(weights) / np.sum(weights)
        return int(self.rng.choice(exits, p=shares))

    def _admit(self) -> None:
        """Let those in who wait outside, once there is room."""
        driving, still = self.driving, []
        driving.line_up()
        for since, car in self.waiting:
            track = self.network.tracks[car.lane]
            gap, other = driving.ahead(car, car.lane, -car.length, [])
            gap -= car.length
            wanted = track.cap(0.0) * car.haste
            speeds = np.linspace(wanted, 0.5 * wanted, 8)
            fitting = [v for v in speeds if gap > 4 and driving.follow(car, v, wanted, gap, other) > -1.2]
            if fitting:
                speed = float(fitting[0])
                car.speed, car.born = speed, driving.tick
                car.pieces[0].lane = car.lane
                driving.cars.append(car)
                self.everyone.append(car)
                driving.line_up()
            elif driving.tick - since < _PATIENT:
                still.append((since, car))
        self.waiting = still

    def _back_out(self) -> None:
        """Let those who leave their slots begin once nobody comes along the aisle."""
        driving, network, still = self.driving, self.network, []
        for begin, lane, vehicle in self.leaving:
            way = self.ways[lane]
            near = [at - way.mouth for at, _, _ in driving.rows.get(way.aisle, ())]
            if driving.tick < begin or any(-24 < away < 12 for away in near):
                still.append((begin, lane, vehicle))
                continue
            ends = [n for n, track in enumerate(network.tracks) if not track.next and track.before]
            ways = [found for end in ends if (found := network.way(way.aisle, end))]
            todo = ways[int(self.rng.integers(len(ways)))]
            car = self._car(vehicle, lane, todo, way.aisle)
            car.backwards = car.pieces[0].backwards = True
            car.born = driving.tick
            driving.cars.append(car)
            self.everyone.append(car)
            self.free.append(lane)
            driving.line_up()
        self.leaving = still

    def motions(self) -> tuple[Motion, ...]:
        """Return the motions that touch the recording, by number."""
        lanes = len(self.layout.lanes)
        moved = [
            motion_of(car, self.network, lanes, until=self.ticks)
            for car in self.everyone
            if car.marks and car.born + len(car.marks) > 0
        ]
        stayed = [self._stayed(lane, vehicle) for _, lane, vehicle in self.leaving]
        return tuple(sorted([*self.parked, *stayed, *moved], key=lambda motion: motion.vehicle.number))

    def _stayed(self, lane: int, vehicle: Vehicle) -> Motion:
        """Return the motion of somebody who could not leave a slot in time."""
        x, y, heading = self.layout.slots[self.ways[lane].slot]
        return _standing(vehicle, [x, y, heading, 0.0], self.ticks)


def _standing(vehicle: Vehicle, pose: list[float], ticks: int) -> Motion:
    """Return the motion of a vehicle parked all the time."""
    return Motion(
        vehicle=vehicle,
        start=0,
        poses=np.tile(np.array(pose, float), (ticks, 1)),
        brakes=np.zeros(ticks, bool),
        signals=np.zeros(ticks, np.int8),
        lanes=np.full(ticks, -1, np.int16),
        manoeuvre="parked",
    )

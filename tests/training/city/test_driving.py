from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city.cars import Car
from nlvr.training.city.driving import Driving
from nlvr.training.city.lights import Lights
from nlvr.training.city.network import Network
from nlvr.training.city.trails import motion_of, stands
from nlvr.training.city.world import Lane, Layout, Vehicle


def straight(x, y, x2, y2, role="through"):
    count = int(np.hypot(x2 - x, y2 - y)) + 2
    return Lane(np.linspace((x, y), (x2, y2), count), 3.3, 12.0, role)


CROSS = (
    straight(-120, 0, -10, 0, "in"),
    straight(0, -120, 0, -10, "in"),
    straight(-10, 0, 10, 0, "turn"),
    straight(0, -10, 0, 10, "turn"),
    straight(10, 0, 120, 0, "out"),
    straight(0, 10, 0, 120, "out"),
)
PAIR = (straight(0, 0, 400, 0), straight(0, 3.3, 400, 3.3))
ALONE = PAIR[:1]


def driving_on(lanes, *cars, signals=()):
    layout = Layout("intersection", lanes, (), (), (), np.zeros((0, 3)), (), np.zeros(2), signals)
    rng = np.random.default_rng(0)
    driving = Driving(Network(lanes), Lights(layout, rng), rng)
    driving.cars += cars
    return driving


def car(number, lane, s, todo=(), *, goal=None, speed=10.0, kind="sedan"):
    goal = lane if goal is None else goal
    vehicle = Vehicle(number, kind, "white", number)
    return Car(vehicle, lane, s, speed, list(todo), goal, haste=1.0, headway=1.3, eager=1.6, gap=2.0)


def run(driving, ticks):
    for _ in range(ticks):
        driving.step()


@pytest.mark.parametrize("gap", [8.0, 15.0, 40.0])
def test_nobody_runs_into_who_stands(gap):
    standing, coming = car(0, 0, 200.0, speed=0.0), car(1, 0, 200 - 4.7 - gap - 30, speed=12.0)
    standing.pause = 10_000
    driving = driving_on(ALONE, standing, coming)
    run(driving, 300)
    assert coming.speed < 0.2
    room = standing.s - coming.s - (standing.length + coming.length) / 2
    assert 1.0 < room < 4.0


@pytest.mark.parametrize("head_start", [-12.0, -4.0, 0.0, 3.0, 9.0])
@pytest.mark.parametrize("kind", ["sedan", "bus"])
def test_of_two_whose_ways_cross_one_waits(head_start, kind):
    first, second = car(0, 0, 30.0, (2, 4), kind=kind), car(1, 1, 30.0 + head_start, (3, 5))
    driving = driving_on(CROSS, first, second)
    run(driving, 350)
    assert all(one.done for one in (first, second)), "and then goes on"
    poses = [motion_of(one, driving.network, len(CROSS), until=0).poses for one in (first, second)]
    count = min(len(own) for own in poses)
    near = np.linalg.norm(poses[0][:count, :2] - poses[1][:count, :2], axis=1)
    assert near.min() > 3.0


def test_red_means_stop_and_green_go():
    one = car(0, 0, 20.0, (2, 4))
    driving = driving_on(CROSS, one, signals=((0,), (1,)))
    lights = driving.rights.lights
    driving.tick = next(tick for tick in range(2000) if lights.state(0, tick / 10) == "red")
    while lights.state(0, driving.seconds) == "red":
        driving.step()
        assert one.s + one.length / 2 < driving.network.tracks[0].length
    assert one.speed < 0.5
    run(driving, 300)
    assert one.done
    assert stands(np.array([mark[1] for mark in one.marks]))


def test_at_most_one_phase_has_green():
    layout = Layout("intersection", CROSS, (), (), (), np.zeros((0, 3)), (), np.zeros(2), ((0,), (1,)))
    lights = Lights(layout, np.random.default_rng(3))
    states = [(lights.state(0, tick / 10), lights.state(1, tick / 10)) for tick in range(2000)]
    assert {state for pair in states for state in pair} == {"green", "amber", "clearing", "red"}
    assert all("red" in pair for pair in states)


def test_a_change_of_lane_is_sideways_smooth_and_signalled():
    one = car(0, 0, 20.0, goal=1)
    one.wish_at = 60.0
    driving = driving_on(PAIR, one)
    run(driving, 200)
    motion = motion_of(one, driving.network, 2, until=0)
    y = motion.poses[:, 1]
    assert motion.changes_lane
    assert (y[0], y[-1]) == pytest.approx((0.0, 3.3), abs=0.05)
    assert (np.diff(y) > -1e-6).all()
    assert np.abs(np.diff(motion.poses[:, 2])).max() < np.radians(2)
    assert (motion.signals[(y > 0.2) & (y < 1.5)] == 1).all()
    assert sorted(set(motion.lanes.tolist())) == [0, 1]


def test_nobody_changes_into_somebody():
    one, beside = car(0, 0, 20.0, goal=1), car(1, 1, 21.0)
    driving = driving_on(PAIR, one, beside)
    for _ in range(250):
        driving.step()
        if one.lane == 1 and not (one.done or beside.done):
            assert abs(one.s - beside.s) > (one.length + beside.length) / 2


def test_brake_lamps_light_while_one_slows_down_or_stands():
    standing, coming = car(0, 0, 200.0, speed=0.0), car(1, 0, 100.0, speed=12.0)
    standing.pause = 10_000
    driving = driving_on(ALONE, standing, coming)
    run(driving, 300)
    motion = motion_of(coming, driving.network, 1, until=0)
    slowing = np.gradient(motion.poses[:, 3]) < -0.1
    assert motion.brakes[slowing].mean() > 0.9
    assert motion.brakes[-1]
    assert motion.stops

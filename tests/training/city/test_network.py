from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city.layout import build_layout
from nlvr.training.city.network import Network
from nlvr.training.city.parking import open_slots
from nlvr.training.city.roads import ASPHALT, inside, offset
from nlvr.training.city.world import Lane


def straight(x, y, x2, y2, role="through"):
    count = int(np.hypot(x2 - x, y2 - y)) + 2
    return Lane(np.linspace((x, y), (x2, y2), count), 3.3, 12.0, role)


@pytest.mark.parametrize("kind", ["intersection", "highway", "car park"])
@pytest.mark.parametrize("seed", range(4))
def test_every_way_in_leads_out(kind, seed):
    network = Network(build_layout(kind, seed).lanes)
    assert network.entries
    ends = [n for n, track in enumerate(network.tracks) if not track.next and n not in network.dead_ends]
    for entry in network.entries:
        assert any(network.way(lane, end) is not None for lane in network.groups[entry] for end in ends)
    for number, track in enumerate(network.tracks):
        assert track.next or track.lane.role in {"out", "through"}
        assert track.before or number in network.entries or track.beside


@pytest.mark.parametrize("seed", range(4))
def test_lanes_that_cross_know_of_each_other(seed):
    network = Network(build_layout("intersection", seed).lanes)
    for first, others in network.conflicts.items():
        for second in others:
            assert first in network.conflicts[second]


def test_lanes_that_cross_or_join_conflict_and_others_do_not():
    ways = [
        straight(-50, 0, -10, 0, "in"),
        straight(-10, 0, 10, 0, "turn"),
        straight(0, -50, 0, -10, "in"),
        straight(0, -10, 0, 10, "turn"),
        straight(-50, 8, -10, 8, "in"),
        straight(-10, 8, -4, 8, "turn"),
    ]
    network = Network(tuple(ways))
    assert network.conflicts.keys() == {1, 3}
    start, end = network.conflicts[1][3]
    assert start < 10 < end
    assert end - start < 7


def test_one_changes_between_lanes_side_by_side_alone():
    near, far, against = straight(0, 0, 100, 0), straight(20, 3.3, 100, 3.3), straight(100, -3.3, 0, -3.3)
    network = Network((near, far, against))
    assert network.groups[0] == {0, 1}
    assert network.groups[2] == {2}
    assert network.hop(0, 1) == 1
    assert network.place_beside(0, 1, 50.0) == pytest.approx(30.0, abs=1.0)
    assert np.isnan(network.place_beside(0, 1, 10.0))
    assert 1 not in network.entries, "it begins beside another"


@pytest.mark.parametrize("seed", range(4))
def test_ways_into_slots_end_in_them(seed):
    layout = build_layout("car park", seed)
    network = Network(layout.lanes)
    ways = open_slots(network, layout.slots)
    assert len(ways) > 0.6 * len(layout.slots)
    for lane, way in ways.items():
        x, y, heading = layout.slots[way.slot]
        track = network.tracks[lane]
        assert np.allclose(track.line[-1], (x, y))
        assert np.cos(track.headings[-1] - heading) > 0.98
        aisle = network.tracks[way.aisle]
        assert np.allclose(track.line[0], aisle.at(np.array([way.mouth]))[0])


@pytest.mark.parametrize("kind", ["intersection", "highway", "car park"])
@pytest.mark.parametrize("seed", range(5))
def test_cars_keep_off_the_kerbs(kind, seed):
    layout = build_layout(kind, seed)
    asphalt = [
        surface.outline for surface in layout.surfaces if surface.material == "asphalt" and surface.level == ASPHALT
    ]
    for lane in layout.lanes:
        for side in (-1.0, 1.0):
            assert inside(offset(lane.line, side), asphalt, 0.02).all()

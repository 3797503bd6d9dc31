from __future__ import annotations

import cv2
import numpy as np
import pytest

from nlvr.training.city.layout import build_layout

KINDS = ("intersection", "highway", "car park")


def area(outline):
    x, y = outline.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def footprint(building):
    along, across = np.array([np.cos(building.heading), np.sin(building.heading)]), building.heading + np.pi / 2
    side = np.array([np.cos(across), np.sin(across)])
    corners = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    middle = np.array([building.x, building.y])
    return np.array([middle + a * along * building.length / 2 + b * side * building.width / 2 for a, b in corners])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_a_place_can_be_driven_in(kind, seed):
    layout = build_layout(kind, seed)
    assert layout.kind == kind
    roles = {lane.role for lane in layout.lanes}
    assert {"in", "out", "turn"} <= roles if kind == "intersection" else "through" in roles
    for lane in layout.lanes:
        steps = np.linalg.norm(np.diff(lane.line, axis=0), axis=1)
        assert (steps > 0).all()
        assert steps.max() <= 1.001
        assert 2 < lane.width < 8
        assert 2 < lane.limit < 40
    assert {number for phase in layout.signals for number in phase} <= set(range(len(layout.lanes)))
    assert all(layout.lanes[number].role == "in" for phase in layout.signals for number in phase)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_surfaces_are_polygons_that_wind_one_way(kind, seed):
    for surface in build_layout(kind, seed).surfaces:
        assert surface.outline.shape[1] == 2
        assert len(surface.outline) >= 3
        assert area(surface.outline) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_lanes_lie_on_asphalt_and_no_building_on_a_lane(kind, seed):
    layout = build_layout(kind, seed)
    scale, middle = 4.0, np.array([300.0, 300.0])
    paved, driven = np.zeros((2400, 2400), np.uint8), np.zeros((2400, 2400), np.uint8)

    def pixels(points):
        return np.round((points + middle) * scale).astype(np.int32)

    for surface in layout.surfaces:
        if surface.material == "asphalt":
            cv2.fillPoly(paved, [pixels(surface.outline)], 1)
    for lane in layout.lanes:
        cv2.polylines(driven, [pixels(lane.line)], isClosed=False, color=1, thickness=round(lane.width * scale))
    points = np.concatenate([lane.line for lane in layout.lanes])
    columns, rows = pixels(points[np.linalg.norm(points - layout.centre, axis=1) < 100]).T
    assert paved[rows, columns].mean() > 0.98
    for building in layout.buildings:
        own = np.zeros_like(driven)
        cv2.fillPoly(own, [pixels(footprint(building))], 1)
        assert not (own & driven).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_is_a_function_of_its_seed(kind):
    first, again, other = (build_layout(kind, seed) for seed in (1, 1, 2))
    assert [surface.outline.tolist() for surface in first.surfaces] == [
        surface.outline.tolist() for surface in again.surfaces
    ]
    assert first.buildings == again.buildings
    assert first.buildings != other.buildings

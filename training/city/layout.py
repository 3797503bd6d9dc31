"""Places where vehicles drive, drawn from a seed: junctions, highways and car parks, and what stands around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import carparks, highways, intersections, streetworks
from .roads import GROUND, PATCH, polygon
from .surroundings import build_up, plant
from .world import Layout

if TYPE_CHECKING:
    from .world import LayoutKind

_GROUND = 400.0  # metres from the middle to the edge of the ground


def build_layout(kind: LayoutKind, seed: int) -> Layout:
    """Return the place of a kind that a seed stands for; `centre` is its middle, at the origin."""
    rng = np.random.default_rng((seed, 11))
    if kind == "intersection":
        arms = intersections.draw_arms(rng)
        lanes = intersections.draw_lanes(arms, rng)
        signals = intersections.draw_phases(arms, rng)
        surfaces = streetworks.cover(arms, rng)
        props = streetworks.furnish(arms, bool(signals), rng)
        slots, pavements = intersections.kerb_slots(arms, rng), intersections.walks(arms)
    elif kind == "highway":
        lanes, surfaces, props, pavements = highways.draw(rng)
        slots, signals = np.zeros((0, 3)), ()
    else:
        lanes, surfaces, props, slots, pavements = carparks.draw(rng)
        signals = ()
    ground = rng.choice(["grass", "earth"], p=[0.75, 0.25])
    square = _GROUND * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    surfaces = [polygon(square, ground, GROUND), *surfaces]
    buildings, yards = build_up(lanes, surfaces, rng, dense=kind != "highway")
    props = [*props, *plant(lanes, surfaces, buildings, rng)]
    blots = _blots(rng, "earth" if ground == "grass" else "grass")
    return Layout(
        kind=kind,
        lanes=tuple(lanes),
        surfaces=tuple([*surfaces, *yards, *blots]),
        buildings=tuple(buildings),
        props=tuple(props),
        slots=slots,
        pavements=tuple(pavements),
        centre=np.zeros(2),
        signals=signals,
    )


def _blots(rng: np.random.Generator, material: str) -> list:
    """Return irregular patches of another kind of ground."""
    blots = []
    for _ in range(int(rng.integers(6, 20))):
        middle, angles = rng.uniform(-160, 160, 2), np.linspace(0, 2 * np.pi, 9)[:-1]
        radii = rng.uniform(3, 14) * np.array([1.0, rng.uniform(0.5, 1.0)])
        rim = np.column_stack([np.cos(angles), np.sin(angles)]) * radii
        turn = rng.uniform(0, np.pi)
        spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        blots.append(polygon(middle + rim @ spin, material, PATCH))
    return blots

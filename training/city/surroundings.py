"""What stands beside the streets: buildings with their yards, trees and bushes; never in anyone's way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .roads import PATCH, PAVEMENT, inside, polygon, rectangle
from .world import Building, Prop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .world import Lane, Surface

_FREE = 3.0  # metres between a building and anything paved
_TRIES = 420


def paved(surfaces: Sequence[Surface]) -> list[np.ndarray]:
    """Return the outlines on which people drive and walk."""
    found = [s.outline for s in surfaces if s.level >= PAVEMENT and s.material in {"asphalt", "concrete"}]
    return [outline for outline in found if np.ptp(outline, axis=0).max() > 1.0]


def build_up(
    lanes: Sequence[Lane], surfaces: Sequence[Surface], rng: np.random.Generator, *, dense: bool
) -> tuple[list[Building], list[Surface]]:
    """Return buildings along the lanes, turned as the lane next to them, and the yards that some stand on."""
    outlines = paved(surfaces)
    buildings: list[Building] = []
    yards: list[Surface] = []
    feet: list[np.ndarray] = []
    character = rng.choice(["low", "mixed", "high"], p=[0.35, 0.4, 0.25])
    tall = {"low": (3.5, 8.0), "mixed": (4.0, 18.0), "high": (9.0, 38.0)}[character]
    setback, wanted = rng.uniform(1.0, 10.0), int(rng.integers(14, 34) if dense else rng.integers(4, 16))
    long = [lane for lane in lanes if len(lane.line) > 30]
    for _ in range(_TRIES):
        if len(buildings) >= wanted:
            break
        lane = long[int(rng.integers(len(long)))]
        at = int(rng.integers(2, len(lane.line) - 2))
        ahead = lane.line[at + 1] - lane.line[at - 1]
        heading = float(np.arctan2(ahead[1], ahead[0]))
        length, width, height = rng.uniform(10, 34), rng.uniform(9, 20), rng.uniform(*tall)
        place = _beside(lane.line[at], heading, -1 if rng.random() < 0.6 else 1, width, setback, outlines, rng)
        if place is None:
            continue
        foot = rectangle(*place, length, width, heading)
        if not _is_free(foot, outlines, feet):
            continue
        feet.append(foot)
        x, y = place
        buildings.append(Building(float(x), float(y), length, width, heading, height, int(rng.integers(2**31))))
        if rng.random() < 0.5:
            yard = rectangle(x, y, length, width, heading, margin=rng.uniform(1.0, 5.0))
            yards.append(polygon(yard, "concrete" if rng.random() < 0.7 else "asphalt", PATCH))
    return buildings, yards


def _beside(  # noqa: PLR0917
    point: np.ndarray,
    heading: float,
    side: int,
    width: float,
    setback: float,
    outlines: list[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray | None:
    """Return the middle of a building so deep that stands as near to a point of a lane as the pavement allows."""
    across = side * np.array([-np.sin(heading), np.cos(heading)])
    steps = np.arange(2.0, 60.0, 1.0)
    outside = ~inside(point + steps[:, None] * across, outlines)
    if not outside.any():
        return None
    edge = steps[int(np.argmax(outside))]
    row = 0.0 if rng.random() < 0.75 else rng.uniform(20, 45)
    return point + across * (edge + _FREE + setback + row + width / 2)


def _is_free(foot: np.ndarray, outlines: list[np.ndarray], others: list[np.ndarray]) -> bool:
    """Tell whether a footprint stands clear of pavements and other buildings."""
    share = np.linspace(0.0, 1.0, 12)
    grid = np.array(
        [
            (1 - a) * ((1 - b) * foot[0] + b * foot[1]) + a * ((1 - b) * foot[3] + b * foot[2])
            for a in share
            for b in share
        ]
    )
    return not inside(grid, outlines, _FREE).any() and not inside(grid, others, 3.0).any()


def plant(
    lanes: Sequence[Lane], surfaces: Sequence[Surface], buildings: Sequence[Building], rng: np.random.Generator
) -> list[Prop]:
    """Return trees and bushes on open ground, some near the streets and in rows, some scattered."""
    outlines = paved(surfaces)
    feet = [rectangle(b.x, b.y, b.length, b.width, b.heading, margin=2.0) for b in buildings]
    trees, bushes = int(rng.integers(10, 90)), int(rng.integers(5, 60))
    edges = np.concatenate([lane.line for lane in lanes])
    near = edges[rng.integers(len(edges), size=3 * trees)] + rng.normal(0, 14, (3 * trees, 2))
    far = rng.uniform(-190, 190, (2 * trees + 2 * bushes, 2))
    places = np.concatenate([near, far])
    places = places[rng.permutation(len(places))]
    free = ~inside(places, outlines, 2.2) & ~inside(places, feet)
    props: list[Prop] = []
    taken = np.zeros((0, 2))
    for x, y in places[free]:
        kind = "tree" if rng.random() < trees / (trees + bushes) else "bush"
        room = 4.0 if kind == "tree" else 1.5
        if len(props) >= trees + bushes or (np.hypot(*(taken - (x, y)).T) < room).any():
            continue
        height = rng.uniform(4.0, 11.0) if kind == "tree" else rng.uniform(0.6, 1.8)
        turn = rng.uniform(-np.pi, np.pi)
        props.append(Prop(kind, float(x), float(y), float(turn), float(height), int(rng.integers(2**31))))
        taken = np.vstack([taken, [[x, y]]])
    return props

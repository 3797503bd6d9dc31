"""Buildings: walls with windows, shops, sheds and houses."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .meshes import LIT, Builder, Thing

if TYPE_CHECKING:
    from .world import Building

_WALLS = (
    (0.62, 0.52, 0.44), (0.55, 0.33, 0.26), (0.70, 0.66, 0.58), (0.50, 0.50, 0.50), (0.74, 0.72, 0.68),
    (0.42, 0.30, 0.25), (0.60, 0.58, 0.50), (0.35, 0.38, 0.42), (0.66, 0.55, 0.40), (0.80, 0.78, 0.74),
    (0.45, 0.48, 0.44),
)  # fmt: skip


def make_building(building: Building) -> Thing:
    """Return a building about its own middle."""
    rng = np.random.default_rng((building.look, 43))
    thing, (a, b, high) = Thing(), (building.length / 2, building.width / 2, building.height)
    builder = thing.solid
    wall = np.clip(np.array(_WALLS[int(rng.integers(len(_WALLS)))]) * rng.uniform(0.8, 1.15), 0, 0.9)
    style = rng.choice(["grid", "bands", "curtain", "shop", "shed", "house"], p=[0.3, 0.15, 0.12, 0.2, 0.13, 0.1])
    if high > 12 and style in {"shed", "house", "shop"}:
        style = "grid"
    builder.box((-a, -b, 0), (a, b, high), wall, "matt", skip="z")
    sides = [(a, b, 0.0), (b, a, np.pi / 2), (a, b, np.pi), (b, a, 3 * np.pi / 2)]
    for half, out, turn in sides:
        facade = Builder()
        _facade(facade, (half, high), style, wall, np.random.default_rng((building.look, 44, round(turn * 10))))
        thing.trim.merge(_out(facade, out), turn + np.pi / 2)
    if style == "house":
        _gable(builder, a, b, high, rng)
    else:
        rim = np.clip(wall * 0.8, 0, 1)
        for low, up in (
            ((-a, -b), (a, -b + 0.3)),
            ((-a, b - 0.3), (a, b)),
            ((-a, -b), (-a + 0.3, b)),
            ((a - 0.3, -b), (a, b)),
        ):
            builder.box((*low, high), (*up, high + 0.5), rim, "matt")
        builder.box((-a + 0.3, -b + 0.3, high), (a - 0.3, b - 0.3, high + 0.05), (0.4, 0.4, 0.4), "matt")
        for _ in range(int(rng.integers(0, 5))):
            x, y, s = rng.uniform(-a + 1.5, a - 1.5), rng.uniform(-b + 1.5, b - 1.5), rng.uniform(0.5, 1.3)
            builder.box((x - s, y - s, high), (x + s, y + s, high + rng.uniform(0.6, 2)), (0.55, 0.55, 0.55), "matt")
    return thing


def _out(facade: Builder, out: float) -> Builder:
    """Return a facade, drawn in the plane x = 0 and facing +x, moved outward."""
    moved = Builder()
    moved.merge(facade, shift=(out + 0.03, 0, 0))
    return moved


def _facade(f: Builder, size: tuple[float, float], style: str, wall: np.ndarray, rng: np.random.Generator) -> None:
    """Add windows, doors, bands and signs to a wall in the plane x = 0, from y = −half to half, facing +x."""
    half, high = size
    storey = rng.uniform(2.9, 3.8)
    floors = max(1, int(high / storey))
    storey = high / floors
    if style == "shed":
        for y in np.arange(-half, half, 1.1):  # ribs of sheet metal
            _pane(f, (y, y + 0.55), (0, high), wall * 0.93, "matt", out=-0.01)
        for y in rng.uniform(-half + 2, max(half - 6, -half + 2.1), 2):
            _pane(f, (y, y + 3.6), (0, min(3.8, high - 0.3)), wall * 0.6, "matt", out=0.01)
        return
    if style == "bands":
        for k in range(floors):
            _panes(f, (-half + 0.3, half - 0.3), (k * storey + 0.9, k * storey + 2.5), step=1.6, gap=0.08, rng=rng)
        return
    if style == "curtain":
        for k in range(floors):
            _panes(
                f, (-half + 0.1, half - 0.1), (k * storey + 0.1, (k + 1) * storey - 0.15), step=1.3, gap=0.07, rng=rng
            )
        return
    first = 0
    if style == "shop":
        _panes(f, (-half + 0.6, half - 0.6), (0.4, min(2.7, high - 0.9)), step=2.4, gap=0.25, rng=rng)
        colour = rng.uniform(0.05, 0.8, 3)
        _pane(f, (-half + 0.3, half - 0.3), (min(2.9, high - 0.8), min(3.6, high - 0.1)), colour, LIT, out=0.05)
        first = 1
    step, wide = rng.uniform(2.2, 4.0), rng.uniform(0.9, 1.8)
    tall, sill = rng.uniform(1.1, 1.9), rng.uniform(0.8, 1.1)
    frame = wall * rng.uniform(0.6, 1.3)
    count = max(1, int((2 * half - 1) / step))
    for k in range(first, floors):
        for m in range(count):
            y = -half + (m + 0.5) * 2 * half / count
            z = k * storey + sill
            _pane(
                f,
                (y - wide / 2 - 0.1, y + wide / 2 + 0.1),
                (z - 0.1, z + tall + 0.1),
                np.clip(frame, 0, 1),
                "matt",
                out=0.0,
            )
            _window(f, (y - wide / 2, y + wide / 2), (z, z + tall), rng)


def _pane(
    f: Builder, ys: tuple[float, float], zs: tuple[float, float], colour: np.ndarray, kind: str, *, out: float = 0.02
) -> None:
    (y0, y1), (z0, z1) = ys, zs
    f.quad(((out, y0, z0), (out, y1, z0), (out, y1, z1), (out, y0, z1)), np.clip(colour, 0, 1), kind)


def _window(f: Builder, ys: tuple[float, float], zs: tuple[float, float], rng: np.random.Generator) -> None:
    """Add a window: dark, or with a blind, or lit at night."""
    lit, blind = rng.random() < 0.22, rng.random() < 0.3
    colour = rng.uniform(0.5, 0.8) * np.ones(3) if blind else np.array([0.08, 0.10, 0.12]) * rng.uniform(0.6, 2.0)
    if lit:
        colour = np.array([0.75, 0.65, 0.45]) * rng.uniform(0.4, 1.0)
    low = zs[0] + (zs[1] - zs[0]) * (rng.uniform(0.2, 0.7) if blind else 0.0)
    if blind:
        _pane(f, ys, (zs[0], low), np.array([0.10, 0.12, 0.14]), "glass", out=0.03)
    _pane(f, ys, (low, zs[1]), colour, LIT if lit else "matt" if blind else "glass", out=0.03)


def _panes(
    f: Builder, ys: tuple[float, float], zs: tuple[float, float], *, step: float, gap: float, rng: np.random.Generator
) -> None:
    """Add a row of windows side by side."""
    edges = np.linspace(*ys, max(2, int((ys[1] - ys[0]) / step) + 1))
    for a, b in pairwise(edges):
        _window(f, (a + gap / 2, b - gap / 2), zs, rng)


def _gable(builder: Builder, a: float, b: float, high: float, rng: np.random.Generator) -> None:
    """Add a pitched roof."""
    up, over = b * rng.uniform(0.4, 0.8), 0.4
    tiles = np.array([(0.36, 0.20, 0.15), (0.25, 0.25, 0.27), (0.33, 0.28, 0.24)][int(rng.integers(3))])
    left, right, ridge = b + over, -b - over, high + up
    builder.quad(
        ((a + over, left, high), (-a - over, left, high), (-a - over, 0, ridge), (a + over, 0, ridge)), tiles, "matt"
    )
    builder.quad(
        ((-a - over, right, high), (a + over, right, high), (a + over, 0, ridge), (-a - over, 0, ridge)), tiles, "matt"
    )
    for x, order in ((a, (0, 1, 2)), (-a, (1, 0, 2))):
        corners = np.array([(x, -b, high), (x, b, high), (x, 0, ridge)])
        builder.add(corners[list(order)], (0.6, 0.55, 0.48), "matt")

"""What stands about, as meshes: buildings, trees, bushes, lamps, signals, signs and poles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .buildings import make_building
from .meshes import LIT, Builder, Thing, sheet

if TYPE_CHECKING:
    from .world import Layout, Prop

_STEEL, _DARK = (0.42, 0.43, 0.44), (0.12, 0.12, 0.13)
_LEAVES = (
    (0.22, 0.33, 0.13),
    (0.28, 0.38, 0.16),
    (0.18, 0.28, 0.12),
    (0.35, 0.38, 0.17),
    (0.42, 0.36, 0.16),
    (0.20, 0.30, 0.18),
)


def stand(layout: Layout) -> list[Thing]:
    """Return all that stands in a place."""
    things = [make_building(b).moved(b.heading, b.x, b.y) for b in layout.buildings]
    for prop in layout.props:
        rng = np.random.default_rng((prop.look, 41))
        things.append(_PROPS[prop.kind](prop, rng).moved(prop.heading, prop.x, prop.y))
    return things


def lamp_heads(layout: Layout) -> np.ndarray:
    """Return where street lamps shine from and their light at 1 m, float64 [N, 6]; warm ones or white ones."""
    rows = []
    for prop in layout.props:
        if prop.kind == "lamp":
            warm = np.random.default_rng((layout.props[0].look, 42)).random() < 0.6
            colour = np.array([1.0, 0.66, 0.32]) if warm else np.array([0.92, 0.95, 1.0])
            out = _arm(prop)
            rows.append(
                [
                    prop.x + out * np.cos(prop.heading),
                    prop.y + out * np.sin(prop.heading),
                    prop.height - 0.15,
                    *(colour * 34.0 * (prop.height / 8.0) ** 1.5),
                ]
            )
    return np.array(rows).reshape(-1, 6)


def _arm(prop: Prop) -> float:
    return min(2.2, 0.22 * prop.height)


def _rod(builder: Builder, low: object, high: object, radius: float, colour: object, *, thin: float = 1.0) -> None:
    """Add a round bar between two points, its far end `thin` times as thick."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    axis = (high - low) / np.linalg.norm(high - low)
    side = np.cross(axis, (0, 0, 1) if abs(axis[2]) < 0.9 else (1, 0, 0))
    side /= np.linalg.norm(side)
    up = np.cross(axis, side)
    angles = np.linspace(0, 2 * np.pi, 7)[:, None]
    ring = (np.cos(angles) * side + np.sin(angles) * up) * radius
    builder.add(sheet(np.array([low + ring, high + ring * thin])), colour, "matt")


def _tree(prop: Prop, rng: np.random.Generator) -> Thing:
    """Return trunk and crown: blobs of leaves of many shades, lighter outside and above."""
    wood, crown = Builder(), Builder()
    high = prop.height
    colour = np.clip(np.array(_LEAVES[int(rng.integers(len(_LEAVES)))]) * rng.uniform(0.75, 1.2), 0, 1)
    bark = np.array([0.30, 0.24, 0.19]) * rng.uniform(0.6, 1.2)
    conifer = rng.random() < 0.22
    fork = high * (0.15 if conifer else rng.uniform(0.25, 0.4))
    _rod(wood, (0, 0, 0), (0, 0, high * 0.75), 0.03 * high**0.9 + 0.03, bark, thin=0.4)
    if conifer:
        for share in np.linspace(0, 1, 7):
            z, radius = fork + share * (high - fork) * 0.95, 0.24 * high * (1 - share) + 0.15
            _blob(
                crown,
                (0, 0, z),
                (radius, radius, 0.12 * high),
                count=int(320 * (1.1 - share)) + 40,
                colour=colour,
                rng=rng,
                leaf=0.022 * high,
            )
        return Thing(wood, leaves=crown)
    wide = high * rng.uniform(0.26, 0.42)
    for _ in range(int(rng.integers(4, 9))):
        spot = rng.normal(0, 0.45, 3) * (wide, wide, (high - fork) * 0.4) + (0, 0, (fork + high) / 2)
        radius = wide * rng.uniform(0.45, 0.75)
        spot[2] = np.clip(spot[2], fork + radius * 0.5, high - radius * 0.7)
        _rod(wood, (0, 0, fork), spot, 0.012 * high, bark, thin=0.3)
        _blob(
            crown,
            spot,
            (radius, radius, radius * 0.8),
            count=int(rng.integers(300, 520)),
            colour=colour,
            rng=rng,
            leaf=0.028 * high**0.7 + 0.04,
        )
    return Thing(wood, leaves=crown)


def _blob(
    crown: Builder,
    middle: object,
    radii: tuple,
    *,
    count: int,
    colour: np.ndarray,
    rng: np.random.Generator,
    leaf: float,
) -> None:
    """Add a blob of leaves, small triangles that stand out from its middle."""
    way = rng.normal(0, 1, (count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    depth = rng.uniform(0.55, 1.0, (count, 1)) ** 0.5
    place = np.asarray(middle) + way * depth * np.asarray(radii)
    spread = rng.normal(0, leaf, (count, 3, 3))
    spread -= 0.6 * (spread @ way[:, :, None]) * way[:, None]  # leaves lie along the blob, more or less
    corners = place[:, None] + spread
    shade = (0.55 + 0.5 * depth) * (0.85 + 0.3 * way[:, 2:]) * rng.uniform(0.75, 1.25, (count, 1))
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = (flat * way).sum(axis=1) < 0  # leaves are lit as the blob's surface would be
    corners[inward] = corners[inward][:, ::-1]
    crown.add(corners, np.clip(colour * shade, 0, 1), "matt")


def _bush(prop: Prop, rng: np.random.Generator) -> Thing:
    crown = Builder()
    colour = np.clip(np.array(_LEAVES[int(rng.integers(len(_LEAVES)))]) * rng.uniform(0.7, 1.1), 0, 1)
    high = prop.height
    for x in rng.normal(0, 0.3 * high, int(rng.integers(1, 4))):
        spot = (x, rng.normal(0, 0.2 * high), high * 0.5)
        _blob(
            crown,
            spot,
            (high * 0.6, high * 0.6, high * 0.5),
            count=220,
            colour=colour,
            rng=rng,
            leaf=0.045 * high + 0.02,
        )
    return Thing(leaves=crown)


def _lamp(prop: Prop, rng: np.random.Generator) -> Thing:
    wood, high, out = Builder(), prop.height, _arm(prop)
    steel = np.array(_STEEL) * rng.uniform(0.5, 1.3)
    _rod(wood, (0, 0, 0), (0, 0, high - 0.3), 0.11, steel, thin=0.6)
    _rod(wood, (0, 0, high - 0.35), (out, 0, high), 0.05, steel)
    wood.box((out - 0.35, -0.13, high - 0.06), (out + 0.3, 0.13, high + 0.06), steel * 0.8, "matt", skip="z")
    wood.box((out - 0.3, -0.11, high - 0.1), (out + 0.25, 0.11, high - 0.06), (0.9, 0.88, 0.8), LIT, skip="Z")
    return Thing(wood)


def _signal(prop: Prop, rng: np.random.Generator) -> Thing:
    """Return a mast with an arm over the road and lamps that face who comes toward it."""
    wood, high = Builder(), prop.height
    case = (0.75, 0.58, 0.1) if rng.random() < 0.4 else _DARK
    _rod(wood, (0, 0, 0), (0, 0, high), 0.10, _STEEL)
    heads = [(0.2, 0.0, min(high - 0.6, 3.0))]
    if rng.random() < 0.6 and high > 4:
        reach = rng.uniform(3.0, 6.5)
        _rod(wood, (0, 0, high - 0.3), (0, reach, high), 0.07, _STEEL)
        heads += [(0.15, reach * 0.55, high - 0.5), (0.15, reach - 0.2, high - 0.5)]
    for x, y, z in heads:
        wood.box((x - 0.12, y - 0.18, z - 0.5), (x + 0.12, y + 0.18, z + 0.5), case, "matt")
        for k, colour in enumerate(((0.10, 0.22, 0.12), (0.25, 0.2, 0.08), (0.28, 0.08, 0.07))):
            low, face = z - 0.42 + 0.32 * k, x + 0.13
            lens = [(face, y - 0.1, low), (face, y + 0.1, low), (face, y + 0.1, low + 0.2), (face, y - 0.1, low + 0.2)]
            wood.quad(lens, colour, "matt")
    return Thing(wood)


def _sign(prop: Prop, rng: np.random.Generator) -> Thing:
    wood, high = Builder(), prop.height
    _rod(wood, (0, 0, 0), (0, 0, high), 0.04, _STEEL)
    face = np.array(
        [(0.7, 0.1, 0.1), (0.1, 0.2, 0.55), (0.1, 0.38, 0.22), (0.85, 0.84, 0.8), (0.85, 0.65, 0.1)][
            int(rng.integers(5))
        ]
    )
    half = rng.uniform(0.3, 0.55) if high < 4 else rng.uniform(0.8, 1.8)
    wood.box((0.04, -half, high - 1.1 * half), (0.07, half, high), face, "matt")
    inner = half * 0.8
    wood.quad(((0.075, -inner, high - 0.7 * half), (0.075, inner, high - 0.7 * half), (0.075, inner, high - 0.4 * half),
              (0.075, -inner, high - 0.4 * half)), (0.85, 0.85, 0.85), "matt")  # fmt: skip
    return Thing(wood)


def _pole(prop: Prop, rng: np.random.Generator) -> Thing:
    wood, high = Builder(), prop.height
    bark = np.array([0.33, 0.28, 0.23]) if rng.random() < 0.6 else np.array(_STEEL)
    _rod(wood, (0, 0, 0), (0, 0, high), 0.14, bark, thin=0.7)
    for z in (high - 0.5, high - 1.4)[: int(rng.integers(0, 3))]:
        wood.box((-0.06, -1.1, z), (0.06, 1.1, z + 0.12), bark, "matt")
    return Thing(wood)


_PROPS = {"tree": _tree, "bush": _bush, "lamp": _lamp, "signal": _signal, "sign": _sign, "pole": _pole}

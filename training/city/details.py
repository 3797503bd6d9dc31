"""What is fixed to the body of a car: wheels, lamps, grille, bumpers, doors, mirrors, rails and loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .bodies import (
    AMBER,
    BELT,
    CHROME,
    CLEAR,
    CREASE,
    DARK,
    PANE,
    PLASTIC,
    PLATE,
    RAIL,
    RED,
    SILL,
    WAIST,
    both,
)
from .meshes import Builder

if TYPE_CHECKING:
    from .bodies import Body

_RIMS = ((0.62, 0.63, 0.65), (0.70, 0.71, 0.72), (0.40, 0.41, 0.43), (0.16, 0.16, 0.17), (0.5, 0.5, 0.52))
_QUAD = [[0, 1, 2], [0, 2, 3]]  # two triangles of four corners
_TALL = {"suv", "mpv", "van", "pickup"}


def dress(builder: Builder, body: Body, kind: str, paint: tuple, rng: np.random.Generator) -> None:
    """Add a whole car: its body and all that is fixed to it."""
    clad = kind in {"suv", "pickup"} and rng.random() < 0.55
    tint = 0.6 + 0.7 * rng.random()
    glass = tuple(c * tint for c in (0.06, 0.075, 0.085))
    body.shell(builder, paint, glass, PLASTIC if clad or rng.random() < 0.4 else None)
    rim = _RIMS[rng.choice(len(_RIMS), p=[0.35, 0.25, 0.2, 0.1, 0.1])]
    spokes = int(rng.choice([5, 6, 7, 8, 10]))
    for axle in body.shape.wheels:
        body.wheel(builder, axle, rim, spokes, flare=PLASTIC if clad else None)
    _face(builder, body, kind, paint, rng)
    _tail(builder, body, kind, paint, rng)
    _flanks(builder, body, kind, paint, rng, clad=clad)
    if kind == "pickup":
        _bed(builder, body, paint, rng)
    elif kind == "van":
        _van(builder, body, paint, rng)
    elif kind in {"suv", "wagon"} or (kind == "mpv" and rng.random() < 0.5):
        _rails(builder, body, CHROME if rng.random() < 0.5 else DARK, high=kind == "suv" or rng.random() < 0.6)
        if rng.random() < 0.06:
            _rack(builder, body, rng)
    if kind in {"sedan", "hatchback", "suv"} and rng.random() < 0.08:
        _sunroof(builder, body)


def pair(builder: Builder, part: Builder, left: str, right: str) -> None:
    """Add parts that were made in pairs, left ones and mirrored ones in turn, as two kinds."""
    for k, (corners, colours) in enumerate(zip(part.corners, part.colours, strict=True)):
        builder.add(corners, colours, right if k % 2 else left)


def _face(builder: Builder, body: Body, kind: str, paint: tuple, rng: np.random.Generator) -> None:
    """Add grille, head lamps, indicators, lower intake and plate."""
    shape = body.shape
    top = shape.top[0][1]
    high, low = top - 0.015, top - rng.uniform(0.10, 0.13)
    inner = rng.uniform(0.50, 0.62)
    body.end(builder, (inner, 0.99), (low, high), CLEAR, "lamp-front")
    body.stripe(
        builder, (0.002, rng.uniform(0.035, 0.06)), (CREASE - 0.55, BELT - 0.25), CLEAR, "lamp-front", out=0.014
    )
    part = Builder()
    body.stripe(part, (0.055, 0.07), (CREASE - 0.4, CREASE + 0.2), AMBER, "matt", out=0.009)
    body.end(part, (inner - 0.06, inner + 0.03), (low + 0.01, low + 0.05), AMBER, "matt", out=0.014)
    pair(builder, part, "signal-left", "signal-right")
    grille = CHROME if rng.random() < 0.3 else DARK
    wide = rng.uniform(0.36, inner - 0.04)
    deep = rng.uniform(0.08, 0.20) if kind not in {"pickup", "suv"} else rng.uniform(0.14, 0.2)
    body.end(builder, (0, wide + 0.02), (high - deep - 0.008, high + 0.005), grille, "metal", out=0.012)
    body.end(builder, (0, wide), (high - deep, high), DARK, "plastic", out=0.016)
    if rng.random() < 0.6:
        body.end(builder, (0, wide), (high - deep * 0.55, high - deep * 0.45), CHROME, "metal", out=0.02)
    floor = shape.clearance + 0.06
    body.end(
        builder, (0, rng.uniform(0.55, 0.85)), (floor, floor + rng.uniform(0.05, 0.09)), DARK, "plastic", out=0.014
    )
    if rng.random() < 0.6:
        body.end(builder, (0.68, 0.84), (floor + 0.03, floor + 0.075), CLEAR, "metal", out=0.018)
    z = 0.38 / body.height if kind not in {"suv", "pickup", "van"} else 0.5 / body.height
    body.end(builder, (0, 0.17 / body.width * 2), (z, z + 0.12 / body.height), PLATE, "matt", out=0.024)


def _tail(builder: Builder, body: Body, kind: str, paint: tuple, rng: np.random.Generator) -> None:
    """Add tail lamps, indicators, bumper and plate."""
    shape = body.shape
    top = shape.top[-1][1]
    if kind in {"van", "pickup"} or (kind in {"suv", "mpv"} and rng.random() < 0.6):
        wide = 0.15 if kind != "van" else 0.12
        high = min(top - 0.03, 0.62 if kind == "van" else 0.60)
        low = high - (0.2 if kind != "suv" else 0.13)
        body.end(builder, (1 - wide, 1.0), (low, high), RED, "lamp-rear", rear=True)
        body.stripe(builder, (0.975, 0.9985), (WAIST + 0.45, BELT - 0.5), RED, "lamp-rear", out=0.014)
    else:
        high, low = top - 0.01, top - rng.uniform(0.09, 0.13)
        body.end(builder, (rng.uniform(0.45, 0.66), 1.0), (low, high), RED, "lamp-rear", rear=True)
        body.stripe(builder, (rng.uniform(0.93, 0.96), 0.9985), (CREASE - 0.5, BELT - 0.2), RED, "lamp-rear", out=0.014)
    part = Builder()
    body.end(part, (0.84, 0.98), (low + 0.01, low + 0.04), AMBER, "matt", rear=True, out=0.014)
    pair(builder, part, "signal-left", "signal-right")
    floor = shape.clearance + 0.05
    body.end(builder, (0, 0.9), (floor, floor + rng.uniform(0.04, 0.1)), PLASTIC, "plastic", rear=True, out=0.012)
    middle = 0.45 if kind in {"hatchback", "suv", "wagon", "mpv"} else 0.5
    z = min(middle, top - 0.16)
    body.end(builder, (0, 0.18 / body.width * 2), (z, z + 0.12 / body.height), PLATE, "matt", rear=True, out=0.016)
    if rng.random() < 0.5:
        bar = z + 0.13 / body.height
        body.end(builder, (0, 0.4), (bar, bar + 0.02), CHROME, "metal", rear=True, out=0.016)


def _flanks(builder: Builder, body: Body, kind: str, paint: tuple, rng: np.random.Generator, *, clad: bool) -> None:
    """Add door gaps, handles, mirrors, mouldings."""
    gap = tuple(c * 0.25 for c in paint)
    for door in body.shape.doors:
        body.stripe(builder, (door, door + 0.004), (SILL + 0.1, PANE - 0.1), gap, "matt", out=0.004)
    handle = CHROME if rng.random() < 0.25 else paint
    for door in body.shape.doors[1:3]:
        body.stripe(builder, (door - 0.045, door - 0.012), (BELT - 0.45, BELT - 0.25), handle, "metal", out=0.03)
    if clad:
        body.stripe(builder, (0.27, 0.72), (SILL + 0.02, SILL + 0.38), PLASTIC, "plastic", out=0.01)
    elif rng.random() < 0.2:
        trim = CHROME if rng.random() < 0.4 else DARK
        body.stripe(builder, (0.28, 0.72), (WAIST - 0.1, WAIST + 0.08), trim, "plastic", out=0.012)
    if rng.random() < 0.35:  # a bright line below the windows
        first, last = body.shape.panes[0][0], body.shape.panes[-1][1]
        body.stripe(builder, (first, last), (PANE - 0.35, PANE + 0.02), CHROME, "metal", out=0.006)
    base = body.point(body.shape.panes[0][0] + 0.015, PANE)
    long, wide, tall = 0.12, 0.2, 0.14
    if kind in _TALL:
        wide, tall = 0.24, 0.2
    part = Builder()
    cover = DARK if rng.random() < 0.25 else paint
    part.box(
        (base[0] - long, base[1] - 0.02, base[2] + 0.01), (base[0], base[1] + wide, base[2] + tall), cover, "paint"
    )
    for corners, colour in zip(part.corners, part.colours, strict=True):
        both(builder, corners, colour[0], "paint")


def _rails(builder: Builder, body: Body, colour: tuple, *, high: bool) -> None:
    """Add rails along both edges of the roof."""
    shape = body.shape
    start, stop = shape.windscreen[1] + 0.03, shape.backlight[0] - 0.04
    lift = 0.055 if high else 0.025
    for share in np.linspace(start, stop, 5)[:-1]:
        low = np.array([body.point(share, RAIL + 0.9), body.point(share + (stop - start) / 4, RAIL + 0.9)])
        high = low + np.array([0, 0, lift])
        out = np.array([0, 0.02, 0])
        for ring in ((*(low + out), *(high + out)[::-1]), (*(low - out)[::-1], *(high - out))):
            both(builder, np.array(ring)[_QUAD], colour, "metal")
        both(builder, np.array([*(high + out), *(high - out)[::-1]])[_QUAD], colour, "metal")


def _rack(builder: Builder, body: Body, rng: np.random.Generator) -> None:
    """Add a box carried on the roof."""
    z, x = body.height, body.x(0.58)
    shade = rng.uniform(0.06, 0.2)
    half, wide = rng.uniform(0.6, 0.9), rng.uniform(0.3, 0.45)
    builder.box((x - half, -wide, z), (x + half, wide, z + 0.32), (shade, shade, shade), "plastic")


def _sunroof(builder: Builder, body: Body) -> None:
    a, b = body.x(0.47), body.x(0.60)
    z = body.height + 0.006
    builder.quad(((b, -0.35, z), (a, -0.35, z), (a, 0.35, z), (b, 0.35, z)), (0.04, 0.045, 0.05), "glass")


def _van(builder: Builder, body: Body, paint: tuple, rng: np.random.Generator) -> None:
    """Add rear doors, and windows or a panel along the sides."""
    top = body.shape.top[-1][1]
    if rng.random() < 0.6:
        body.end(builder, (0.10, 0.86), (0.56, min(0.80, top - 0.06)), (0.05, 0.06, 0.07), "glass", rear=True)
    body.end(builder, (0, 0.012), (0.16, top - 0.03), DARK, "matt", rear=True)
    style = rng.random()
    if style < 0.3:  # windows all along
        for a, b in ((0.40, 0.58), (0.62, 0.78), (0.80, 0.94)):
            body.stripe(builder, (a, b), (PANE + 0.2, RAIL - 0.15), (0.05, 0.06, 0.07), "glass", out=0.018)
    elif style < 0.5:  # a firm's sign
        sign = tuple(rng.uniform(0.05, 0.9, 3))
        body.stripe(builder, (0.50, rng.uniform(0.7, 0.9)), (PANE + 0.1, RAIL - 0.4), sign, "paint", out=0.018)
    elif style < 0.6:  # a band
        body.stripe(
            builder, (0.2, 0.99), (CREASE - 0.2, BELT - 0.3), tuple(rng.uniform(0.05, 0.8, 3)), "paint", out=0.014
        )
    if rng.random() < 0.25:
        z = body.height
        for share in (0.42, 0.62, 0.85):
            x = body.x(share)
            builder.box((x - 0.03, -0.7, z), (x + 0.03, 0.7, z + 0.1), PLASTIC, "metal")
        if rng.random() < 0.5:
            builder.box((body.x(0.95), 0.2, z + 0.1), (body.x(0.4), 0.55, z + 0.16), CHROME, "metal")


def _bed(builder: Builder, body: Body, paint: tuple, rng: np.random.Generator) -> None:
    """Open the bed of a pickup, or cover it, and load it."""
    shape = body.shape
    front, back = body.x(shape.backlight[1] + 0.035), body.x(0.975)
    half, high = body.point(0.8, PANE)[1] - 0.07, 0.62 * body.height + 0.006
    covered = rng.random()
    if covered < 0.18:
        builder.quad(((back, -half, high), (front, -half, high), (front, half, high), (back, half, high)), DARK, "matt")
        return
    if covered < 0.28:  # a canopy over the bed
        canopy(builder, (back - 0.06, front + 0.06), half + 0.06, (high - 0.02, 0.94 * body.height), paint)
        return
    deep, liner = high - 0.02, (0.10, 0.10, 0.105) if rng.random() < 0.7 else tuple(c * 0.7 for c in paint)
    # The well is drawn on the closed top: a dark floor and walls shaded as if seen into it would need a hole, so the
    # top of the sheet is taken away first.
    _cut(builder, back, front, half, high - 0.05)
    well(builder, (back, front), half, (shape.clearance + 0.22) * body.height, deep, colour=liner)
    if rng.random() < 0.4:
        _load(builder, (back, front), half, (shape.clearance + 0.22) * body.height, rng)


def well(
    builder: Builder,
    xs: tuple[float, float],
    half: float,
    floor: float,
    top: float,
    *,
    colour: tuple,
    kind: str = "matt",
) -> None:
    """Add the inside of an open box: its floor and four walls that face inward."""
    x0, x1 = xs
    dim = tuple(c * 0.75 for c in colour)
    builder.quad(((x0, -half, floor), (x1, -half, floor), (x1, half, floor), (x0, half, floor)), dim, kind)
    builder.quad(((x0, half, floor), (x1, half, floor), (x1, half, top), (x0, half, top)), colour, kind)
    builder.quad(((x1, -half, floor), (x0, -half, floor), (x0, -half, top), (x1, -half, top)), colour, kind)
    builder.quad(((x0, -half, floor), (x0, half, floor), (x0, half, top), (x0, -half, top)), colour, kind)
    builder.quad(((x1, half, floor), (x1, -half, floor), (x1, -half, top), (x1, half, top)), colour, kind)


def canopy(builder: Builder, xs: tuple[float, float], half: float, zs: tuple[float, float], paint: tuple) -> None:
    """Add a cover with windows over a bed, a little narrower at the top."""
    inset, (back, front), (low, high) = 0.08, xs, zs
    ring = [
        (front, half, low),
        (back, half, low),
        (back + inset, half - inset, high),
        (front - 0.03, half - inset, high),
    ]
    side = np.array(ring)
    both(builder, side[_QUAD], paint, "paint")
    pane = side * 0.75 + side.mean(axis=0) * 0.25 + (0, 0.012, 0)
    both(builder, pane[_QUAD], (0.05, 0.06, 0.07), "glass")
    left, right = side, side * (1, -1, 1)
    builder.quad((left[1], right[1], right[2], left[2]), (0.05, 0.06, 0.07), "glass")
    builder.quad((right[2], right[3], left[3], left[2]), paint)
    builder.quad((right[0], left[0], left[3], right[3]), paint)


def _cut(builder: Builder, back: float, front: float, half: float, above: float) -> None:
    """Take away the triangles that cover a well."""
    for k, corners in enumerate(builder.corners):
        middle, low = corners.mean(axis=1), corners[..., 2].min(axis=1)
        lid = (low > above) & (middle[:, 0] < front) & (middle[:, 0] > back) & (np.abs(middle[:, 1]) < half + 0.02)
        builder.corners[k], builder.colours[k] = corners[~lid], builder.colours[k][~lid]
        builder.kinds[k] = builder.kinds[k][~lid]


def _load(builder: Builder, xs: tuple[float, float], half: float, floor: float, rng: np.random.Generator) -> None:
    """Add boxes and sacks."""
    back, front = xs
    for _ in range(int(rng.integers(1, 6))):
        x, y = rng.uniform(back + 0.35, front - 0.35), rng.uniform(-half + 0.3, half - 0.3)
        a, b, c = rng.uniform(0.15, 0.35), rng.uniform(0.15, 0.3), rng.uniform(0.2, 0.75)
        colour = rng.choice(
            [[0.45, 0.33, 0.2], [0.3, 0.3, 0.32], [0.6, 0.58, 0.5], [0.15, 0.25, 0.4], [0.5, 0.15, 0.1]]
        )
        builder.box((x - a, y - b, floor), (x + a, y + b, floor + c), colour, "matt", skip="z")

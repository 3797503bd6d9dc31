"""Buses and lorries."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .bodies import AMBER, CHROME, CLEAR, DARK, PANE, PLASTIC, PLATE, RAIL, RED, WAIST, Body, Shape, both, tyre
from .details import pair, well
from .meshes import Builder, sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

_PANE = (0.05, 0.06, 0.07)
_STEEL = (0.30, 0.30, 0.31)
_NEUTRAL = ((0.92, 0.92, 0.91), (0.70, 0.71, 0.72), (0.86, 0.85, 0.80), (0.25, 0.26, 0.28))

_COACH = Shape(
    top=((0, .90), (.004, .95), (.012, .985), (.03, 1), (.97, 1), (.99, .985), (1, .93)),
    belt=(.40, .40), roof=.96, clearance=.09, nose=.94, tail=.95, wheels=(.22, .74), radius=.49,
    panes=(), windscreen=(2, 2), backlight=(2, 2), crown=.05, bow=.35,
)  # fmt: skip
_SCHOOL = Shape(
    top=((0, .36), (.006, .42), (.02, .45), (.105, .48), (.125, .80), (.135, .93), (.16, .985), (.20, 1), (.96, 1),
         (.985, .97), (1, .90)),
    belt=(.44, .44), roof=.92, clearance=.13, nose=.80, tail=.95, wheels=(.11, .74), radius=.48,
    panes=(), windscreen=(.106, .126), backlight=(2, 2), crown=.05, bow=.35,
)  # fmt: skip
_FLAT_CAB = Shape(
    top=((0, .50), (.02, .56), (.16, .90), (.22, .965), (.36, 1), (.94, 1), (1, .97)),
    belt=(.52, .52), roof=.90, clearance=.16, nose=.92, tail=.98, wheels=(.45, .45), radius=.46,
    panes=((.26, .72),), windscreen=(.04, .155), backlight=(2, 2), crown=.05, bow=.25, doors=(.14, .74),
)  # fmt: skip
_LONG_CAB = Shape(
    top=((0, .46), (.012, .54), (.28, .60), (.40, .635), (.50, .92), (.53, .97), (.62, 1), (.96, 1), (1, .97)),
    belt=(.60, .60), roof=.88, clearance=.17, nose=.80, tail=.96, wheels=(.24, .24), radius=.46,
    panes=((.50, .84),), windscreen=(.405, .495), backlight=(2, 2), crown=.045, bow=.30, doors=(.42, .86),
)  # fmt: skip


def bus(builder: Builder, size: Sequence[float], paint: tuple, rng: np.random.Generator) -> None:
    """Add a city bus, a coach or a school bus."""
    length, width, height = size
    school = rng.random() < 0.22
    body = Body(_SCHOOL if school else _COACH, (length, width, height))
    body.shell(builder, paint)
    for axle in body.shape.wheels:
        body.wheel(builder, axle, (0.55, 0.55, 0.56), 6, grow=1.12)
    start, stop = (0.17, 0.975) if school else (0.02, 0.975)
    low, high = (PANE + 0.10, PANE + 0.62) if school else (PANE + 0.04, PANE + rng.uniform(0.72, 0.86))
    count = int(rng.integers(8, 12)) if school else int(rng.integers(5, 9))
    gap = 0.012 if school or rng.random() < 0.5 else 0.004
    edges = np.linspace(start, stop, count + 1)
    if rng.random() < 0.5 and not school:  # panes in one dark band
        body.stripe(builder, (start, stop), (low - 0.03, high + 0.03), DARK, "plastic", out=0.016)
    for a, b in pairwise(edges):
        body.stripe(builder, (a + gap / 2, b - gap / 2), (low, high), _PANE, "glass", out=0.026)
    _bus_bands(builder, body, paint, rng, school=school)
    _bus_doors(builder, body, (0.14,) if school else (0.03, rng.uniform(0.42, 0.56)))
    _bus_ends(builder, body, rng, school=school)
    for share in rng.uniform(0.15, 0.85, int(rng.integers(1, 4))):  # hatches and coolers on the roof
        x, long, wide = body.x(share), rng.uniform(0.3, 1.1), rng.uniform(0.3, 0.8)
        builder.box(
            (x - long, -wide, height), (x + long, wide, height + rng.uniform(0.08, 0.25)), (0.6, 0.6, 0.6), "plastic"
        )


def _bus_bands(builder: Builder, body: Body, paint: tuple, rng: np.random.Generator, *, school: bool) -> None:
    """Add coloured bands; they leave most of the body as it is painted."""
    if school:
        for row in (WAIST - 0.2, WAIST + 0.7):
            body.stripe(builder, (0.14, 0.99), (row, row + 0.09), DARK, "plastic", out=0.014)
        return
    light = sum(paint) > 1.5
    if rng.random() < 0.65:
        band = tuple(rng.uniform(0.05, 0.75, 3)) if light else (0.88, 0.88, 0.87)
        row = rng.uniform(WAIST - 0.3, WAIST + 1.0)
        body.stripe(builder, (0.005, 0.995), (row, row + rng.uniform(0.1, 0.4)), band, "paint", out=0.012)
    if rng.random() < 0.3:  # an advertisement
        a = rng.uniform(0.30, 0.45)
        colour = tuple(rng.uniform(0.1, 0.9, 3))
        body.stripe(builder, (a, a + rng.uniform(0.15, 0.25)), (WAIST, WAIST + 1.5), colour, "paint", out=0.016)
    body.stripe(builder, (0.02, 0.985), (0.35, 1.1), PLASTIC if rng.random() < 0.4 else paint, "plastic", out=0.010)


def _bus_doors(builder: Builder, body: Body, places: Sequence[float]) -> None:
    """Add doors on the right side."""
    for place in places:
        for k in range(2):
            part = Builder()
            a = place + k * 0.055
            body.stripe(part, (a, a + 0.05), (1.2, RAIL - 0.25), DARK, "plastic", out=0.032)
            body.stripe(part, (a + 0.006, a + 0.044), (1.5, RAIL - 0.35), _PANE, "glass", out=0.042)
            for corners, colours, kind in zip(
                part.corners[1::2], part.colours[1::2], ("plastic", "glass"), strict=True
            ):
                builder.add(corners, colours, kind)


def _bus_ends(builder: Builder, body: Body, rng: np.random.Generator, *, school: bool) -> None:
    """Add windscreen, lamps, signs, plates and mirrors."""
    nose_top = 0.36 if school else 0.42
    if not school:
        body.end(builder, (0, 0.95), (0.40, 0.80), _PANE, "glass")
        body.end(builder, (0, 0.75), (0.825, 0.90), (0.03, 0.03, 0.03), "plastic", out=0.012)
        body.end(builder, (0.05, 0.5), (0.845, 0.88), (0.9, 0.55, 0.1), "plastic", out=0.016)
    body.end(builder, (0.62, 0.92), (nose_top - 0.17, nose_top - 0.09), CLEAR, "lamp-front", out=0.014)
    body.end(builder, (0, 0.45), (nose_top - 0.2, nose_top - 0.08), DARK, "plastic", out=0.012)
    body.end(builder, (0, 1.0), (0.10, 0.16), PLASTIC, "plastic", out=0.03)
    body.end(builder, (0, 0.15), (0.165, 0.20), PLATE, "matt", out=0.02)
    body.end(builder, (0.1 if school else 0.0, 0.8), (0.52, 0.76), _PANE, "glass", rear=True)
    body.end(builder, (0.80, 0.97), (0.20, 0.38), RED, "lamp-rear", rear=True, out=0.014)
    body.end(builder, (0, 0.6), (0.20, 0.40), PLASTIC if rng.random() < 0.6 else DARK, "plastic", rear=True, out=0.012)
    body.end(builder, (0, 1.0), (0.10, 0.15), PLASTIC, "plastic", rear=True, out=0.03)
    part = Builder()
    body.end(part, (0.80, 0.97), (0.39, 0.43), AMBER, "matt", rear=True, out=0.014)
    body.end(part, (0.92, 1.0), (nose_top - 0.15, nose_top - 0.10), AMBER, "matt", out=0.016)
    pair(builder, part, "signal-left", "signal-right")
    _mirrors(builder, body.x(0.105 if school else 0.0) + 0.05, body.width / 2, 0.6 * body.height)


def _mirrors(builder: Builder, x: float, half: float, z: float) -> None:
    part = Builder()
    part.box((x - 0.06, half + 0.05, z), (x + 0.06, half + 0.25, z + 0.45), DARK, "plastic")
    for corners in part.corners:
        both(builder, corners, DARK, "plastic")


def cargo(builder: Builder, size: Sequence[float], paint: tuple, rng: np.random.Generator) -> None:
    """Add a lorry: mostly with a box, else a flat bed, a tipper, a tank or a trailer."""
    length, width, height = size
    style = rng.choice(["box", "trailer", "flat", "tipper", "tank"], p=[0.62, 0.12, 0.12, 0.08, 0.06])
    long_nose = rng.random() < (0.4 if style != "trailer" else 0.6)
    cab_long = (2.7 if long_nose else 2.0) * rng.uniform(0.95, 1.08)
    cab_high = height * (rng.uniform(0.72, 0.82) if style in {"box", "trailer"} else rng.uniform(0.82, 0.92))
    # "most of its body" carries the colour: the box where there is one, and then the cab may differ
    cab_paint = paint
    if style in {"box", "trailer", "tank"} and rng.random() < 0.3:
        cab_paint = _NEUTRAL[int(rng.integers(3))]
    cab = Body(_LONG_CAB if long_nose else _FLAT_CAB, (cab_long, width * 0.93, cab_high))
    part = Builder()
    cab.shell(part, cab_paint)
    _cab_details(part, cab, rng, long_nose=long_nose)
    builder.merge(part, shift=(length / 2 - cab_long / 2 - 0.03, 0, 0))
    rear, front = -length / 2 + 0.06, length / 2 - cab_long - 0.12
    builder.box((rear, -0.45, 0.55), (front + 0.6, 0.45, 0.95), DARK, "matt")
    _axles(builder, (length, width), cab, style, rng)
    _rear(builder, -length / 2 + 0.03, width)
    if style in {"box", "trailer"}:
        _box(builder, (rear, front), (width, height), paint, rng)
    elif style == "tank":
        _tank(builder, (rear, front), (width, height), paint)
    else:
        _open(builder, (rear, front), (width, height), paint, rng, tipper=style == "tipper")


def _cab_details(part: Builder, cab: Body, rng: np.random.Generator, *, long_nose: bool) -> None:
    for door in cab.shape.doors:
        cab.stripe(part, (door, door + 0.008), (1.1, RAIL - 0.3), DARK, "matt", out=0.004)
    top = cab.shape.top[0][1]
    cab.end(part, (0, 0.62), (top - 0.2, top - 0.04), CHROME if rng.random() < 0.3 else DARK, "metal")
    cab.end(part, (0.66, 0.95), (top - 0.24, top - 0.14), CLEAR, "lamp-front", out=0.014)
    cab.end(part, (0, 1.0), (0.165, 0.24), CHROME if rng.random() < 0.3 else PLASTIC, "plastic", out=0.03)
    cab.end(part, (0, 0.16), (0.18, 0.225), PLATE, "matt", out=0.04)
    lamps = Builder()
    cab.end(lamps, (0.88, 0.99), (top - 0.13, top - 0.09), AMBER, "matt", out=0.014)
    pair(part, lamps, "signal-left", "signal-right")
    _mirrors(part, cab.x(0.42 if long_nose else 0.1), cab.width / 2 - 0.04, cab.height * 0.6)
    if not long_nose and rng.random() < 0.4:  # a visor
        z = cab.height * 0.95
        part.box((cab.x(0.16), -0.8, z), (cab.x(0.10), 0.8, z + 0.1), DARK, "plastic")


def _axles(builder: Builder, size: tuple[float, float], cab: Body, style: str, rng: np.random.Generator) -> None:
    """Add wheels, mudguards and tanks between them."""
    length, width = size
    radius, side = 0.46, width / 2 - 0.04
    front = length / 2 - cab.length / 2 - 0.03 + cab.x(cab.shape.wheels[0])
    places = [front, -length * 0.27]
    if style == "trailer":
        places = [front, length / 2 - cab.length - 0.6, -length * 0.27, -length * 0.27 - 1.0]
    elif rng.random() < 0.3:
        places.append(-length * 0.27 - 1.0)
    rim = (0.62, 0.62, 0.63) if rng.random() < 0.5 else (0.85, 0.84, 0.82)
    for x in places:
        tyre(builder, x, side, radius, rim, spokes=6, width=0.34)
    both(builder, _arch(front, side - 0.02, radius), DARK, "matt")
    middle = (front - 1.0 + places[1] + 0.8) / 2
    part = Builder()
    part.box((middle - 0.5, side - 0.5, 0.45), (middle + 0.5, side - 0.05, 0.92), _STEEL, "metal")
    for corners in part.corners:
        both(builder, corners, _STEEL, "metal")


def _arch(x: float, side: float, radius: float) -> np.ndarray:
    from .meshes import disc

    return disc((x, side, radius), radius * 1.15, 10, facing=1, span=(np.radians(-10), np.radians(190)))


def _rear(builder: Builder, x: float, width: float) -> None:
    """Add the lamps, the plate and the bar at the tail."""
    half = width / 2
    builder.box((x, -half + 0.1, 0.48), (x + 0.08, half - 0.1, 0.60), PLASTIC, "plastic")
    part = Builder()
    part.box((x - 0.01, half - 0.48, 0.64), (x + 0.06, half - 0.12, 0.80), RED, "lamp-rear")
    for corners in part.corners:
        both(builder, corners, RED, "lamp-rear")
    part, lamps = Builder(), Builder()
    part.box((x - 0.01, half - 0.62, 0.66), (x + 0.06, half - 0.49, 0.78), AMBER, "matt")
    for corners in part.corners:
        both(lamps, corners, AMBER, "matt")
    pair(builder, lamps, "signal-left", "signal-right")
    builder.quad(
        ((x - 0.01, 0.25, 0.62), (x - 0.01, -0.25, 0.62), (x - 0.01, -0.25, 0.74), (x - 0.01, 0.25, 0.74)),
        PLATE,
        "matt",
    )


def _prism(builder: Builder, xs: tuple[float, float], section: np.ndarray, colour: tuple, kind: str = "paint") -> None:
    """Add a bar along x whose section, float [N, 2] of y and z, runs anticlockwise seen from the front."""
    ring = np.concatenate([section, section[:1]])
    back, front = (np.column_stack([np.full(len(ring), x), ring]) for x in xs)
    builder.add(sheet(np.array([back, front])), colour, kind)
    middle = section.mean(axis=0)
    fan = np.stack([front[:-1], front[1:], np.broadcast_to([xs[1], *middle], (len(section), 3))], axis=1)
    builder.add(fan, colour, kind)
    builder.add((fan * (0, 1, 1) + (xs[0], 0, 0))[:, ::-1], colour, kind)


def _box(
    builder: Builder, xs: tuple[float, float], size: tuple[float, float], paint: tuple, rng: np.random.Generator
) -> None:
    """Add a closed box with ribs or a sign, and doors at the rear."""
    width, height = size
    half, low, cut = width / 2, rng.uniform(0.88, 1.05), rng.uniform(0.03, 0.12)
    section = np.array([(half, low), (half, height - cut), (half - cut, height), (-half + cut, height),
                        (-half, height - cut), (-half, low)])  # fmt: skip
    _prism(builder, xs, section, paint)
    rear, front = xs
    edge = tuple(c * 0.55 + 0.1 for c in paint) if rng.random() < 0.5 else _STEEL
    part = Builder()
    part.box((rear - 0.005, half - 0.02, low - 0.04), (front + 0.005, half + 0.012, low + 0.08), edge, "metal")
    style = rng.random()
    if style < 0.45:
        for x in np.linspace(rear + 0.02, front - 0.06, int(rng.integers(6, 16))):
            part.box(
                (x, half - 0.01, low), (x + 0.04, half + 0.014, height - cut), tuple(c * 0.86 for c in paint), "paint"
            )
    elif style < 0.75:
        a, b = sorted(rng.uniform(rear + 0.5, front - 0.5, 2))
        b = max(b, a + 1.0)
        z0, z1 = height * rng.uniform(0.45, 0.6), height * rng.uniform(0.68, 0.85)
        part.box((a, half - 0.01, z0), (b, half + 0.008, z1), tuple(rng.uniform(0.05, 0.9, 3)), "paint")
    for corners, colours in zip(part.corners, part.colours, strict=True):
        both(builder, corners, colours[0], "paint")
    for y in (-half + 0.03, -0.02, half - 0.07):  # the frames of the rear doors
        builder.box((rear - 0.02, y, low), (rear + 0.01, y + 0.04, height - cut), edge, "metal")
    builder.box((rear - 0.02, -half + 0.03, low), (rear + 0.01, half - 0.03, low + 0.1), edge, "metal")
    if rng.random() < 0.3:  # a cooler above the cab
        builder.box((front, -0.8, height * 0.70), (front + 0.35, 0.8, height * 0.93), (0.8, 0.8, 0.8), "plastic")


def _tank(builder: Builder, xs: tuple[float, float], size: tuple[float, float], paint: tuple) -> None:
    width, height = size
    angles = np.linspace(0, 2 * np.pi, 21)[:-1]
    middle, radius = 0.55 * height + 0.15, 0.40 * height
    section = np.column_stack([np.cos(angles) * (width / 2 - 0.05), middle + np.sin(angles) * radius])
    _prism(builder, xs, section, paint)
    for x in np.linspace(xs[0] + 0.3, xs[1] - 0.5, 4):
        _prism(
            builder,
            (x, x + 0.12),
            (section - (0, middle)) * 1.012 + (0, middle),
            tuple(c * 0.6 for c in paint),
            "metal",
        )


def _open(
    builder: Builder,
    xs: tuple[float, float],
    size: tuple[float, float],
    paint: tuple,
    rng: np.random.Generator,
    *,
    tipper: bool,
) -> None:
    """Add a flat bed with a bulkhead, or a tipper's body, and a load."""
    width, height = size
    half, floor, (rear, front) = width / 2, 1.05, xs
    high = floor + (rng.uniform(0.8, 1.3) if tipper else rng.choice([0.06, 0.45]))
    wall = paint if tipper or rng.random() < 0.5 else _STEEL
    builder.box((rear, -half, floor - 0.14), (front, half, high), wall, "paint", skip="Z")
    well(builder, (rear + 0.05, front - 0.05), half - 0.05, floor, high, colour=tuple(c * 0.6 for c in wall))
    for y in (-half, half - 0.05):
        builder.box((rear, y, high - 0.02), (front, y + 0.05, high + 0.03), wall, "paint")
    builder.box((front - 0.06, -half, floor), (front, half, height * 0.75), wall, "paint")
    if tipper:
        if rng.random() < 0.7:
            _heap(builder, (rear + 0.2, front - 0.2), half - 0.1, high - 0.15, rng)
    elif rng.random() < 0.7:
        for _ in range(int(rng.integers(1, 6))):
            x, y = rng.uniform(rear + 0.8, front - 0.8), rng.uniform(-half + 0.6, half - 0.6)
            a, b, c = rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.6), rng.uniform(0.3, 1.2)
            colour = rng.choice([[0.45, 0.33, 0.2], [0.35, 0.35, 0.36], [0.7, 0.66, 0.55], [0.2, 0.3, 0.45]])
            builder.box((x - a, y - b, floor), (x + a, y + b, floor + c), colour, "matt", skip="z")


def _heap(builder: Builder, xs: tuple[float, float], half: float, z: float, rng: np.random.Generator) -> None:
    """Add a heap of earth or sand."""
    x, y = np.meshgrid(np.linspace(*xs, 9), np.linspace(-half, half, 6))
    shape = np.cos((x - np.mean(xs)) / np.ptp(xs) * np.pi) * np.cos(y / half * np.pi / 2)
    points = np.stack([x, y, z + 0.55 * shape + rng.normal(0, 0.04, x.shape)], axis=-1)
    builder.grid(points, rng.choice([[0.36, 0.27, 0.18], [0.62, 0.54, 0.40], [0.30, 0.30, 0.30]]), "matt")

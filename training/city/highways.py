"""Two carriageways with a median between them, ramps beside them, and a slight bend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .roads import (
    ASPHALT,
    ISLAND,
    KERB,
    PATCH,
    lengths,
    offset,
    paint_dashes,
    paint_line,
    part,
    polygon,
    resample,
    row_of_lamps,
    strip,
)
from .world import Lane, Prop, Surface

HALF = 240.0  # metres from the middle to where lanes end, along the road
BEYOND = 130.0  # metres that what lies on the ground goes on
RAMP = 4.2  # width of a ramp
BESIDE = 120.0  # metres that a ramp's lane runs beside the others
TAPER = 35.0  # metres over which a lane beside the others narrows to nothing


@dataclass(slots=True)
class Side:
    """One carriageway.

    axis: line in its direction of travel whose left is the median.  inner, outer: width of the shoulders.
    ramps: "on" and "off", with the distance along the axis at which the lane beside the others begins.
    """

    axis: np.ndarray
    lanes: int
    width: float
    inner: float
    outer: float
    ramps: list[tuple[str, float]]

    def offset_of(self, number: int) -> float:
        """Return the offset to the left of a lane's middle, the lanes counted from the median."""
        return -self.inner - self.width * (number + 0.5)

    @property
    def edge(self) -> float:
        """Offset of the outermost lane's right edge."""
        return -self.inner - self.width * self.lanes


def draw(rng: np.random.Generator) -> tuple[list[Lane], list[Surface], list[Prop], list[np.ndarray]]:
    """Return lanes, surfaces, props and (no) pavements of a highway."""
    middle = _bend(rng)
    median, width = float(rng.choice([rng.uniform(1.2, 2.0), rng.uniform(4, 12)])), rng.uniform(3.4, 3.75)
    counts = rng.choice([2, 3, 4], size=2, p=[0.4, 0.45, 0.15]) if rng.random() < 0.3 else [int(rng.integers(2, 5))] * 2
    inner, outer = rng.uniform(0.5, 1.2), float(rng.choice([0.8, 2.6, 3.0]))
    limit = float(rng.choice([20.0, 23.0, 26.0, 29.0]))
    lanes: list[Lane] = []
    surfaces: list[Surface] = []
    for number, count in enumerate(counts):
        line = offset(middle, -median / 2) if number == 0 else offset(middle, median / 2)[::-1]
        side = Side(line, int(count), width, inner, outer, _draw_ramps(rng))
        for place in range(side.lanes):
            own = resample(_trim(offset(line, side.offset_of(place))))
            lanes.append(Lane(own, width, limit, "through"))
        surfaces += _cover(side)
        for kind, start in side.ramps:
            lane, ground = _ramp(side, kind, start, limit, rng)
            lanes.append(lane)
            surfaces += ground
    surfaces += _median(middle, median, rng)
    props = _furnish(middle, rng)
    return lanes, surfaces, props, []


def _bend(rng: np.random.Generator) -> np.ndarray:
    """Return the middle of the road, a slight bend through the origin, points 1 m apart."""
    turn, start = np.radians(rng.uniform(-13, 13)), rng.uniform(-np.pi, np.pi)
    reach = HALF + BEYOND
    along = np.arange(-reach, reach + 0.5)
    headings = start + turn * np.clip(along, -HALF, HALF) / (2 * HALF)
    steps = np.column_stack([np.cos(headings), np.sin(headings)])
    line = np.cumsum(steps, axis=0)
    return line - line[len(line) // 2]


def _trim(line: np.ndarray) -> np.ndarray:
    """Return the stretch of a line along which one drives."""
    return part(line, BEYOND, lengths(line)[-1] - BEYOND)


def _draw_ramps(rng: np.random.Generator) -> list[tuple[str, float]]:
    """Return the ramps of a carriageway and where their lanes begin beside it, metres from the axis's start."""
    kind = rng.choice(["none", "on", "off", "both"], p=[0.25, 0.25, 0.25, 0.25])
    if kind == "both":  # first on, then off: between two junctions, so that the ramps do not meet
        return [("on", BEYOND + rng.uniform(105, 115)), ("off", BEYOND + rng.uniform(245, 255))]
    if kind == "on":
        return [("on", BEYOND + rng.uniform(120, 280))]
    return [("off", BEYOND + rng.uniform(60, 220))] if kind == "off" else []


def _cover(side: Side) -> list[Surface]:
    """Return a carriageway's asphalt and lines."""
    surfaces = strip(side.axis, side.edge - side.outer, 0.0, "asphalt", ASPHALT)
    surfaces += strip(side.axis, side.edge - side.outer - 1.2, 0.3, "earth", KERB)
    for number in range(1, side.lanes):
        surfaces += paint_dashes(offset(side.axis, -side.inner - number * side.width), dash=4.0, gap=8.0)
    surfaces += paint_line(offset(side.axis, -side.inner), "paint-yellow", 0.18)
    at, total = 0.0, float(lengths(side.axis)[-1])
    edge = offset(side.axis, side.edge)
    for _, start in [*side.ramps, ("end", total)]:
        end = min(start, total)
        if end - at > 2:
            surfaces += paint_line(part(edge, at, end), width=0.18)
        at = end + BESIDE
    for _, start in side.ramps:
        surfaces += paint_dashes(part(edge, start, start + BESIDE), width=0.25, dash=1.5, gap=2.0)
    return surfaces


def _ramp(side: Side, kind: str, start: float, limit: float, rng: np.random.Generator) -> tuple[Lane, list[Surface]]:
    """Return a ramp: a lane beside the carriageway and the way off it, or, for "on", onto it."""
    place = side.edge - side.width / 2
    away, reach = rng.uniform(12, 17), rng.uniform(90, 108)  # metres beside the others and along, where it ends
    share = np.linspace(0.0, 1.0, 60)
    # Parallel first, then ever faster away: its heading turns by less than 25 degrees.
    swing = np.where(share < 0.5, 2 * share**2, 2 * share - 0.5) / 1.5
    along = np.arange(0.0, BESIDE, 2.0)
    if kind == "off":
        where = np.concatenate([start + along, start + BESIDE + reach * share])
        aside = np.concatenate([np.zeros(len(along)), away * swing])
    else:
        where = np.concatenate([start - reach * share[::-1], start + along + 2.0])
        aside = np.concatenate([away * swing[::-1], np.zeros(len(along))])
    line = resample(_at(side.axis, where, place - aside))
    tail = line[[-2, -1]] if kind == "off" else line[[1, 0]]
    lane = Lane(line, side.width, 0.8 * limit, "through")
    surfaces = strip(line, -RAMP / 2 - 0.6, RAMP / 2, "asphalt", ASPHALT)
    surfaces += strip(line, -RAMP / 2 - 1.6, RAMP / 2 + 0.8, "earth", KERB)
    # It goes on straight where cars no longer do, and narrows where it begins or ends beside the others.
    beyond = np.array([tail[1], tail[1] + 110 * (tail[1] - tail[0]) / np.linalg.norm(tail[1] - tail[0])])
    surfaces += strip(beyond if kind == "off" else beyond[::-1], -RAMP / 2 - 0.6, RAMP / 2, "asphalt", ASPHALT)
    tip, back = (start - TAPER, start) if kind == "off" else (start + BESIDE + TAPER, start + BESIDE)
    corners = _at(side.axis, np.array([tip, back, back]), np.array([side.edge, side.edge, place - RAMP / 2 - 0.6]))
    surfaces.append(polygon(corners, "asphalt", ASPHALT))
    begin = BESIDE + 8 if kind == "off" else 0.0
    end = lengths(line)[-1] if kind == "off" else lengths(line)[-1] - BESIDE - 8
    for paint, left in (("paint-yellow", RAMP / 2 - 0.3), ("paint-white", -RAMP / 2 + 0.2)):
        surfaces += paint_line(offset(part(line, begin, end), left), paint, 0.15)
    return lane, surfaces


def _at(axis: np.ndarray, where: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return points at distances along an axis (its points are 1 m apart) and offsets to its left."""
    lines = offset(axis, 1.0) - axis
    number = np.arange(len(axis), dtype=float)
    base = np.column_stack([np.interp(where, number, axis[:, i]) for i in (0, 1)])
    across = np.column_stack([np.interp(where, number, lines[:, i]) for i in (0, 1)])
    return base + across * np.reshape(left, (-1, 1))


def _median(middle: np.ndarray, median: float, rng: np.random.Generator) -> list[Surface]:
    """Return what lies between the carriageways."""
    if median < 3:
        return strip(middle, -median / 2 + 0.1, median / 2 - 0.1, "concrete", ISLAND)
    filling = rng.choice(["grass", "earth"], p=[0.8, 0.2])
    return strip(middle, -median / 2, median / 2, filling, PATCH)


def _furnish(middle: np.ndarray, rng: np.random.Generator) -> list[Prop]:
    """Return lamps in the median or beside the road, signs and poles."""
    props: list[Prop] = []
    height, spacing = rng.uniform(9, 12), rng.uniform(32, 55)
    edge = 34.0
    if rng.random() < 0.75:
        props += row_of_lamps(_trim(middle), rng, side=float(rng.choice([-1, 1])), spacing=spacing, height=height)
    for line, count in ((_trim(offset(middle, -edge)), 3), (_trim(offset(middle[::-1], -edge)), 3)):
        total = lengths(line)[-1]
        for s in rng.uniform(10, total - 10, count):
            (x, y), (x2, y2) = part(line, s, s + 1)[[0, -1]]
            heading = float(np.arctan2(y2 - y, x2 - x) + np.pi)
            kind = "sign" if rng.random() < 0.7 else "pole"
            tall = 5.5 if kind == "sign" else 10.0
            props.append(Prop(kind, float(x), float(y), heading, tall, int(rng.integers(2**31))))
    return props

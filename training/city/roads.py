"""Geometry of streets on the plane: lines and what is laid along them.

A line is float64 [N, 2], metres, in the direction of travel; "left" and "right" are as seen by who travels along it.
Every surface made here is convex, so that whoever draws or tests it needs no triangulation.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from .world import Prop, Surface

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .world import Material

# What lies on what, the lowest first. A kerb is a wider strip below the asphalt: only its rim shows.
GROUND, PATCH, PAVEMENT, KERB, ASPHALT, ISLAND_KERB, ISLAND, PAINT = range(8)
RIM = 0.18


def unit(angle: float) -> np.ndarray:
    """Return the direction of an angle, float64 [2]."""
    return np.array([np.cos(angle), np.sin(angle)])


def turn_between(before: float, after: float) -> float:
    """Return by how much one turns from a heading to another, in (−π, π], left positive."""
    return float(np.pi - (np.pi - (after - before)) % (2 * np.pi))


def lengths(line: np.ndarray) -> np.ndarray:
    """Return how far along the line each of its points lies, float64 [N]."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])


def resample(line: np.ndarray, spacing: float = 1.0) -> np.ndarray:
    """Return the same line with points evenly spaced, at most `spacing` apart."""
    along = lengths(line)
    wanted = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / spacing - 1e-9)) + 1))
    return np.column_stack([np.interp(wanted, along, line[:, axis]) for axis in (0, 1)])


def normals(line: np.ndarray) -> np.ndarray:
    """Return the unit vectors to the left at each point, float64 [N, 2]."""
    tangents = np.gradient(line, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-12)
    return np.column_stack([-tangents[:, 1], tangents[:, 0]])


def offset(line: np.ndarray, left: float | np.ndarray) -> np.ndarray:
    """Return the line moved to the left by so many metres, one number or one for each point."""
    return line + normals(line) * np.reshape(left, (-1, 1))


def part(line: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return the stretch of a line between two distances along it, at least two points."""
    along = lengths(line)
    wanted = np.concatenate([[start], along[(along > start + 1e-6) & (along < end - 1e-6)], [end]])
    return np.column_stack([np.interp(wanted, along, line[:, axis]) for axis in (0, 1)])


def bezier(points: Iterable[np.ndarray], count: int = 24) -> np.ndarray:
    """Return `count` points of the Bézier curve over the given control points, by de Casteljau's scheme."""
    share = np.linspace(0.0, 1.0, count)[:, None]
    row = [np.broadcast_to(np.asarray(point, float), (count, 2)) for point in points]
    while len(row) > 1:
        row = [(1 - share) * first + share * second for first, second in itertools.pairwise(row)]
    return row[0]


def connect(
    start: np.ndarray, heading: float, end: np.ndarray, final: float, *, spacing: float = 1.0, straight: float = 0.0
) -> np.ndarray:
    """Return a smooth line from a point and heading to another: straight, one even bend, and straight again.

    straight: metres, at least, that are straight at either end, as far as that leaves room to bend at all.
    Where the two headings are nearly the same, or their lines do not meet in front, it is an S instead.
    """
    first, last = unit(heading), unit(final)
    across = first[0] * last[1] - first[1] * last[0]
    gap = end - start
    if abs(across) > np.sin(np.radians(25)):
        before = (gap[0] * last[1] - gap[1] * last[0]) / across
        after = (first[0] * gap[1] - first[1] * gap[0]) / across
        if before > 1.0 and after > 1.0:
            leg = max(min(before, after) - straight, 0.5 * min(before, after))
            enter, leave = start + (before - leg) * first, end - (after - leg) * last
            bend = bezier([enter, enter + 0.6 * leg * first, leave - 0.6 * leg * last, leave])
            return resample(_distinct(np.vstack([start, bend, end])), spacing)
    pull = 0.4 * float(np.linalg.norm(gap))
    return resample(bezier([start, start + pull * first, end - pull * last, end]), spacing)


def about_face(start: np.ndarray, heading: float, end: np.ndarray, spacing: float = 1.0) -> np.ndarray:
    """Return the line of a U-turn to the left, from a point and heading to `end`, where one drives the other way."""
    ahead, gap = unit(heading), end - start
    reach = float(gap @ ahead)
    radius = 0.5 * float(np.linalg.norm(gap - reach * ahead))
    forward = max(reach, 0.0) + 0.5
    middle = start + forward * ahead + radius * np.array([-ahead[1], ahead[0]])
    angles = heading - np.pi / 2 + np.linspace(0.0, np.pi, 32)
    arc = middle + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return resample(_distinct(np.vstack([start, arc, end])), spacing)


def _distinct(line: np.ndarray) -> np.ndarray:
    """Return the line without points that repeat the one before."""
    keep = np.concatenate([[True], np.linalg.norm(np.diff(line, axis=0), axis=1) > 1e-6])
    return line[keep]


def polygon(points: np.ndarray, material: Material, level: int) -> Surface:
    """Return a surface of these corners, turned anticlockwise."""
    points = np.asarray(points, float)
    following = np.roll(points, -1, axis=0)
    area = np.sum(points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0])
    return Surface(points if area > 0 else points[::-1].copy(), material, level)


def fan(apex: np.ndarray, rim: np.ndarray, material: Material, level: int) -> list[Surface]:
    """Return the triangles between a point and a line around it."""
    return [
        polygon(np.array([apex, a, b]), material, level)
        for a, b in itertools.pairwise(rim)
        if np.linalg.norm(a - b) > 1e-6
    ]


def strip(line: np.ndarray, right: float, left: float, material: Material, level: int) -> list[Surface]:
    """Return the surface along a line between two offsets to its left (right < left), in few quadrangles."""
    line = straighten(line)
    low, high = offset(line, right), offset(line, left)
    return [
        polygon(np.array([low[i], low[i + 1], high[i + 1], high[i]]), material, level) for i in range(len(line) - 1)
    ]


def straighten(line: np.ndarray, tolerance: float = 0.015) -> np.ndarray:
    """Return the line without the points that lie within `tolerance` of it anyway (Douglas and Peucker's scheme)."""
    keep = np.zeros(len(line), bool)
    keep[[0, -1]] = True
    todo = [(0, len(line) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        chord = line[last] - line[first]
        rest = line[first + 1 : last] - line[first]
        away = np.abs(rest[:, 0] * chord[1] - rest[:, 1] * chord[0]) / max(float(np.linalg.norm(chord)), 1e-9)
        worst = int(np.argmax(away))
        if away[worst] > tolerance:
            keep[first + 1 + worst] = True
            todo += [(first, first + 1 + worst), (first + 1 + worst, last)]
    return line[keep]


def paint_line(line: np.ndarray, material: Material = "paint-white", width: float = 0.14) -> list[Surface]:
    """Return a solid line of paint."""
    return strip(line, -width / 2, width / 2, material, PAINT)


def paint_dashes(
    line: np.ndarray, material: Material = "paint-white", width: float = 0.14, dash: float = 3.0, gap: float = 6.0
) -> list[Surface]:
    """Return a dashed line of paint."""
    total, dashes = lengths(line)[-1], []
    for start in np.arange(gap / 2, total - dash, dash + gap):
        dashes += strip(part(line, start, start + dash)[[0, -1]], -width / 2, width / 2, material, PAINT)
    return dashes


def paint_arrow(at: np.ndarray, heading: float, ways: Iterable[str], length: float = 4.0) -> list[Surface]:
    """Return an arrow on the lane, its foot at `at`, with a head for each of "straight", "left" and "right"."""
    ahead = unit(heading)
    left = np.array([-ahead[1], ahead[0]])

    def place(points: list[tuple[float, float]]) -> Surface:
        return polygon(np.array([at + a * ahead + b * left for a, b in points]), "paint-white", PAINT)

    ways = set(ways)
    stem = length - 1.2 if "straight" in ways else 0.6 * length
    shapes = [place([(0, -0.08), (stem, -0.08), (stem, 0.08), (0, 0.08)])]
    if "straight" in ways:
        shapes.append(place([(stem, -0.35), (length, 0.0), (stem, 0.35)]))
    for way, side in (("left", 1), ("right", -1)):
        if way in ways:
            foot = 0.5 * length
            shapes.append(place([(foot, 0), (foot + 0.3, 0), (foot + 0.7, 0.5 * side), (foot + 0.4, 0.5 * side)]))
            shapes.append(place([(foot + 0.05, 0.5 * side), (foot + 0.6, 1.05 * side), (foot + 1.15, 0.5 * side)]))
    return shapes


def paint_zebra(line: np.ndarray, depth: float) -> list[Surface]:
    """Return the bars of a crossing walked along a straight line, each `depth` long, half of it either side."""
    total = lengths(line)[-1]
    bars = np.arange(0.4, total - 0.7, 1.0)
    return [
        surface for s in bars for surface in strip(part(line, s, s + 0.5), -depth / 2, depth / 2, "paint-white", PAINT)
    ]


def inside(points: np.ndarray, outlines: Iterable[np.ndarray], margin: float = 0.0) -> np.ndarray:
    """Return which of the points [N, 2] lie in one of the convex polygons or within `margin` of one, bool [N]."""
    found = np.zeros(len(points), bool)
    for outline in outlines:
        near = np.all((points > outline.min(0) - margin) & (points < outline.max(0) + margin), axis=1) & ~found
        if not near.any():
            continue
        edges = np.roll(outline, -1, axis=0) - outline
        edges /= np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-9)
        rest = points[near][:, None] - outline
        found[near] = np.all(edges[:, 0] * rest[..., 1] - edges[:, 1] * rest[..., 0] > -margin, axis=1)
    return found


def rectangle(  # noqa: PLR0917  a footprint
    x: float, y: float, length: float, width: float, heading: float, margin: float = 0.0
) -> np.ndarray:
    """Return the corners of a turned rectangle, anticlockwise, float64 [4, 2], each side `margin` further out."""
    ahead, half = unit(heading), np.array([length, width]) / 2 + margin
    left = np.array([-ahead[1], ahead[0]])
    signs = ((1, -1), (1, 1), (-1, 1), (-1, -1))
    return np.array([[x, y] + a * half[0] * ahead + b * half[1] * left for a, b in signs])


def row_of_lamps(
    line: np.ndarray, rng: np.random.Generator, *, side: float, spacing: float, height: float
) -> list[Prop]:
    """Return lamps at even distances along a line; side: 1 if the road they face lies to its left, −1 to its right."""
    total, first = lengths(line)[-1], rng.uniform(4, spacing)
    lamps = []
    for s in np.arange(first, total - 2, spacing):
        (x, y), (x2, y2) = part(line, s, s + 0.5)[[0, -1]]
        heading = float(np.arctan2(y2 - y, x2 - x) + side * np.pi / 2)
        lamps.append(Prop("lamp", float(x), float(y), heading, height, int(rng.integers(2**31))))
    return lamps

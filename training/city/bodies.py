"""Bodies of cars: a sheet drawn over cross-sections from nose to tail, and what is fixed on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .meshes import Builder, disc, sheet

DARK = (0.035, 0.035, 0.04)
RUBBER = (0.05, 0.05, 0.055)
PLASTIC = (0.11, 0.11, 0.12)
CHROME = (0.72, 0.73, 0.75)
GLASS = (0.06, 0.075, 0.085)
CLEAR = (0.86, 0.88, 0.90)
RED = (0.55, 0.03, 0.04)
AMBER = (0.80, 0.38, 0.05)
PLATE = (0.78, 0.78, 0.74)

_ARCH = (np.radians(-20), np.radians(200))  # an arch is open at the ground
SILL, WAIST, CREASE, BELT, PANE, RAIL, PILLAR = 1, 2, 3, 4, 5, 6, 7  # rows of a section, from the bottom to the middle


@dataclass(frozen=True, slots=True)
class Shape:
    """The lines of a car body, as shares of its length (from the nose), half its width and its height.

    top: outline of the middle from nose to tail, (x, z) pairs.  belt: z of the lower edge of the windows, front, rear.
    roof: half-width of the roof.  clearance: z of the floor.  nose, tail: half-widths of the ends.
    wheels: x of the axles.  radius: of the wheels, metres.  panes: side windows, (x from, x to).
    windscreen, backlight: x from, to of the panes in the top outline (empty ranges for none).
    """

    top: tuple[tuple[float, float], ...]
    belt: tuple[float, float]
    roof: float
    clearance: float
    nose: float
    tail: float
    wheels: tuple[float, float]
    radius: float
    panes: tuple[tuple[float, float], ...]
    windscreen: tuple[float, float]
    backlight: tuple[float, float]
    crown: float = 0.05
    doors: tuple[float, ...] = ()
    bow: float = 0.5  # how far the ends are drawn in before the width is full, metres


class Body:
    """A sheet [stations, rows, 3] of the left half of a body and ways to put things on it."""

    def __init__(self, shape: Shape, size: tuple[float, float, float]) -> None:
        """Work out the sheet: x falls from station to station, rows climb from the floor to the middle of the roof."""
        self.shape = shape
        self.length, self.width, self.height = size
        self.stations = self._stations()
        self.sheet = self._sheet()

    def x(self, share: float) -> float:
        """Return where a share of the length lies, metres."""
        return (0.5 - share) * self.length

    def _stations(self) -> np.ndarray:
        shape = self.shape
        ends = [0.0, 0.006, 0.018, 0.04, 0.075, 0.925, 0.96, 0.982, 0.994, 1.0]
        edges = [x for pane in (*shape.panes, shape.windscreen, shape.backlight) for x in pane]
        axles = [axle + step for axle in shape.wheels for step in (-0.07, 0.0, 0.07)]
        edges = [x for x in edges if x <= 1.0]
        marks = np.unique(np.round([*ends, *edges, *axles, *(x for x, _ in shape.top)], 4))
        keep = [marks[0]]
        must = {*np.round(edges, 4), *np.round([x for x, _ in shape.top], 4), 1.0}
        for mark in marks[1:]:  # stations closer than 4 mm to the next would make slivers
            if mark - keep[-1] < 0.004 and keep[-1] not in must:
                keep[-1] = mark
            elif mark - keep[-1] >= 0.001:
                keep.append(mark)
        return np.array(keep)

    def _sheet(self) -> np.ndarray:
        shape, x = self.shape, self.stations
        top = np.interp(x, *np.array(shape.top).T)
        peak = max(z for _, z in shape.top)
        belt = np.minimum(np.interp(x, [0.2, 0.8], shape.belt), top - shape.crown)
        bow = shape.bow / self.length
        ahead, behind = np.clip(1 - x / bow, 0, 1) ** 2.2, np.clip(1 - (1 - x) / bow, 0, 1) ** 2.2
        half = self.width / 2 * (1 - (1 - shape.nose) * ahead - (1 - shape.tail) * behind)
        half *= 1 - 0.03 * np.clip((0.25 - x) / 0.25, 0, 1) - 0.02 * np.clip((x - 0.8) / 0.2, 0, 1)
        floor = shape.clearance + 0.05 * (np.clip(1 - x / 0.08, 0, 1) + np.clip(1 - (1 - x) / 0.08, 0, 1))
        rise = np.clip((top - belt - shape.crown) / max(peak - max(shape.belt) - shape.crown, 0.05), 0, 1)
        pane = 0.925 * half
        rail = pane + (shape.roof * half - pane) * rise
        edge = shape.crown * (0.9 - 0.25 * rise)
        rows = [
            (0.80 * half, floor),
            (0.975 * half, floor + 0.035),
            (half, floor + 0.45 * (belt - floor)),
            (0.99 * half, floor + 0.78 * (belt - floor)),
            (0.955 * half, belt - 0.012),
            (pane, belt),
            (rail, top - edge),
            (0.90 * rail, top - 0.35 * edge),
            (np.zeros_like(x), top),
        ]
        sheet_ = np.array([[self.x(x), y, z * self.height] for y, z in rows])
        return sheet_.transpose(2, 0, 1)

    def index(self, share: float) -> int:
        """Return the station nearest to a share of the length."""
        return int(np.argmin(np.abs(self.stations - share)))

    def point(self, share: float | np.ndarray, row: float | np.ndarray) -> np.ndarray:
        """Return the point of the left side at a share of the length and a row, both between the sheet's if need be.

        Arrays of both, which broadcast, give an array of points, [..., 3].
        """
        share, row = np.broadcast_arrays(share, row)
        low = np.minimum(row.astype(int), self.sheet.shape[1] - 2)
        k = np.clip(np.searchsorted(self.stations, share) - 1, 0, len(self.stations) - 2)
        a = (share - self.stations[k]) / (self.stations[k + 1] - self.stations[k])
        a, b = a[..., None], (row - low)[..., None]
        ahead = self.sheet[k, low] * (1 - b) + self.sheet[k, low + 1] * b
        return ahead * (1 - a) + (self.sheet[k + 1, low] * (1 - b) + self.sheet[k + 1, low + 1] * b) * a

    def shell(self, builder: Builder, paint: tuple, glass: tuple = GLASS, sill: tuple | None = None) -> None:
        """Add the body: paint, panes, and both ends."""
        shape, points = self.shape, self.sheet
        middle = (self.stations[:-1] + self.stations[1:]) / 2
        rows = np.arange(points.shape[1] - 1)[:, None]
        panes = [(PANE, shape.panes), (PILLAR, (shape.windscreen, shape.backlight))]
        glazed = np.any([(rows == row) & (a < middle) & (middle < b) for row, spans in panes for a, b in spans], axis=0)
        low = (rows == 0) & (sill is not None) & ~glazed
        patches = sheet(points.transpose(1, 0, 2)).reshape(*glazed.shape, 2, 3, 3)
        both(builder, patches[~(glazed | low)], paint, "paint")
        both(builder, patches[glazed], glass, "glass")
        if sill is not None:
            both(builder, patches[low], sill, "plastic")
        for end, flip in ((0, False), (-1, True)):
            rim = points[end]
            mirrored = rim * (1, -1, 1)
            builder.grid(np.stack([mirrored, rim], axis=1), paint, flip=flip)

    def stripe(
        self,
        builder: Builder,
        shares: tuple[float, float],
        rows: tuple[float, float],
        colour: tuple,
        kind: str = "paint",
        *,
        out: float = 0.006,
    ) -> None:
        """Add a patch on both sides, from one share of the length to another and between two rows."""
        inner = self.stations[(self.stations > shares[0] + 0.003) & (self.stations < shares[1] - 0.003)]
        xs = [shares[0], *inner, shares[1]]
        zs = [rows[0], *np.arange(np.floor(rows[0]) + 1, np.ceil(rows[1])), rows[1]]
        points = self.point(np.array(xs), np.array(zs)[:, None])
        points[..., 1] += out
        both(builder, sheet(points), colour, kind)

    def end(
        self,
        builder: Builder,
        ys: tuple[float, float],
        zs: tuple[float, float],
        colour: tuple,
        kind: str = "plastic",
        *,
        rear: bool = False,
        out: float = 0.01,
    ) -> None:
        """Add a patch on the nose or tail: y as shares of half the width there, z of the height; on both halves."""
        rim = self.sheet[-1 if rear else 0]
        half, x = rim[WAIST, 1], rim[0, 0] + (-out if rear else out)
        y0, y1, z0, z1 = ys[0] * half, ys[1] * half, zs[0] * self.height, zs[1] * self.height
        corners = [(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)]
        if rear:
            corners = corners[::-1]
        patch = np.array([[corners[0], corners[1], corners[2]], [corners[0], corners[2], corners[3]]])
        both(builder, patch, colour, kind)

    def wheel(
        self, builder: Builder, share: float, rim: tuple, spokes: int, *, flare: tuple | None = None, grow: float = 1.16
    ) -> None:
        """Add a pair of wheels with their arches."""
        radius = self.shape.radius
        x, side = self.x(share), self.point(share, WAIST)[1]
        arch = radius * grow
        both(builder, disc((x, side + 0.003, radius * 1.02), arch, 12, facing=1, span=_ARCH), DARK, "matt")
        if flare is not None:
            ring = disc((x, side + 0.008, radius * 1.02), arch * 1.13, 12, facing=1, inner=arch * 0.98, span=_ARCH)
            both(builder, ring, flare, "plastic")
        tyre(builder, x, side + 0.022, radius, rim, spokes=spokes)


def both(builder: Builder, corners: np.ndarray, colour: object, kind: str) -> None:
    """Add triangles of the left side and their mirror image."""
    corners = np.asarray(corners, np.float64).reshape(-1, 3, 3)
    builder.add(corners, colour, kind)
    builder.add(corners[:, ::-1] * (1, -1, 1), colour, kind)


def tyre(
    builder: Builder, x: float, side: float, radius: float, rim: tuple, *, spokes: int, width: float = 0.24
) -> None:
    """Add a pair of wheels whose outer faces lie `side` from the middle."""
    angles = np.linspace(0.0, 2 * np.pi, 17)
    ring = np.column_stack([np.cos(angles), np.zeros(17), np.sin(angles)]) * radius
    middle = np.array([x, side, radius])
    tread = np.array([ring + middle - (0, width, 0), ring + middle])
    both(builder, sheet(tread, flip=True), RUBBER, "tyre")
    both(builder, disc(middle, radius, 16, facing=1, inner=radius * 0.66), RUBBER, "tyre")
    both(builder, disc((x, side + 0.002, radius), radius * 0.68, 16, facing=1, inner=radius * 0.57), rim, "metal")
    both(builder, disc((x, side - 0.010, radius), radius * 0.60, 12, facing=1), DARK, "matt")
    for k in range(spokes):
        a, w = 2 * np.pi * k / spokes + 0.3, 0.75 * np.pi / spokes * 0.55
        spoke = [(0.08, a - w), (0.08, a + w), (0.60, a + w * 0.7), (0.60, a - w * 0.7)]
        corners = [(x + radius * r * np.cos(t), side + 0.001, radius * (1 + r * np.sin(t))) for r, t in spoke]
        both(
            builder,
            np.array([[corners[0], corners[1], corners[2]], [corners[0], corners[2], corners[3]]]),
            rim,
            "metal",
        )

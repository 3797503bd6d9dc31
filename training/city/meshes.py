"""Meshes put together from grids, boxes and discs, with normals that are smooth but for real edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = (
    "paint",
    "glass",
    "tyre",
    "metal",
    "plastic",
    "lamp-front",
    "lamp-rear",
    "signal-left",
    "signal-right",
    "matt",
)
LIT = "lamp-front"  # the kind of what shines at night
_CREASE = np.cos(np.radians(38.0))  # faces that meet at a sharper angle keep an edge between them

# Odd numbers that turn a corner's place, normal, colour and kind into one key, modulo 2⁶⁴.
_MIX = np.random.default_rng(10).integers(2**62, size=10) * 2 + 1


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles with what they are made of.

    vertices, normals: float32 [V, 3], metres and unit length.  colours: float32 [V, 3], sRGB in 0..1.
    kinds: uint8 [V], places in `KINDS`.  triangles: int32 [F, 3], anticlockwise from outside.
    """

    vertices: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    kinds: np.ndarray
    triangles: np.ndarray


@dataclass(slots=True)
class Builder:
    """Collects triangles; `build` welds them."""

    corners: list[np.ndarray] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    kinds: list[np.ndarray] = field(default_factory=list)

    def add(self, corners: np.ndarray, colour: Sequence[float] | np.ndarray, kind: str = "paint") -> None:
        """Add triangles, float [N, 3, 3], of one colour or of a colour each."""
        corners = np.asarray(corners, np.float64).reshape(-1, 3, 3)
        self.corners.append(corners)
        self.colours.append(np.broadcast_to(np.asarray(colour, np.float64), (len(corners), 3)))
        self.kinds.append(np.full(len(corners), KINDS.index(kind), np.uint8))

    def quad(self, corners: Sequence[object], colour: object, kind: str = "paint") -> None:
        """Add one quadrangle, anticlockwise from outside."""
        a, b, c, d = (np.asarray(corner, np.float64) for corner in corners)
        self.add(np.array([[a, b, c], [a, c, d]]), colour, kind)

    def grid(self, points: np.ndarray, colour: object, kind: str = "paint", *, flip: bool = False) -> None:
        """Add a sheet, float [R, C, 3]: seen from outside, columns run to the right and rows upward (or flipped)."""
        self.add(sheet(points, flip=flip), colour, kind)

    def box(
        self, low: Sequence[float], high: Sequence[float], colour: object, kind: str = "paint", *, skip: str = ""
    ) -> None:
        """Add an upright box; `skip` names faces to leave out by "x", "X", "y", "Y", "z" or "Z" (capitals: the far)."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        faces = {
            "x": ((x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)),
            "X": ((x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)),
            "y": ((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)),
            "Y": ((x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)),
            "z": ((x0, y1, z0), (x1, y1, z0), (x1, y0, z0), (x0, y0, z0)),
            "Z": ((x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)),
        }
        for name, face in faces.items():
            if name not in skip:
                self.quad(face, colour, kind)

    def merge(self, other: Builder, turn: float = 0.0, shift: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        """Add what another has collected, turned about z and moved."""
        c, s = np.cos(turn), np.sin(turn)
        matrix = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        self.corners += [corners @ matrix + np.asarray(shift) for corners in other.corners]
        self.colours += other.colours
        self.kinds += other.kinds

    def build_flat(self) -> Mesh:
        """Return the mesh with every edge sharp and every corner a vertex of its own: quick for what is large."""
        corners = np.concatenate(self.corners)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        return Mesh(
            corners.reshape(-1, 3).astype(np.float32),
            np.repeat(normals, 3, axis=0).astype(np.float32),
            np.repeat(np.concatenate(self.colours), 3, axis=0).astype(np.float32),
            np.repeat(np.concatenate(self.kinds), 3),
            np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3),
        )

    def build(self) -> Mesh:
        """Return the mesh: equal corners become one vertex."""
        corners = np.concatenate(self.corners)
        colours, kinds = np.concatenate(self.colours), np.concatenate(self.kinds)
        edges = corners[:, 1:] - corners[:, :1]
        normals = np.cross(edges[:, 0], edges[:, 1])
        whole = np.linalg.norm(normals, axis=1) > 1e-9
        corners, colours, kinds, normals = corners[whole], colours[whole], kinds[whole], normals[whole]
        smooth = smooth_normals(corners, normals)
        rows = np.column_stack(
            [
                corners.reshape(-1, 3) * 5e3,
                smooth.reshape(-1, 3) * 50,
                np.repeat(colours, 3, axis=0) * 255,
                np.repeat(kinds, 3),
            ]
        )
        keys = np.round(rows).astype(np.int64) @ _MIX
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return Mesh(
            corners.reshape(-1, 3)[first].astype(np.float32),
            smooth.reshape(-1, 3)[first].astype(np.float32),
            np.repeat(colours, 3, axis=0)[first].astype(np.float32),
            np.repeat(kinds, 3)[first],
            inverse.reshape(-1, 3).astype(np.int32),
        )


@dataclass(slots=True)
class Thing:
    """Something that stands about: what is solid, what is only drawn on it, and its leaves."""

    solid: Builder = field(default_factory=Builder)
    trim: Builder = field(default_factory=Builder)
    leaves: Builder = field(default_factory=Builder)

    def moved(self, turn: float, x: float, y: float) -> Thing:
        """Return the same elsewhere."""
        parts = []
        for part in (self.solid, self.trim, self.leaves):
            parts.append(Builder())
            parts[-1].merge(part, turn, (x, y, 0.0))
        return Thing(*parts)


def sheet(points: np.ndarray, *, flip: bool = False) -> np.ndarray:
    """Return the triangles, [2 (R − 1) (C − 1), 3, 3], of a sheet [R, C, 3] whose columns run right and rows upward."""
    a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
    if flip:
        b, d = d, b
    return np.stack([np.stack([a, b, c], axis=2), np.stack([a, c, d], axis=2)], axis=2).reshape(-1, 3, 3)


def disc(
    centre: Sequence[float],
    radius: float,
    sides: int,
    *,
    facing: int,
    inner: float = 0.0,
    span: tuple[float, float] = (0.0, 2 * np.pi),
) -> np.ndarray:
    """Return an upright disc or ring across y, triangles [N, 3, 3], that faces −y (−1) or +y (1).

    span: the angles it covers, from +x upward.
    """
    angles = np.linspace(*span, sides + 1)[:: 1 if facing > 0 else -1]
    rim = np.column_stack([np.cos(angles), np.zeros(sides + 1), np.sin(angles)])
    return sheet(np.array([rim * inner, rim * radius]) + np.asarray(centre))


def smooth_normals(corners: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return a unit normal a corner, [F, 3, 3]: mean over faces about it, [F, 3] by area, up to edges."""
    points = np.round(corners.reshape(-1, 3) * 5e3).astype(np.int64)
    keys = points @ np.array([1, 1 << 20, 1 << 40])
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(keys[order]) != 0])
    counts = np.diff(np.r_[starts, len(keys)])
    mean = np.empty((len(keys), 3))
    unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    for count in np.unique(counts).tolist():  # points where as many faces meet are done together
        places = starts[counts == count][:, None] + np.arange(count)
        faces = order[places] // 3
        near = unit[faces] @ unit[faces].transpose(0, 2, 1) > _CREASE
        mean[places] = near.astype(float) @ normals[faces]
    result = np.empty((len(keys), 3))
    result[order] = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    return result.reshape(-1, 3, 3)

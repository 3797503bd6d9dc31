"""Vehicles and walkers made ready to be lit and drawn: all of them that stays the same from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .meshes import KINDS
from .shading import finish, linear
from .vehicles import extremes

if TYPE_CHECKING:
    from .meshes import Mesh

_GLASS = KINDS.index("glass")
_OF_VERTICES = ("vertices", "normals", "albedo", "mirror", "shine", "metallic", "kinds")
_RIMS = ((0.13, 0.25), (0.05, 0.10), (-0.02, -0.04))  # how far outlines reach beyond an actor, ahead and aside
_CELL = 0.09  # metres; points of a coarse actor that share such a cell are one


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A mesh made ready. The arrays of its V vertices are float32, [V, 3] or [V]; kinds is uint8."""

    vertices: np.ndarray
    normals: np.ndarray
    albedo: np.ndarray
    triangles: np.ndarray
    faces: np.ndarray  # [F, 4], normal and offset of each triangle's plane
    mirror: np.ndarray
    shine: np.ndarray
    metallic: np.ndarray
    kinds: np.ndarray
    rims: np.ndarray  # [3, K, 3], outlines on the ground about it, the widest first
    solid: np.ndarray  # [K, 3], points whose hull is its form
    lamps: tuple[np.ndarray, np.ndarray]  # [M, 3], middles of its front and rear lamps


@dataclass(frozen=True, slots=True)
class Pose:
    """Where an actor stands, metres, and where it heads, radians."""

    x: float
    y: float
    heading: float

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return where points [N, 3] of an actor are in the world."""
        c, s = np.cos(self.heading), np.sin(self.heading)
        return points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]]) + (self.x, self.y, 0.0)

    def local(self, point: np.ndarray) -> np.ndarray:
        """Return a point of the world, [3], in the actor's frame."""
        c, s = np.cos(self.heading), np.sin(self.heading)
        dx, dy = point[0] - self.x, point[1] - self.y
        return np.array([c * dx + s * dy, c * dy - s * dx, point[2]])

    def turned(self, way: np.ndarray) -> np.ndarray:
        """Return a direction of the world, [3], in the actor's frame."""
        c, s = np.cos(self.heading), np.sin(self.heading)
        return np.array([c * way[0] + s * way[1], c * way[1] - s * way[0], way[2]], np.float32)


def make_ready(form: Mesh, gloss: float, metallic: float, rng: np.random.Generator) -> Actor:
    """Return a mesh made ready: dirt and darkness low on it, planes of faces, outlines, lamps."""
    vertices, kinds = form.vertices, form.kinds
    mirror, shine, flakes = finish(kinds, gloss, metallic)
    dark = np.clip(0.5 + 0.5 * vertices[:, 2] / 0.6, 0.45, 1.0)[:, None]
    albedo = linear(form.colours).astype(np.float32) * dark
    pane = (kinds == _GLASS)[:, None]  # what is seen through a pane is lighter below than above
    albedo *= np.where(pane, np.clip(2.6 - 2.2 * vertices[:, 2:] / vertices[:, 2].max(), 0.4, 2.2), 1.0).astype(
        np.float32
    )
    dirt = rng.exponential(0.10) * np.clip(1.0 - vertices[:, 2:] / 1.1, 0, 1) * ~pane
    albedo += (np.array([0.16, 0.14, 0.11], np.float32) - albedo) * np.minimum(dirt, 0.8)
    hull = cv2.convexHull(np.ascontiguousarray(vertices[vertices[:, 2] < 1.2][:, :2]))
    hull = cv2.approxPolyDP(hull, 0.06, True)[:, 0].astype(float)
    middle = hull.mean(axis=0)
    rims = np.array([middle + (hull - middle) * (1 + np.array(grow)) for grow in _RIMS])
    return Actor(
        vertices,
        form.normals,
        albedo.astype(np.float32),
        form.triangles,
        _planes(vertices, form.triangles),
        mirror,
        shine,
        flakes,
        kinds,
        np.concatenate([rims, np.zeros((*rims.shape[:2], 1))], axis=2),
        extremes(vertices).astype(float),
        (_lamps(form, "lamp-front"), _lamps(form, "lamp-rear")),
    )


def coarser(actor: Actor) -> Actor:
    """Return an actor with points that lie close together made one: for far away, where it makes no difference."""
    cells = np.column_stack([np.round(actor.vertices / _CELL), np.round(actor.normals), actor.kinds])
    _, first, place = np.unique(cells.astype(np.int16), axis=0, return_index=True, return_inverse=True)
    triangles = place.reshape(-1)[actor.triangles].astype(np.int32)
    a, b, c = triangles.T
    triangles = triangles[(a != b) & (b != c) & (c != a)]
    return replace(
        actor,
        triangles=triangles,
        faces=_planes(actor.vertices[first], triangles),
        **{name: getattr(actor, name)[first] for name in _OF_VERTICES},
    )


def _planes(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return normal and offset of each triangle's plane, float32 [F, 4]."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.column_stack([normals, (normals * corners[:, 0]).sum(axis=1)]).astype(np.float32)


def _lamps(form: Mesh, kind: str) -> np.ndarray:
    """Return the middle of the lamps of a kind on each side, float64 [2, 3] or [0, 3]."""
    points = form.vertices[form.kinds == KINDS.index(kind)].astype(float)
    if not len(points):
        return np.zeros((0, 3))
    sides = [points[points[:, 1] > 0], points[points[:, 1] < 0]]
    return np.array([(side.min(axis=0) + side.max(axis=0)) / 2 for side in sides if len(side)]).reshape(-1, 3)

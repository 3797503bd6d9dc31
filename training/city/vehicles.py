"""Vehicles as meshes: ten kinds, each with lines of its own, and all that varies within a kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import details, heavy
from .bodies import Body
from .meshes import Builder
from .paint import paint_of
from .shapes import CARS

if TYPE_CHECKING:
    from .bodies import Shape
    from .meshes import Mesh
    from .world import Vehicle


def mesh(vehicle: Vehicle) -> Mesh:
    """Return a vehicle's mesh in its own frame: x forward, y left, z up, origin on the ground below its middle."""
    return _put_together(vehicle).build()


def outline(vehicle: Vehicle) -> np.ndarray:
    """Return at most 40 points, float32 [K, 3], whose convex hull holds the body."""
    return extremes(np.concatenate(_put_together(vehicle).corners).reshape(-1, 3).astype(np.float32))


def _put_together(vehicle: Vehicle) -> Builder:
    rng = np.random.default_rng((vehicle.look, 3))
    builder, paint = Builder(), paint_of(vehicle)
    if vehicle.kind == "bus":
        heavy.bus(builder, vehicle.size, paint.rgb, rng)
    elif vehicle.kind == "cargo":
        heavy.cargo(builder, vehicle.size, paint.rgb, rng)
    else:
        shapes = CARS[vehicle.kind]
        shape = shapes[int(rng.integers(len(shapes)))]
        body = Body(_vary(shape, rng), vehicle.size)
        details.dress(builder, body, vehicle.kind, paint.rgb, rng)
    return builder


def extremes(points: np.ndarray) -> np.ndarray:
    """Return at most 40 of points, float32 [V, 3], chosen so that their hull falls short of the others' by little."""
    reach = points @ _DIRECTIONS.T
    furthest, best = np.argmax(reach, axis=0), reach.max(axis=0)
    chosen = [int(furthest[0])]
    while len(chosen) < _OUTLINE:
        short = best - reach[chosen].max(axis=0)
        worst = int(np.argmax(short))
        if short[worst] < 1e-3:
            break
        chosen.append(int(furthest[worst]))
    return points[sorted(chosen)]


def _sphere(count: int) -> np.ndarray:
    """Return unit vectors spread evenly, float32 [count, 3]."""
    k = np.arange(count) + 0.5
    z, angle = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z]).astype(np.float32)


_OUTLINE = 40  # points
_DIRECTIONS = _sphere(400)


def _vary(shape: Shape, rng: np.random.Generator) -> Shape:
    """Return a shape with other lines of the same kind."""
    ramp = rng.normal(0, 0.012)
    lift = rng.normal(0, 0.012)
    top = [(x, z) for x, z in shape.top]
    top = [(x, z + lift * (0.1 < x < shape.windscreen[0]) + ramp * (x < 0.1) * 0.5) for x, z in top]
    return replace(
        shape,
        top=tuple(top),
        belt=(shape.belt[0] + lift * 0.5, shape.belt[1] + lift * 0.5 + rng.normal(0, 0.008)),
        roof=shape.roof + rng.uniform(-0.02, 0.02),
        nose=shape.nose + rng.uniform(-0.05, 0.04),
        tail=shape.tail + rng.uniform(-0.03, 0.03),
        radius=shape.radius * rng.uniform(0.94, 1.06),
        wheels=(shape.wheels[0] + rng.uniform(-0.01, 0.01), shape.wheels[1] + rng.uniform(-0.012, 0.012)),
    )

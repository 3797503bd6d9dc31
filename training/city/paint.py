"""Car paint: what the twelve colours look like from vehicle to vehicle."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .world import Vehicle

# For each colour its shades: weight, hue in degrees, saturation and value from and to, how often metallic.
_SHADES: dict[str, list[tuple[float, tuple[float, float], tuple[float, float], tuple[float, float], float]]] = {
    "silver": [(1.0, (200, 230), (0.0, 0.03), (0.56, 0.66), 1.0)],
    "white": [(0.7, (200, 240), (0.0, 0.015), (0.93, 1.0), 0.1), (0.3, (35, 55), (0.01, 0.06), (0.92, 0.98), 0.3)],
    "black": [(0.8, (200, 260), (0.0, 0.12), (0.03, 0.09), 0.5), (0.2, (20, 40), (0.0, 0.08), (0.04, 0.10), 0.5)],
    "gray": [(0.6, (200, 230), (0.02, 0.09), (0.33, 0.44), 0.9), (0.4, (30, 220), (0.0, 0.04), (0.25, 0.36), 0.8)],
    "red": [(0.7, (350, 364), (0.82, 0.97), (0.58, 0.86), 0.4), (0.3, (345, 358), (0.72, 0.9), (0.34, 0.50), 0.7)],
    "brown": [
        (0.45, (22, 31), (0.42, 0.62), (0.27, 0.42), 0.8),
        (0.35, (24, 33), (0.30, 0.44), (0.48, 0.62), 0.8),
        (0.20, (22, 30), (0.38, 0.54), (0.40, 0.54), 0.8),
    ],
    "gold": [(1.0, (43, 49), (0.42, 0.60), (0.60, 0.74), 1.0)],
    "blue": [
        (0.34, (212, 226), (0.70, 0.92), (0.48, 0.80), 0.7),
        (0.15, (196, 216), (0.22, 0.40), (0.62, 0.86), 0.8),
        (0.13, (176, 206), (0.12, 0.22), (0.74, 0.92), 0.7),
        (0.20, (218, 230), (0.62, 0.80), (0.26, 0.38), 0.8),
        (0.18, (198, 212), (0.36, 0.60), (0.68, 0.90), 0.6),
    ],
    "purple": [(0.75, (272, 292), (0.52, 0.78), (0.36, 0.62), 0.8), (0.25, (286, 306), (0.45, 0.7), (0.34, 0.5), 0.8)],
    "yellow": [(1.0, (47, 55), (0.82, 1.0), (0.90, 1.0), 0.1)],
    "orange": [(1.0, (19, 31), (0.92, 1.0), (0.86, 0.98), 0.3)],
    "green": [
        (0.45, (130, 158), (0.55, 0.85), (0.22, 0.38), 0.6),
        (0.35, (118, 150), (0.55, 0.85), (0.42, 0.62), 0.4),
        (0.20, (82, 105), (0.55, 0.80), (0.58, 0.80), 0.4),
    ],
}


@dataclass(frozen=True, slots=True)
class Paint:
    """A coat of paint.  rgb: sRGB in 0..1.  metallic: 0 for solid, 1 for flakes.  gloss: 0 for dull, 1 for new."""

    rgb: tuple[float, float, float]
    metallic: float
    gloss: float


def paint_of(vehicle: Vehicle) -> Paint:
    """Return the paint of a vehicle: its shade of its colour."""
    rng = np.random.default_rng((vehicle.look, 2))
    shades = _SHADES[vehicle.colour]
    weights = np.array([shade[0] for shade in shades])
    _, hues, saturations, values, metallic = shades[rng.choice(len(shades), p=weights / weights.sum())]
    hue, saturation, value = rng.uniform(*hues), rng.uniform(*saturations), rng.uniform(*values)
    rgb = colorsys.hsv_to_rgb(hue / 360.0 % 1.0, saturation, value)
    gloss = float(np.clip(1.0 - rng.exponential(0.18), 0.15, 1.0))
    return Paint(tuple(float(c) for c in rgb), float(rng.random() < metallic) * float(rng.uniform(0.5, 1.0)), gloss)

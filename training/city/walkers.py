"""People on foot, simple but for their stride and clothes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .meshes import Builder, sheet

if TYPE_CHECKING:
    from .meshes import Mesh

_SKIN = ((0.80, 0.62, 0.52), (0.60, 0.43, 0.33), (0.40, 0.27, 0.20))
_HAIR = ((0.10, 0.08, 0.07), (0.25, 0.17, 0.10), (0.55, 0.43, 0.25), (0.45, 0.44, 0.43))
_STEPS = 12  # forms in one stride


def stride(phase: float) -> int:
    """Return which form of a stride someone has after so many seconds of walking, about a stride each."""
    return int(np.floor(phase * _STEPS)) % _STEPS


def figure(look: int, step: int) -> Mesh:
    """Return a person who stands at the origin and faces +x, in one of the forms of a stride."""
    rng = np.random.default_rng((look, 61))
    high = rng.uniform(1.5, 1.9)
    skin, hair = _SKIN[int(rng.integers(3))], _HAIR[int(rng.integers(4))]
    top = rng.uniform(0.05, 0.85) * np.clip(rng.uniform(0.3, 1.2, 3), 0, 1)
    legs = np.array([0.12, 0.13, 0.2]) if rng.random() < 0.6 else rng.uniform(0.1, 0.6) * np.ones(3)
    builder, swing = Builder(), np.sin(2 * np.pi * step / _STEPS)
    hip, neck = 0.50 * high, 0.84 * high
    for side in (-1, 1):
        foot = np.array([0.30 * swing * side, 0.09 * side, 0.03])
        _limb(builder, (0, 0.09 * side, hip), foot, 0.075, legs)
        hand = np.array([-0.26 * swing * side, 0.26 * side, hip - 0.02])
        _limb(builder, (0, 0.21 * side, neck - 0.05), hand, 0.05, top)
    _tube(
        builder, [(hip - 0.05, 0.12, 0.15), (hip + 0.2, 0.11, 0.16), (neck - 0.06, 0.12, 0.20), (neck, 0.06, 0.08)], top
    )
    _tube(builder, [(neck - 0.02, 0.05, 0.05), (neck + 0.08, 0.09, 0.08), (high - 0.08, 0.10, 0.085)], skin)
    _tube(builder, [(high - 0.12, 0.105, 0.09), (high - 0.03, 0.09, 0.08), (high, 0.02, 0.02)], hair)
    return builder.build()


def _tube(builder: Builder, rings: list[tuple[float, float, float]], colour: object) -> None:
    """Add an upright round form through rings of z and half-widths along x and y."""
    angles = np.linspace(0, 2 * np.pi, 9)
    rows = [np.column_stack([np.cos(angles) * a, np.sin(angles) * b, np.full(9, z)]) for z, a, b in rings]
    builder.grid(np.array(rows), colour, "matt")


def _limb(builder: Builder, top: object, end: object, radius: float, colour: object) -> None:
    angles = np.linspace(0, 2 * np.pi, 6)
    ring = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(6)]) * radius
    builder.add(sheet(np.array([ring * 0.8 + np.asarray(end), ring + np.asarray(top)])), colour, "matt")

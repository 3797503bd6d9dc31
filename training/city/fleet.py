"""What drives: kinds and colours of vehicles, as often as in CityFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .world import Vehicle

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

KINDS: Mapping[str, float] = {
    "sedan": 36,
    "suv": 26,
    "pickup": 11,
    "van": 7,
    "hatchback": 6,
    "mpv": 4,
    "wagon": 3,
    "coupe": 2.5,
    "cargo": 3,
    "bus": 1.5,
}
COLOURS: Mapping[str, float] = {
    "white": 23,
    "black": 20,
    "silver": 15,
    "gray": 14,
    "red": 9,
    "blue": 7.5,
    "brown": 3.5,
    "green": 2.5,
    "gold": 2,
    "yellow": 1.5,
    "orange": 1.2,
    "purple": 0.8,
}
LONG = frozenset({"cargo", "bus"})


def draw_vehicle(
    number: int,
    rng: np.random.Generator,
    kinds: Mapping[str, float],
    colours: Mapping[str, float],
    *,
    without: Container[str] = (),
) -> Vehicle:
    """Return a vehicle drawn by weights of kinds and colours; none of the kinds in `without` if there are others."""
    possible = {kind: weight for kind, weight in kinds.items() if kind not in without and weight > 0} or kinds
    return Vehicle(number, draw(possible, rng), draw(colours, rng), int(rng.integers(2**31)))


def draw(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    """Return one of the names, each as often as its weight says."""
    shares = np.array(list(weights.values()), float)
    return list(weights)[int(rng.choice(len(shares), p=shares / shares.sum()))]

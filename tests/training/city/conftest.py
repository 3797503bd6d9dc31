"""Stories of the traffic that annotators describe."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from nlvr.engine.language import COLOURS, TYPES
from nlvr.training.city.world import Neighbour, Story

if TYPE_CHECKING:
    from collections.abc import Callable

# How often one meets them on the streets of CityFlow-NL.
COLOUR_SHARES = {"white": 78, "black": 65, "gray": 41, "blue": 40, "red": 32, "silver": 25, "brown": 6}
KIND_SHARES = {"sedan": 85, "pickup": 60, "suv": 73, "van": 32, "wagon": 8, "hatchback": 8, "mpv": 6, "coupe": 4}
MANOEUVRES = {"straight": 66, "left": 15, "right": 15, "u-turn": 1, "parked": 3}


def drawn(rng: Random, names: tuple[str, ...], shares: dict[str, int]) -> str:
    return rng.choices(names, [shares.get(name, 2) for name in names])[0]


@pytest.fixture
def stories() -> Callable[[int], list[Story]]:
    """Return so many stories with realistic shares of colours, types and manoeuvres."""

    def story(seed: int) -> Story:
        rng = Random(seed)
        manoeuvre = drawn(rng, tuple(MANOEUVRES), MANOEUVRES)
        parked = manoeuvre == "parked"
        sides = ("ahead", "behind", "left", "right")
        return Story(
            kind=drawn(rng, TYPES, KIND_SHARES),
            colour=drawn(rng, COLOURS, COLOUR_SHARES),
            manoeuvre=manoeuvre,
            stops=not parked and rng.random() < 0.14,
            changes_lane=manoeuvre == "straight" and rng.random() < 0.04,
            toward=rng.choice([True, False, None]),
            speed=0.0 if parked else rng.uniform(2, 22),
            direction=rng.choice(["north", "south", "east", "west"]),
            place="car park" if parked else rng.choice(["intersection", "intersection", "highway", "car park"]),
            light=rng.choice(["noon", "noon", "overcast", "dusk", "night"]),
            neighbours=tuple(
                Neighbour(drawn(rng, TYPES, KIND_SHARES), drawn(rng, COLOURS, COLOUR_SHARES), rng.choice(sides))
                for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))
            ),
        )

    return lambda count: [story(seed) for seed in range(count)]

"""Simulated annotators: three people who watch one track each write a sentence about it, in their own words.

Each has habits: words he prefers to others, and the forms he writes them in. They see a vehicle as far as people do, so
they confuse gray with silver and a van with an SUV, get a turn wrong or leave something out, at the rates measured on
the sentences of CityFlow-NL. `sentences` writes what they saw,
from `words` and `phrases`; `slips` mistypes it.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from .sentences import FAST, SLOW, Annotator, Sight, choose, write
from .slips import slip
from .words import (
    COLOUR_CONFUSIONS,
    COLOUR_NAMES,
    DIMNESS,
    KIND_CONFUSIONS,
    KIND_NAMES,
    UNCLEAR_COLOUR,
    UNCLEAR_KIND,
    colour_names,
)

if TYPE_CHECKING:
    from .world import Manoeuvre, Story

ANNOTATORS = 64  # who share the work, three to a track

# How people see: shares of sentences, or of vehicles where it says so.
TAKEN_FOR_ANOTHER = 0.33  # of an unclear vehicle
MISSEEN = 0.012  # of any other
MIRRORED, MIRRORED_OFTEN, MIRRORED_VEHICLES = 0.07, 0.6, 0.06  # a turn; of some vehicles, and how many these are
SEEN_TURNING, SEEN_STRAIGHT = 0.045, 0.13  # of those that go straight, of those that turn
NO_COLOUR, NO_KIND = 0.045, 0.075

SIDES: tuple[Manoeuvre, Manoeuvre] = ("left", "right")
# What says a motion that reads as such.
TURNING = ("turn", "turn on", "approach turn", "stop turn")
STOPPING = ("stop", "stop straight", "parked")


def describe(story: Story, *, seed: int, noisy: bool = True) -> tuple[str, str, str]:
    """Return three sentences by three annotators about the vehicle of a track.

    noisy: they err, leave out and mistype as people do. Otherwise colour and type are always named, these and every
    motion are true, and a turn or a stop is told in two of the sentences at least.
    """
    rng = Random(seed)
    authors = [Annotator(number) for number in rng.sample(range(ANNOTATORS), 3)]
    if story.speed <= 0 and story.manoeuvre == "straight":  # it waits all the while
        story = replace(story, stops=True)
    sights = _look(story, rng) if noisy else [Sight(story, COLOUR_NAMES[story.colour], KIND_NAMES[story.kind])] * 3
    events = [_choose_event(sight.story, rng) for sight in sights]
    if not noisy:
        _tell_motion(story, events, rng)
    first, second, third = (
        _typed(author, sight, event, rng, noisy=noisy)
        for author, sight, event in zip(authors, sights, events, strict=True)
    )
    return first, second, third


def _typed(author: Annotator, sight: Sight, event: str, rng: Random, *, noisy: bool) -> str:
    text = write(author, sight, event, rng, noisy=noisy)
    return slip(text, rng) if noisy else text


def _look(story: Story, rng: Random) -> list[Sight]:
    """Return what three people see: a vehicle that is hard to tell is taken for the same other one by each who errs."""
    colour = kind = ""
    if rng.random() < UNCLEAR_COLOUR[story.colour] * DIMNESS[story.light]:
        colour = choose(COLOUR_CONFUSIONS[story.colour], rng)
    if rng.random() < UNCLEAR_KIND[story.kind]:
        kind = choose(KIND_CONFUSIONS[story.kind], rng)
    mirrored = MIRRORED_OFTEN if rng.random() < MIRRORED_VEHICLES else MIRRORED
    return [_sight(story, (colour, kind), mirrored, rng) for _ in range(3)]


def _sight(story: Story, taken_for: tuple[str, str], mirrored: float, rng: Random) -> Sight:
    colour = _seen(story.colour, taken_for[0], COLOUR_CONFUSIONS, rng)
    kind = _seen(story.kind, taken_for[1], KIND_CONFUSIONS, rng)
    return Sight(
        replace(story, colour=colour, kind=kind, manoeuvre=_seen_manoeuvre(story, mirrored, rng)),
        colour="" if rng.random() < NO_COLOUR else colour_names(story.colour, colour),
        kind="" if rng.random() < NO_KIND else KIND_NAMES[kind],
    )


def _seen(true: str, other: str, confusions: dict[str, str], rng: Random) -> str:
    if other and rng.random() < TAKEN_FOR_ANOTHER:
        return other
    return choose(confusions[true], rng) if rng.random() < MISSEEN else true


def _seen_manoeuvre(story: Story, mirrored: float, rng: Random) -> Manoeuvre:
    if story.manoeuvre in SIDES:
        if rng.random() < SEEN_STRAIGHT:
            return "straight"
        return SIDES[story.manoeuvre == "left"] if rng.random() < mirrored else story.manoeuvre
    if story.manoeuvre == "straight" and story.speed > 0 and rng.random() < SEEN_TURNING:
        return rng.choice(SIDES)
    return story.manoeuvre


def _events(story: Story) -> dict[str, float]:
    """Return what there is to tell of a story, with weights: rules of `phrases`; "mention" only names the vehicle."""
    cross, usual = {"intersection": (1.0, 7.0), "car park": (0.8, 0.5), "highway": (0.3, 7.0)}[story.place]
    company = 2.0 * any(other.relation in ("ahead", "behind") for other in story.neighbours)
    if story.manoeuvre == "parked":
        return {"parked": 8, "company parked": company, "mention": 0.4}
    if story.manoeuvre == "u-turn":
        return {"u-turn": 8, "road": 1, "mention": 0.3}
    if story.manoeuvre in SIDES:
        events = {"turn": 12, "turn on": 0.9, "approach turn": 1, "road": 1.2, "usual": 0.12 * usual}
        events |= {"cross": cross, "mention": 0.35}
        return events | ({"stop turn": 5, "stop": 3} if story.stops else {})
    if story.speed <= 0:
        return {"stop": 8, "company still": 2 * company, "mention": 0.3}
    events = {"straight": 14, "usual": usual, "road": 5, "cross": 5 * cross}
    events |= {"mention": 0.35, "company": company}
    if story.speed > FAST:
        events["fast"] = 0.9
    if story.speed < SLOW:
        events["slow"] = 1.2
    if story.stops:
        events |= {"stop": 18, "stop straight": 4, "company still": 1.2 * company}
    if story.changes_lane:
        events["lane"] = 7
    return events


def _choose_event(story: Story, rng: Random) -> str:
    events = _events(story)
    return rng.choices(list(events), list(events.values()))[0]


def _tell_motion(story: Story, events: list[str], rng: Random) -> None:
    """Replace events in place until two of three tell a turn, or else a stop, that there was."""
    if story.manoeuvre in SIDES:
        telling = TURNING
    elif story.manoeuvre == "parked" or (story.stops and story.manoeuvre == "straight"):
        telling = STOPPING
    else:
        return
    possible = [event for event in telling if event in _events(story)]
    silent = [i for i, event in enumerate(events) if event not in telling]
    for i in rng.sample(silent, max(0, len(silent) - 1)):
        events[i] = possible[0]

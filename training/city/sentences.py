"""One annotator's sentence: how a noun phrase, a predicate and asides become what he writes.

Everybody has habits, which are a function of his number: he prefers some words to others wherever there is a choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from random import Random
from typing import TYPE_CHECKING
from zlib import crc32

from .phrases import RULES, inflect
from .words import (
    COLOUR_NAMES,
    KIND_NAMES,
    SECOND_COLOURS,
    SIZES,
    SPECIAL_NAMES,
    UNNAMED_BIG,
    UNNAMED_COLOURS,
    UNNAMED_KINDS,
)

if TYPE_CHECKING:
    from .world import Neighbour, Story

TASTE = 0.8  # how far habits part: the deviation of a preference's logarithm
LONGEST = 26  # words of a sentence

# Shares of the sentences that have something.
SIZED, FEATURE, ASIDE, NOBODY = 0.085, 0.008, 0.13, 0.05
TWO_COLOURS, SPECIAL, SWIFT = 0.014, 0.3, 0.1
NO_ARTICLE, THE = 0.05, 0.005
GREY, TITLE, LOWER_SUV = 0.3, 0.04, 0.04
BASE, UNSTOPPED, LOWER = 0.03, 0.01, 0.008
TWO_SENTENCES, RELATIVE, THERE, OPENED = 0.007, 0.012, 0.007, 0.014
SET_BEFORE, FRONTED = 0.07, 0.25  # of relations to others; of these

_FORMS = "present ×74 | participle ×9 | progressive ×7 | past ×.7"
_SLOT = re.compile(r"\{([^}]+)\}")
SLOW, FAST = 4.0, 17.0  # m/s at which speed is worth a word
_BIG = ("bus", "cargo", "pickup", "van")
_DRIVING = ("straight", "road", "usual", "cross", "turn")
_AFTER_NOUN = ("behind ", "in front of ", "next to ", "followed by ", "beside ", "ahead of ")


@dataclass(frozen=True, slots=True)
class Annotator:
    """One of those who write, by number."""

    number: int

    def habit(self, name: str) -> float:
        """Return how far a trait is his, uniform in 0 to 1 over the annotators."""
        return Random(crc32(f"{self.number}/{name}".encode())).random()

    def pick(self, text: str, rng: Random) -> str:
        """Return one of a text's alternatives, those that he likes more often than others."""
        return rng.choices(*_preferences(self.number, text))[0]


@dataclass(frozen=True, slots=True)
class Sight:
    """What an annotator thinks he saw.

    story: as he understood it.  colour, kind: what he may call the vehicle's, as alternatives of a text.
    """

    story: Story
    colour: str
    kind: str


def choose(text: str, rng: Random) -> str:
    """Return one of a text's alternatives by its weights alone."""
    return rng.choices(*_alternatives(text))[0]


def write(author: Annotator, sight: Sight, event: str, rng: Random, *, noisy: bool) -> str:
    """Return a sentence about an event of a story: "mention", or the name of one of `phrases.RULES`.

    noisy: whether it may say what need not be so, and be without the grammar and punctuation that one learns at school.
    """
    writer = _Writer(author, sight, rng, noisy)
    text = writer.sentence(event)
    while len(text.split()) > LONGEST:
        text = writer.sentence(event)
    return text


@lru_cache(maxsize=4096)
def _alternatives(text: str) -> tuple[list[str], list[float]]:
    pairs = [alternative.partition("×")[::2] for alternative in text.split("|")]
    return [name.strip() for name, _ in pairs], [float(weight or 1) for _, weight in pairs]


@lru_cache(maxsize=65536)
def _preferences(number: int, text: str) -> tuple[list[str], list[float]]:
    """Return a text's alternatives, and their weights to an annotator."""
    names, weights = _alternatives(text)
    taste = Random(crc32(f"{number}/{text}".encode()))
    return names, [weight * exp(taste.gauss(0, TASTE)) for weight in weights]


class _Writer:
    """An annotator who writes of one story."""

    def __init__(self, author: Annotator, sight: Sight, rng: Random, noisy: bool) -> None:
        self._author, self._sight, self._rng, self._noisy = author, sight, rng, noisy
        self._story = sight.story
        self._rules = RULES[self._story.place]

    def sentence(self, event: str) -> str:
        """Return a whole sentence."""
        subject = self._subject()
        text = self._mention(subject) if event == "mention" else self._statement(subject, event)
        text = text.replace("gray", "grey") if self._author.habit("grey") < GREY else text
        if not (self._noisy and self._happens(LOWER)):
            text = re.sub(r"(^|\. )([a-z])", lambda match: match[1] + match[2].upper(), text)
        return text if self._noisy and self._happens(UNSTOPPED) else f"{text}."

    def _mention(self, subject: str) -> str:
        where = "{in place}" if self._story.manoeuvre == "parked" else " ×5 | on {street} ×2 | {in traffic}"
        text = f"{subject} {self._expand(choose(where, self._rng))}".strip()
        return self._indefinite("it is", text) if self._happens(0.2) else text

    def _statement(self, subject: str, event: str) -> str:
        predicate = self._paced(event, self._predicate(event))
        relation = "" if event.startswith("company") else self._relation(self._posture(event))
        form = self._author.pick(_FORMS, self._rng)
        if form == "present" and self._noisy and self._happens(BASE):
            form = "base"
        if relation.startswith(_AFTER_NOUN) and self._happens(SET_BEFORE):
            text = inflect(predicate, form)
            fronted = self._indefinite(f"{relation},", f"{subject} {text}")
            return fronted if self._happens(FRONTED) else f"{subject} {relation} {text}"
        return self._joined(subject, event, f"{predicate} {relation or self._aside(event)}", form)

    def _joined(self, subject: str, event: str, predicate: str, form: str) -> str:
        """Return subject and predicate as a clause, or in one of the rarer ways to put it."""
        text, opening = inflect(predicate, form), self._expand("{opening}")
        if self._happens(TWO_SENTENCES) and event in ("turn", "cross", "straight") and form != "participle":
            return f"{subject} {inflect(self._expand('[drive] down {street}'), form)}. It {text}"
        if self._happens(RELATIVE) and form != "participle":
            return f"{subject} that {text}"
        if self._happens(THERE):
            return self._indefinite("there is", f"{subject} {inflect(predicate, 'participle')}")
        if self._happens(OPENED) and opening.rpartition(" ")[2] not in text:
            return self._indefinite(f"{opening},", f"{subject} {text}")
        return f"{subject} {text}"

    def _subject(self) -> str:
        """Return the noun phrase of the vehicle described."""
        size = self._author.pick(SIZES[self._story.kind], self._rng) if self._happens(SIZED) else ""
        feature = self._expand("{feature}") if self._noisy and self._happens(FEATURE) else ""
        words = " ".join(f"{size} {self._colour()} {self._noun()} {feature}".split())
        if self._happens(THE):
            return f"the {words}"
        drops = 0.55 if self._author.habit("article") < 0.15 else NO_ARTICLE
        return words if self._happens(drops) else _with_article(words)

    def _noun(self) -> str:
        special = SPECIAL_NAMES.get((self._story.colour, self._story.kind))
        text = special if special and self._sight.kind and self._happens(SPECIAL) else self._sight.kind
        return self._written(text or (UNNAMED_BIG if self._story.kind in _BIG else UNNAMED_KINDS))

    def _written(self, text: str) -> str:
        """Return one of a text's alternatives as one types it: "suv", "Sedan"."""
        noun = self._author.pick(text, self._rng)
        if self._happens(LOWER_SUV):
            return noun.lower()
        return noun[0].upper() + noun[1:] if self._happens(TITLE) else noun

    def _colour(self) -> str:
        colour = self._story.colour
        if self._sight.colour and self._happens(TWO_COLOURS):
            return f"{colour} and {choose(SECOND_COLOURS[colour], self._rng)}"
        return self._author.pick(self._sight.colour or UNNAMED_COLOURS, self._rng)

    def _predicate(self, event: str) -> str:
        if not event.startswith("company"):
            return self._expand(f"{{{event}}}")
        other = self._neighbour()
        return self._expand(f"{{{event} {_side(other)}}}", other)

    def _paced(self, event: str, predicate: str) -> str:
        """Put a word of a vehicle's speed before its verb."""
        if event not in _DRIVING or "slow" in predicate or not self._happens(SWIFT):
            return predicate
        if self._story.speed < SLOW:
            return f"slowly {predicate}"
        return f"quickly {predicate}" if self._story.speed > FAST else predicate

    def _posture(self, event: str) -> str:
        if event == "parked":
            return "parked "
        return "still " if event == "stop" else ""

    def _relation(self, posture: str) -> str:
        """Return a phrase about another vehicle, or "" for none."""
        others = self._story.neighbours
        if not others:
            return self._expand("{nobody}") if not posture and self._happens(NOBODY) else ""
        if not self._happens(0.14 + 0.5 * self._author.habit("company")):
            return ""
        if len(others) > 1 and not posture and self._happens(0.16):
            between = {"ahead", "behind"} <= {other.relation for other in others}
            return self._expand("{between}" if between and self._happens(0.5) else "{many}")
        other = self._neighbour()
        return self._expand(f"{{{posture}{_side(other)}}}", other)

    def _neighbour(self) -> Neighbour:
        """Return the one spoken of, rather one in front or behind than one beside."""
        others = self._story.neighbours
        return self._rng.choices(others, [4.0 if other.relation in ("ahead", "behind") else 1.0 for other in others])[0]

    def _other(self, other: Neighbour) -> str:
        """Return a noun phrase for another vehicle, in less detail than for the one described."""
        said = choose("both ×36 | colour ×22 | kind ×12 | none ×30", self._rng)
        if said == "none":
            return self._author.pick("another vehicle ×5 | another car ×5 | a car ×2 | a vehicle ×1.4", self._rng)
        unnamed = UNNAMED_BIG if other.kind in _BIG else UNNAMED_KINDS
        noun = self._written(unnamed if said == "colour" else KIND_NAMES[other.kind])
        colour = (
            "" if said == "kind" else self._author.pick(f"{other.colour} ×6 | {COLOUR_NAMES[other.colour]}", self._rng)
        )
        words = f"{colour} {noun}".strip()
        same = other.kind == self._story.kind or other.colour == self._story.colour
        return f"another {words}" if self._happens(0.35 if same else 0.1) else _with_article(words)

    def _aside(self, event: str) -> str:
        """Return a closing phrase about direction, light or place, or "" for none."""
        story, moves = self._story, event in _DRIVING
        if not self._happens(ASIDE):
            return ""
        weights = {"": 2.0, "night": 3.0 * (story.light == "night")}
        if moves:
            weights |= {"bearing": 0.5, {True: "toward", False: "away", None: "across"}[story.toward]: 0.7}
        if moves and self._noisy and story.place != "car park" and event != "turn":
            weights["noted lane"] = 2.2
        name = self._rng.choices(list(weights), list(weights.values()))[0]
        return self._expand(f"{{{name}}}") if name else ""

    def _expand(self, text: str, other: Neighbour | None = None) -> str:
        """Return a text without slots."""
        slots = {"side": self._story.manoeuvre, "compass": self._story.direction}
        if other:
            sides = {"left": "left", "right": "right"}
            slots |= {"other": self._other(other), "where": sides.get(other.relation, "")}

        def filled(match: re.Match[str]) -> str:
            own = slots.get(match[1])
            return own if own is not None else _SLOT.sub(filled, self._author.pick(self._rules[match[1]], self._rng))

        return _SLOT.sub(filled, text)

    @staticmethod
    def _indefinite(opening: str, text: str) -> str:
        """Put words before a sentence, whose subject then has an article."""
        bare = text.split(" ", 1)[0] not in ("a", "an", "the")
        return f"{opening} {_with_article(text) if bare else text}"

    def _happens(self, share: float) -> bool:
        return self._rng.random() < share


def _side(other: Neighbour) -> str:
    return "beside" if other.relation in ("left", "right") else other.relation


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeioAEIO' or words.startswith(('SUV', 'MPV')) else 'a'} {words}"

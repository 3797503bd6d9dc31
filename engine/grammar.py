"""Which vehicle a clean sentence describes, and the colour and type it is given.

The subject is the vehicle described, not the one it is behind, follows or passes: the first noun phrase that names a
vehicle and is not the object of a preposition or a verb ("behind a blue van, a red sedan turns": the sedan). In it the
first colour and the first type count. What it lacks may come from a predicate or an apposition ("the car is white", "a
small car, probably a hatchback").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .vocabulary import (
    ADJECTIVAL,
    BODY_AFTER_CARGO,
    BRANDS,
    CARGO_QUALIFIERS,
    COLOUR_TINGES,
    COLOUR_WORDS,
    COORDINATORS,
    COPULAS,
    DETERMINERS,
    HEDGES,
    OPENERS,
    PART_WORDS,
    PHRASES,
    PREPOSITIONS,
    PRONOUNS,
    ROAD_USERS,
    SHADES,
    STREET,
    SUBORDINATORS,
    TRUCKS,
    TYPE_WORDS,
    VEHICLES,
    VERBS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_NOMINAL = PREPOSITIONS | SUBORDINATORS | COORDINATORS | PRONOUNS | VERBS
_COLOUR_NOUNS = frozenset(("color", "colored", "paint", "body", "exterior"))
RELATIVES = frozenset(("that", "which", "who"))
# Between a noun phrase and what is said of it: "a car, which is probably a hatchback", "a van painted in white".
_LINKS = COPULAS | HEDGES | RELATIVES | frozenset((",", "it", "like", "or", "in", "of", "with", "painted"))


@dataclass(frozen=True, slots=True)
class Subject:
    """The vehicle described: `named` is where its noun phrase is, `told` where another one speaks of it."""

    named: range
    told: range
    colour: str | None
    type: str | None


def split(text: str) -> list[str]:
    """The words of a clean sentence, commas among them, with each of `PHRASES` as one word."""
    words = text.replace(",", " ,").split()
    joined: list[str] = []
    pending = words[0] if words else ""
    for word in words[1:]:
        one = PHRASES.get((pending, word))
        if one is None:
            joined.append(pending)
        pending = one or word
    return [*joined, pending] if words else joined


def find_subject(words: Sequence[str]) -> Subject:
    """The subject of a sentence given as `split` returns it, with its colour (of `COLOURS`) and type (of `TYPES`)."""
    named, told = _first_name(words), range(0)
    stop = named.stop
    colour, vehicle_type = _colour(words[named.start : stop]), _type(words[named.start : stop])
    for after in (stop, *(i for i in range(stop, len(words)) if words[i] == "it")):
        if colour and vehicle_type:
            break
        start = after
        while word_at(words, start) in _LINKS:
            start += 1
        phrase = words[start : _phrase_end(words, start)]
        if _describes(phrase, words[after:start]):
            told = range(start, start + len(phrase))
            colour = colour or _colour(phrase)
            vehicle_type = vehicle_type or _type(phrase)
    return Subject(named, told, colour, vehicle_type)


def word_at(words: Sequence[str], i: int) -> str:
    """The word at `i`, or "" past either end."""
    return words[i] if 0 <= i < len(words) else ""


def _first_name(words: Sequence[str]) -> range:
    """Where the subject's noun phrase is; empty where none names a vehicle."""
    i, governed, governed_before = 0, False, False
    while i < len(words):
        word = words[i]
        if word not in _NOT_NOMINAL or is_adjective(words, i):
            stop = _phrase_end(words, i)
            if not governed and _names_vehicle(words[i:stop]):
                return range(i, stop)
            governed, governed_before = False, governed
            i = stop
            continue
        if word == ",":
            governed = governed_before = False
        elif word in ("and", "or"):
            governed = governed_before
        elif word in ("of", "in"):  # as its noun phrase: "to the left of a van", but "a view of a van"
            governed = governed or governed_before
        elif word not in PRONOUNS:
            governed = word not in OPENERS
        i += 1
    return range(0)


def _phrase_end(words: Sequence[str], start: int) -> int:
    """Where the noun phrase from `start` stops: after its last vehicle noun, or before what cannot be in it."""
    has_head = False
    for i in range(start, len(words)):
        word = words[i]
        if word in ROAD_USERS:
            has_head = has_head or word not in BRANDS  # "ford f150 pickup" goes on after the brand
        elif has_head:
            return i
        elif word in DETERMINERS:
            if i > start and words[i - 1] not in DETERMINERS:
                return i
        elif word in _NOT_NOMINAL and not (_joins_colours(words, i) or is_adjective(words, i)):
            return i
    return len(words)


def _joins_colours(words: Sequence[str], i: int) -> bool:
    """Whether the word at `i` is the "and" of "red and white" or the comma of "black, large"."""
    after = word_at(words, i + 1)
    if word_at(words, i - 1) not in COLOUR_WORDS:
        return False
    if words[i] == ",":
        return after not in _NOT_NOMINAL and after not in DETERMINERS
    return words[i] in ("and", "or", "with") and (after in COLOUR_WORDS or after in SHADES)


def is_adjective(words: Sequence[str], i: int) -> bool:
    """Whether the participle at `i` belongs to a vehicle noun right after it: "a parked white van"."""
    if words[i] not in ADJECTIVAL:
        return False
    noun = next((word for word in words[i + 1 : i + 4] if word in ROAD_USERS or word in _NOT_NOMINAL), "")
    return noun in ROAD_USERS


def _names_vehicle(phrase: Sequence[str]) -> bool:
    if any(word in VEHICLES for word in phrase):
        return True
    return phrase[-1] not in STREET and any(word in COLOUR_WORDS for word in phrase)


def _describes(phrase: Sequence[str], links: Sequence[str]) -> bool:
    """Whether `phrase`, joined to the subject by `links`, speaks of the subject itself and not of a part or a place."""
    if not phrase or phrase[-1] in _COLOUR_NOUNS:
        return bool(phrase)
    if "with" in links or (phrase[0] in DETERMINERS and not links):
        return False
    return phrase[-1] in COLOUR_WORDS or phrase[-1] in VEHICLES


def _colour(phrase: Sequence[str]) -> str | None:
    """The first colour of a noun phrase, without the tinge of another ("bluish gray") or that of a part."""
    for i, word in enumerate(phrase):
        after = word_at(phrase, i + 1)
        if word not in COLOUR_WORDS or after in PART_WORDS:
            continue
        if word in COLOUR_TINGES and after in COLOUR_WORDS:
            continue
        return COLOUR_WORDS[word]
    return None


def _type(phrase: Sequence[str]) -> str | None:
    """The first type of a noun phrase; a truck is a pickup unless a word before it makes it a cargo truck."""
    for i, word in enumerate(phrase):
        if word in TRUCKS:
            is_cargo = "pickup" not in phrase[i:] and any(before in CARGO_QUALIFIERS for before in phrase[:i])
            return "cargo" if is_cargo else "pickup"
        meaning = TYPE_WORDS.get(word)
        if meaning == "cargo" and word_at(phrase, i + 1) in BODY_AFTER_CARGO:
            continue
        if meaning:
            return meaning
    return None

"""Spelling of descriptions: one closed spelling for the words that matter, everything else left alone."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from .vocabulary import (
    COLOUR_WORDS,
    COORDINATORS,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    ROAD_USERS,
    SHADES,
    STREET,
    SUBORDINATORS,
    VERBS,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2212", "-")
    | dict.fromkeys("\u2013\u2014\u2015\u3001\uff0c", ",")
    | dict.fromkeys("\u2018\u2019\u00b4\u02bc", "'")
    | {"\u200b": " ", "\u00ad": ""}
)
_POSSESSIVE = re.compile(r"(?<=[a-z])'s\b")
_INITIALS = re.compile(r"\b(?:[a-z]\.){2,}")
_ABBREVIATIONS = ("eg", "ie")
_TOKEN = re.compile(r"[a-z]+|[0-9]+|[,;:.!?()]| - ")
_PARTED = {("pick", "up"), ("cross", "over"), ("mini", "van"), ("mini", "bus"), ("hatch", "back")}

# Slips that no general rule mends: short words, two slips in one word, and slips that are English words elsewhere.
_MISSPELLINGS = {
    misspelling: word
    for word, misspellings in {
        "through": "thru threw",
        "suv": "svu suvv",
        "suvs": "svus",
        "van": "vna",
        "truck": "tuck truk trcuk",
        "coupe": "coup coop",
        "sedan": "cedan",
        "hatchback": "hackback hatckback",
        "minivan": "minvan",
        "vehicle": "vechicle vechile vehical",
        "red": "rad read",
        "gray": "gry gery garay",
        "silver": "sliver",
        "white": "withe whit",
        "dark": "drak",
        "light": "ligth",
        "color": "colour",
        "colored": "coloured",
        "straight": "strait sratight straigth",
        "left": "lef letf leff lfet",
        "right": "rigth rigt rihgt righ",
        "turn": "tun trun",
        "turns": "tuns truns",
        "stop": "sotp",
        "stopped": "stoped",
        "stopping": "stoping",
    }.items()
    for misspelling in misspellings.split()
}
# "lightgray", "darkblue"
_COMPOUNDS = {shade + colour: (shade, colour) for shade in SHADES for colour in COLOUR_WORDS} | {
    "pickuptruck": ("pickup", "truck"),
}
_KNOWN = (
    COLOUR_WORDS.keys()
    | ROAD_USERS
    | STREET
    | DETERMINERS
    | PRONOUNS
    | COORDINATORS
    | SUBORDINATORS
    | PREPOSITIONS
    | VERBS
)
# What a slip of one letter is corrected to: longer words that carry colour, type or motion.
_TARGETS = sorted(
    words(
        "silver white brown black purple yellow orange green maroon burgundy champagne beige golden charcoal pickup "
        "sedan wagon cargo hatchback coupe truck minivan crossover vehicle straight forward behind turns turned "
        "turning stops stopped stopping following followed drives driving intersection"
    )
)
# English words that are one letter away from a target.
_GUARDED = words(
    "while whiles whites whine write writes blown brow brows brawn browns blank back blacks block bleak slack greed "
    "greek greens greet coupes couple coups cope trick truce trucker trunk track steps shops slops stoops swoops tuned "
    "tuner tuning turner torn stepped stepping stomped shopping swopped driver drivers driven derives dives diving "
    "drying follower hollow intersections beings vehicular sedate waging oranges purples yellows silvers"
)
_BEFORE_NOUN = COLOUR_WORDS.keys() | SHADES | words("a an the this another small large big mid midsize compact")
_SLIP_FOR_VEHICLE = {"can": "van", "track": "truck"}


def clean(sentence: str) -> str:
    """`sentence` in one closed spelling: lower-case words, one space between them, a comma between clauses.

    Unicode is folded to ASCII, hyphens part words, punctuation between words becomes a comma and vanishes at the ends.
    Usual misspellings are corrected, and so is a slip of one letter in a longer word of colour, type or motion, unless
    it makes another English word. Only whole words are changed: "colored", "busy" and "minivan" stay. Idempotent.
    """
    text = _folded(sentence)
    if "'" in text:
        text = _POSSESSIVE.sub("", text).replace("'", "")
    if "." in text:
        text = _INITIALS.sub(lambda match: match.group().replace(".", ""), text)
    tokens: list[str] = []
    for token in _TOKEN.findall(text.replace("&", " and ")):
        if not token[0].isalnum():
            if tokens and tokens[-1] != ",":
                tokens.append(",")
        elif token not in _ABBREVIATIONS:
            tokens += _corrected(token)
    return " ".join(_in_place(tokens)).strip(" ,").replace(" ,", ",")


def _in_place(tokens: Sequence[str]) -> list[str]:
    """Corrects what means a vehicle only where it stands: "a white can runs", "a black cross over", "a pick up"."""
    corrected: list[str] = []
    for word in tokens:
        before = corrected[-1] if corrected else ""
        earlier = corrected[-2] if len(corrected) > 1 else ""
        if (before, word) in _PARTED and _is_noun(before, earlier):
            corrected[-1] += word
        elif word in _SLIP_FOR_VEHICLE and before in COLOUR_WORDS:
            corrected.append(_SLIP_FOR_VEHICLE[word])
        else:
            corrected.append(word)
    return corrected


def _is_noun(first: str, before: str) -> bool:
    """Whether `first`, after the word `before`, starts a noun in two words: "a cross over", not "to cross over"."""
    return before != "to" and (first != "cross" or not before or before in _BEFORE_NOUN)


def _folded(sentence: str) -> str:
    """Lower-case ASCII: accents dropped, every dash and quote in its plain form."""
    if sentence.isascii():
        return sentence.lower()
    plain = unicodedata.normalize("NFKD", sentence.translate(_PLAIN))
    return plain.encode("ascii", "ignore").decode("ascii").lower()


@lru_cache(maxsize=4096)
def _corrected(word: str) -> tuple[str, ...]:
    """`word` or what it is a misspelling of, which may be two words."""
    if word in _MISSPELLINGS:
        return (_MISSPELLINGS[word],)
    if word in _COMPOUNDS:
        return _COMPOUNDS[word]
    if len(word) < 4 or word in _KNOWN or word in _GUARDED:
        return (word,)
    return (next((target for target in _TARGETS if target[0] == word[0] and _one_slip(word, target)), word),)


def _one_slip(word: str, target: str) -> bool:
    """Whether one letter left out, added or changed, or two neighbours swapped, makes `target` of `word`."""
    if abs(len(word) - len(target)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, target, strict=False)) if a != b), min(len(word), len(target)))
    rest, wanted = word[start:], target[start:]
    if len(rest) != len(wanted):
        longer, shorter = (rest, wanted) if len(rest) > len(wanted) else (wanted, rest)
        return longer[1:] == shorter
    return rest[1:] == wanted[1:] or (rest[1::-1] == wanted[:2] and rest[2:] == wanted[2:])

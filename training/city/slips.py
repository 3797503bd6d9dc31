"""Slips of the pen: misspellings, letters lost or swapped, and the small words that annotators in a hurry leave out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

MISSPELT = 0.032  # share of the sentences
KNOWN_SHARE = 0.75  # of them with one of the slips below rather than any other
_SLIPS = {
    "hatchback": "hatckback hackback hatchbak",
    "dark": "drak",
    "truck": "truch truk track trcuk",
    "vehicle": "vechicle vehical vechile vehicule",
    "stopped": "stoped",
    "stopping": "stoping",
    "suv": "SVU SVU SUVV",
    "through": "threw thru trough",
    "turns": "tuns trun turs",
    "turning": "turing tuning",
    "sedan": "cedan sedane sadan",
    "silver": "sliver silever",
    "white": "withe whit wite",
    "gray": "gary gry",
    "black": "balck blak",
    "straight": "strait straigth stright straigt",
    "right": "rigth rigt",
    "left": "letf lef",
    "intersection": "intersecton intersetion interection",
    "coupe": "coup coop",
    "pickup": "pikup pickp",
    "followed": "folowed follwed",
    "following": "folowing",
    "street": "steet streat",
    "down": "dwon",
    "minivan": "minvan",
    "purple": "pruple",
    "orange": "ornage",
    "maroon": "marroon",
    "beige": "biege",
    "burgundy": "burgandy",
    "champagne": "champange",
    "behind": "behing",
    "waits": "wait's",
    "highway": "higway",
    "parking": "parkin",
}
_DROPPED = (
    (" followed by a ", " followed by "),
    (" down the ", " the "),
    (" at the ", " at "),
    (" behind a ", " behind "),
)
DROPPED = 0.02


def slip(sentence: str, rng: Random) -> str:
    """Return a sentence as it was typed: most often unchanged."""
    if rng.random() < DROPPED:
        before, after = rng.choice(_DROPPED)
        sentence = sentence.replace(before, after, 1)
    return _misspell(sentence, rng) if rng.random() < MISSPELT else sentence


def _misspell(sentence: str, rng: Random) -> str:
    words = list(re.finditer(r"[A-Za-z]+", sentence))
    known = [match for match in words if match[0].lower() in _SLIPS]
    if known and rng.random() < KNOWN_SHARE:
        match = rng.choice(known)
        wrong = rng.choice(_SLIPS[match[0].lower()].split())
    else:
        long = [match for match in words if len(match[0]) > 4] or words
        match = rng.choice(long)
        wrong = _mistype(match[0], rng)
    wrong = wrong[0].upper() + wrong[1:] if match.start() == 0 else wrong
    return sentence[: match.start()] + wrong + sentence[match.end() :]


def _mistype(word: str, rng: Random) -> str:
    """Lose, double or swap a letter after the first."""
    if len(word) < 3:
        return word
    i = rng.randrange(1, len(word) - 1)
    return rng.choice(
        (word[:i] + word[i + 1 :], word[: i + 1] + word[i:], word[:i] + word[i + 1] + word[i] + word[i + 2 :])
    )

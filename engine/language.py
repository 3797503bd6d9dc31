"""Reading English vehicle descriptions: colour, type and motion of the vehicle described, and a vote over sentences.

`spelling` brings a sentence into one closed spelling, `grammar` finds the vehicle it describes, `motion` what that one
does; `vocabulary` holds the words of all three.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .arguments import check_kind, items
from .grammar import find_subject, split
from .motion import find_motion
from .spelling import clean
from .vocabulary import COLOURS, MOTIONS, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COLOURS", "MOTIONS", "TYPES", "Attributes", "Reading", "clean", "read", "read_query", "vote"]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is said of a vehicle; None where nothing is."""

    colour: str | None
    type: str | None
    motion: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One sentence as it was given, and what it says of its subject."""

    sentence: str
    colour: str | None
    type: str | None
    motion: str | None


def read(sentence: str) -> Reading:
    """The colour (of `COLOURS`), type (of `TYPES`) and motion (of `MOTIONS`) of the subject, None where it has none.

    Raises InputError for a sentence that is no text.
    """
    check_kind("sentence", sentence, str, "give a description")
    words = split(clean(sentence))
    subject = find_subject(words)
    return Reading(sentence, subject.colour, subject.type, find_motion(words, subject))


def vote(readings: Iterable[Reading]) -> Attributes:
    """The most frequent value of each attribute over the readings that name it; a tie goes to the one named first."""
    votes = list(readings)
    return Attributes(
        colour=_majority(reading.colour for reading in votes),
        type=_majority(reading.type for reading in votes),
        motion=_majority(reading.motion for reading in votes),
    )


def read_query(sentences: Iterable[str], other_views: Iterable[str] = ()) -> Attributes:
    """What a query's sentences say by vote.

    `other_views` describe the same vehicle elsewhere: they vote for colour and type after `sentences`, not for motion.
    Raises InputError for what is no list of sentences.
    """
    remedy = "give a list of sentences"
    here = [read(sentence) for sentence in items("sentences", sentences, str, remedy)]
    everywhere = vote([*here, *(read(sentence) for sentence in items("other_views", other_views, str, remedy))])
    return Attributes(everywhere.colour, everywhere.type, vote(here).motion)


def _majority(values: Iterable[str | None]) -> str | None:
    counts = Counter(value for value in values if value is not None)
    return max(counts, key=counts.__getitem__, default=None)  # a Counter keeps the order of first sight, max its first

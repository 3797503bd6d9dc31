"""How a city compares with CityFlow-NL: its tracks and its sentences in figures, beside those of the real data.

The real figures were measured on the public CityFlow-NL JSON: "2021" on its 530 test tracks and queries, "2022" on the
184 of 2022 and 2023, the rest on 103 queries of the latter with the functions below.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from nlvr.engine.grammar import split
from nlvr.engine.language import clean, read
from nlvr.engine.vocabulary import COLOUR_WORDS, TRUCKS, TYPE_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nlvr.engine.cityflow import Query, Track

Row = tuple[str, str, str]

REAL = {
    "tracks": "530 (2021), 184 (2022)",
    "frames of a track, median": "31 (2021), 116 (2022)",
    "frames of a track, least and most": "1, 1946",
    "tracks with gaps": "19 %",
    "longest gap, frames": "881",
    "tracks in a frame, most": "10",
    "frame references, distinct frames": "27130, 12113",
    "median box, pixels": "186 x 148 (2021), 135 x 117 (2022)",
    "median displacement, pixels": "797",
    "sets of sentences": "530 (2021), 184 (2022)",
    "words of a sentence, mean and most": "8.9, 26",
    "distinct sentences": "98 % of 309",
    "most frequent sentence": "19 of 1590",
    "vocabulary, words": "239 of 309 sentences",
    "colour left out": "5 %",
    "type left out": "8 %",
    "two or more colours": "12 %",
    "two or more type words": "22 %",
    "two or more vehicles of a type": "10 %",
    "straight": "29-41 %",
    "turn": "15-30 %",
    "left": "11-18 %",
    "right": "10-17 %",
    "stop": "4-10 %",
    "follow, behind": "5-15 %",
    "sets that disagree on the colour": "28 %",
    "sets that disagree on the type": "41 % (2021), 32 % of 103",
    "sets that disagree on the motion": "26 %",
}
_WORDS = {
    "straight": ("straight",),
    "turn": ("turn", "turns", "turning", "turned"),
    "left": ("left",),
    "right": ("right",),
    "stop": ("stop", "stops", "stopped", "stopping"),
    "follow, behind": ("follow", "follows", "following", "followed", "behind"),
}


def city_statistics(tracks: Sequence[Track], queries: Sequence[Query]) -> list[Row]:
    """Return rows of name, the city's value and the real data's, of its tracks and of all their sentences.

    A query's sentences count once, even where its track holds them too.
    """
    sets = {query.nl for query in queries} | {track.nl for track in tracks if track.nl}
    values = _track_values(tracks) | (_sentence_values(sorted(sets)) if sets else {})
    return [(name, value, REAL[name]) for name, value in values.items()]


def statistics_table(rows: Iterable[Row]) -> str:
    """Return rows as a text table under a heading."""
    table = [("", "city", "CityFlow-NL"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _track_values(tracks: Sequence[Track]) -> dict[str, str]:
    lengths = [len(track.frames) for track in tracks]
    gaps = [_longest_gap(track) for track in tracks]
    uses = Counter(frame for track in tracks for frame in track.frames)
    width, height = np.median(np.concatenate([track.boxes for track in tracks])[:, 2:], axis=0)
    return {
        "tracks": str(len(tracks)),
        "frames of a track, median": f"{np.median(lengths):g}",
        "frames of a track, least and most": f"{min(lengths)}, {max(lengths)}",
        "tracks with gaps": _percent(gaps, lambda gap: gap > 0),
        "longest gap, frames": str(max(gaps)),
        "tracks in a frame, most": str(max(uses.values())),
        "frame references, distinct frames": f"{sum(lengths)}, {len(uses)}",
        "median box, pixels": f"{width:.0f} x {height:.0f}",
        "median displacement, pixels": f"{np.median([_displacement(track) for track in tracks]):.0f}",
    }


def _longest_gap(track: Track) -> int:
    """Return how many frames at most are left out between two of a track; 0 where the numbers are no numbers."""
    numbers = [re.search(r"\d+$", PurePosixPath(frame).stem) for frame in track.frames]
    found = sorted(int(number[0]) for number in numbers if number)
    return max((after - before - 1 for before, after in pairwise(found)), default=0)


def _displacement(track: Track) -> float:
    """Return how far a box's middle moves between a track's first frame and its last."""
    first, last = track.boxes[0], track.boxes[-1]
    return float(np.hypot(*(last[:2] + last[2:] / 2 - first[:2] - first[2:] / 2)))


def _sentence_values(sets: Sequence[Sequence[str]]) -> dict[str, str]:
    sentences = [sentence for own in sets for sentence in own]
    cleaned = [split(clean(sentence)) for sentence in sentences]
    spelt = [clean(sentence).replace(",", "").split() for sentence in sentences]
    readings = [[read(sentence) for sentence in own] for own in sets]
    flat = [reading for own in readings for reading in own]
    lengths = [len(sentence.split()) for sentence in sentences]
    same = Counter(" ".join(words) for words in spelt)
    return {
        "sets of sentences": str(len(sets)),
        "words of a sentence, mean and most": f"{np.mean(lengths):.1f}, {max(lengths)}",
        "distinct sentences": f"{len(same) / len(spelt):.0%} of {len(spelt)}".replace("%", " %"),
        "most frequent sentence": f"{max(same.values())} of {len(spelt)}",
        "vocabulary, words": f"{len({word for words in spelt for word in words})} of {len(spelt)} sentences",
        "colour left out": _percent(flat, lambda reading: reading.colour is None),
        "type left out": _percent(flat, lambda reading: reading.type is None),
        "two or more colours": _percent(spelt, lambda words: len(_colours(words)) > 1),
        "two or more type words": _percent(cleaned, lambda words: len({w for w in words if _is_type(w)}) > 1),
        "two or more vehicles of a type": _percent(cleaned, lambda words: _typed_vehicles(words) > 1),
        **{name: _percent(spelt, lambda words, own=own: bool(set(own) & set(words))) for name, own in _WORDS.items()},
        **{
            f"sets that disagree on the {name}": _percent(
                readings, lambda own, key=key: len({getattr(reading, key) for reading in own} - {None}) > 1
            )
            for name, key in (("colour", "colour"), ("type", "type"), ("motion", "motion"))
        },
    }


def _colours(words: Iterable[str]) -> set[str]:
    return {COLOUR_WORDS[word] for word in words if word in COLOUR_WORDS}


def _is_type(word: str) -> bool:
    return word in TYPE_WORDS or word in TRUCKS


def _typed_vehicles(words: Sequence[str]) -> int:
    """Return how many vehicles have a type: a pickup truck is one."""
    return sum(_is_type(word) and not _is_type(before) for before, word in pairwise(["", *words]))


def _percent(items: Sequence[Any], holds: Callable[[Any], bool]) -> str:
    return f"{100 * sum(map(holds, items)) / len(items):.0f} %"

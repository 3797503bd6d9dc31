"""Labels that cost nothing: colour, type and motion as `nlvr.engine.language` reads them in the training sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.language import COLOURS, MOTIONS, TYPES, read, read_query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nlvr.engine.cityflow import Track
    from nlvr.engine.language import Attributes, Reading

SHOWN = (len(COLOURS), len(TYPES), len(MOTIONS))
SAID = tuple(count + 1 for count in SHOWN)  # or nothing of the kind
UNKNOWN = -1  # a colour, type or motion that no sentence names
_LEFT, _RIGHT = MOTIONS.index("left"), MOTIONS.index("right")


def shown_labels(tracks: Iterable[Track]) -> np.ndarray:
    """Return what most sentences of each track say of it: int64 [T, 3], −1 where none says anything.

    Descriptions of other views speak for colour and type: one view's few sentences err more often than all of them.
    """
    votes = [_numbers(read_query(track.nl, track.nl_other_views)) for track in tracks]
    return np.array(votes, np.int64).reshape(-1, 3)


def said_labels(sentences: Iterable[str]) -> np.ndarray:
    """Return what each sentence says: int64 [N, 3], the number of values where it says nothing."""
    labels = np.array([_numbers(read(sentence)) for sentence in sentences], np.int64).reshape(-1, 3)
    return np.where(labels == UNKNOWN, SHOWN, labels)


def mirrored_labels(labels: np.ndarray) -> np.ndarray:
    """Return the labels, int64 [N, 3], of mirrored vehicles."""
    motion = labels[:, 2]
    other = np.where(motion == _LEFT, _RIGHT, np.where(motion == _RIGHT, _LEFT, motion))
    return np.column_stack([labels[:, :2], other])


def _numbers(named: Attributes | Reading) -> tuple[int, int, int]:
    def place(name: str | None, names: tuple[str, ...]) -> int:
        return UNKNOWN if name is None else names.index(name)

    return place(named.colour, COLOURS), place(named.type, TYPES), place(named.motion, MOTIONS)

"""Sentences that describe no vehicle of a frame, though they share a colour or a type with the one that is shown.

Tracks are known by row numbers. An attribute that a track's sentences do not name may be any, so a sentence is taken to
describe every vehicle that none of its attributes contradicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


class NegativeSampler:
    """Draws for a track another one whose colour or type is the same and that describes no vehicle of the frame."""

    def __init__(self, colours: np.ndarray, types: np.ndarray, *, probability: float = 0.2) -> None:
        """colours, types: int64 [T], negative where a track's sentences name none."""
        self._colours, self._types, self._probability = colours, types, probability

    def draw(self, own: int, present: Sequence[int], generator: np.random.Generator) -> int:
        """Return the row of the track whose sentence a sample of track `own` takes: a negative, or `own` itself.

        It is `own` with probability 1 − `probability`, and where there is no negative.

        present: rows of the tracks that the frame shows, `own` among them.
        """
        if generator.random() >= self._probability:
            return own
        candidates = self.candidates(own, present)
        return int(generator.choice(candidates)) if len(candidates) else own

    def candidates(self, own: int, present: Sequence[int]) -> np.ndarray:
        """Return the rows of the tracks that a negative sentence may come from: int64 [K], ascending."""
        alike = _same(self._colours, own) | _same(self._types, own)
        rows = np.asarray(present)[:, None]
        described = _may_be_same(self._colours, rows) & _may_be_same(self._types, rows)
        return np.flatnonzero(alike & ~described.any(axis=0))


def _same(values: np.ndarray, row: int) -> np.ndarray:
    """Tell which tracks are known to have the value of track `row`: bool [T]."""
    return (values == values[row]) & (values >= 0)


def _may_be_same(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Tell which tracks may have the value of each of these. rows: int64 [P, 1]. Returns bool [P, T]."""
    return (values == values[rows]) | (values < 0) | (values[rows] < 0)

"""Which texts and vehicles an anchor is compared with: P2, sections 3.2.1 (random) and 3.2.4 (hard negative mining).

Tracks and texts are known by row numbers here: `owners` int64 [N] names the track row of each of N texts, in ascending
order. Every draw takes the caller's generator, so a seed fixes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK = 1024  # texts compared with all the others at a time; bounds the memory of mining


@dataclass(frozen=True, slots=True)
class Negatives:
    """texts: int64 [k] text rows for the anchor vehicle.  vehicles: int64 [k] track rows for the anchor text."""

    texts: np.ndarray
    vehicles: np.ndarray


def mine_texts(embeddings: np.ndarray, owners: np.ndarray, *, threshold: float = 0.9, top: int = 50) -> np.ndarray:
    """Return for each text the tracks it resembles most without being taken for a description of them.

    A text and a track are as alike as the cosine of the text and the nearest of the track's texts. Likeness above
    `threshold` becomes 0: such a text may well describe the track too. The text's own track is never among the result.

    embeddings: float32 [N, D], unit rows.  owners: int64 [N].
    Returns int64 [N, min(top, tracks - 1)] track rows, most alike first, equal ones by row.
    """
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    count = min(top, len(starts) - 1)
    mined = np.empty((len(owners), count), np.int64)
    for first in range(0, len(owners), _BLOCK):
        rows = slice(first, first + _BLOCK)
        likeness = np.maximum.reduceat(embeddings[rows] @ embeddings.T, starts, axis=1)
        likeness[likeness > threshold] = 0
        np.put_along_axis(likeness, owners[rows, None], -np.inf, axis=1)
        mined[rows] = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
    return mined


def within_batch(owners: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return for each of M anchors the places in the batch of its candidates: int64 [M, M], its own first.

    An anchor of the same track would be no negative; another one of the batch stands twice instead, if there is one.
    owners: int64 [M], the anchors' tracks.
    """
    count = len(owners)
    places = (np.arange(count)[:, None] + np.arange(count)) % count
    for row, column in np.argwhere(owners[places[:, 1:]] == owners[:, None]).tolist():
        foreign = np.flatnonzero(owners != owners[row])
        if len(foreign):
            places[row, column + 1] = generator.choice(foreign)
    return places


class NegativeSampler:
    """Draws k negative texts and k negative vehicles for an anchor text.

    By default the texts come from k other tracks at random and the vehicles are those tracks. `mined` (hard text
    mining) restricts the tracks the texts come from; `hard_vehicles` takes the vehicles from other tracks of the
    anchor's camera instead, filled up at random where the camera has fewer than k. With fewer than k other tracks in
    all, k is their number.
    """

    def __init__(
        self,
        owners: np.ndarray,
        cameras: Sequence[str],
        *,
        count: int = 5,
        hard_vehicles: bool = False,
        mined: np.ndarray | None = None,
    ) -> None:
        """owners: int64 [N].  cameras: the camera of each track row.  mined: int64 [N, m] of `mine_texts`, or None.

        Raises InputError where there is no other track to draw from.
        """
        tracks = len(cameras)
        if tracks < 2:
            place = "the training tracks"
            raise InputError(
                place, f"are {tracks} in number", "negatives need at least two: add tracks, or hold out another scene"
            )
        self.count = min(count, tracks - 1)
        self._owners = owners
        self._bounds = np.searchsorted(owners, np.arange(tracks + 1))
        self._all = np.arange(tracks)
        self._mined = mined
        self._companions = _by_camera(cameras) if hard_vehicles else None

    def draw(self, anchor: int, generator: np.random.Generator) -> Negatives:
        """Return the negatives of one text row."""
        own = self._owners[anchor]
        sources = self._pick(self._all if self._mined is None else self._mined[anchor], own, generator)
        texts = generator.integers(self._bounds[sources], self._bounds[sources + 1])
        vehicles = sources if self._companions is None else self._pick(self._companions[own], own, generator)
        return Negatives(texts, vehicles)

    def _pick(self, preferred: np.ndarray, own: int, generator: np.random.Generator) -> np.ndarray:
        """Return k distinct tracks other than `own`, from the preferred ones as far as they go."""
        preferred = preferred[preferred != own]
        picked = generator.choice(preferred, min(self.count, len(preferred)), replace=False)
        if len(picked) < self.count:
            others = np.setdiff1d(self._all, np.append(preferred, own))
            picked = np.append(picked, generator.choice(others, self.count - len(picked), replace=False))
        return picked


def _by_camera(cameras: Sequence[str]) -> list[np.ndarray]:
    """Return for each track row the rows of its camera."""
    names, camera = np.unique(np.asarray(cameras), return_inverse=True)
    rows = [np.flatnonzero(camera == number) for number in range(len(names))]
    return [rows[number] for number in camera]

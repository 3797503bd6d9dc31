"""Which of a track's frames show it, and whether its boxes lie inside them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import geometry
from .errors import FrameError, InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from .cityflow import Track
    from .frames import FrameStore

ROUNDING = 1e-6  # pixels
RELEASED_FRAMES = 64  # the first so many are what the authors' code of SBNet (P1) scores a track by
NAMED = 5  # tracks an error names one by one


@dataclass(frozen=True, slots=True, order=True)
class Shot:
    """One frame that shows one track: the track's row among the tracks, and the frame's position in it."""

    row: int
    position: int


def check_rule(rule: str, *, place: str = "--frames-per-track") -> str:
    """Return `rule` if it is `last`, `largest`, `released`, `all` or a number above 0. Raises InputError."""
    if is_rule(rule):
        return rule
    raise InputError(place, f"{rule!r} is no rule", "give last, largest, released, all or a number of frames")


def is_rule(rule: object) -> bool:
    """Tell whether `rule` is text that says which frames show a track."""
    return isinstance(rule, str) and bool(re.fullmatch("last|largest|released|all|[1-9][0-9]{0,8}", rule))


class ShotPlan:
    """Which frames show each track, among those that are there.

    Frames that are missing or past their video's end are counted in the store's notices. One that turns out to be
    unreadable is dropped, and its tracks are shown as if it had been missing from the start.
    Raises FrameError when tracks have no frame left, naming them.
    """

    def __init__(self, tracks: Sequence[Track], store: FrameStore, rule: str) -> None:
        self._tracks, self._store, self._rule = tracks, store, rule
        self._unreadable: set[str] = set()
        self._there = [self._present(track) for track in tracks]
        self._chosen: list[list[int]] = [[] for _ in tracks]
        self._choose(range(len(tracks)))

    @property
    def shots(self) -> list[Shot]:
        """The shots as they stand, in order of track and time."""
        return [Shot(row, position) for row, chosen in enumerate(self._chosen) for position in chosen]

    def drop(self, references: Collection[str]) -> None:
        """Take frames that cannot be read out of every track, and choose again where they were."""
        gone = set(references)
        self._unreadable |= gone
        rows = [row for row, track in enumerate(self._tracks) if not gone.isdisjoint(track.frames)]
        for row in rows:
            self._there[row] = self._present(self._tracks[row])
        self._choose(rows)

    def _present(self, track: Track) -> list[int]:
        there = []
        for position, reference in enumerate(track.frames):
            if reference in self._unreadable:
                continue
            if self._store.has(reference):
                there.append(position)
            else:
                self._store.note_absent(reference)
        return there

    def _choose(self, rows: Iterable[int]) -> None:
        if not all(self._there):
            _refuse([track for track, there in zip(self._tracks, self._there, strict=True) if not there], self._store)
        for row in rows:
            self._chosen[row] = _choose(self._tracks[row], self._there[row], self._store, self._rule)


def check_boxes(tracks: Sequence[Track], store: FrameStore) -> None:
    """Count the boxes that reach beyond their image. Raises InputError for one that is wholly outside.

    A track's first frame stands in for the size of all of them; only a box that would fail has its own image opened.
    """
    for track in tracks:
        size = image_size(track, store)
        if size is None:
            continue
        for position in np.flatnonzero(_beyond(track.boxes, size)):
            own = store.size(track.frames[position])
            box = track.boxes[position : position + 1]
            if own is None or not _beyond(box, own)[0]:
                continue
            if (geometry.clip_boxes(box, *own)[0, 2:] <= 0).any():
                raise outside(track, int(position), *own)
            # Without the file: an index keeps its notices, and is the same wherever its tracks were read from.
            place = f"track {track.id}: boxes[{position}] in {track.frames[position]}"
            store.notices.add("box clipped to its image", place)


def image_size(track: Track, store: FrameStore) -> tuple[int, int] | None:
    """Return width and height of a track's images: of the first that tells them, None where none does."""
    return next((found for frame in track.frames if (found := store.size(frame))), None)


def outside(track: Track, position: int, width: int, height: int) -> InputError:
    """Return the error for a track's box that lies wholly outside its image."""
    place = f"{track.place}: boxes[{position}] in {track.frames[position]}"
    fact = f"{track.boxes[position].tolist()} lies wholly outside the image of {width}x{height}"
    return InputError(place, fact, "correct the box or remove it with its frame")


def _beyond(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    past = boxes[:, :2] + boxes[:, 2:] - np.array(size, np.float64)
    # x + w of a box scaled up to pixels may pass the edge by a rounding, which cuts nothing off.
    beyond: NDArray[np.bool_] = np.maximum(past, -boxes[:, :2]).max(axis=1) > ROUNDING
    return beyond


def _choose(track: Track, there: list[int], store: FrameStore, rule: str) -> list[int]:
    if rule == "last":
        return there[-1:]
    if rule == "all":
        return there
    if rule == "released":
        return there[:RELEASED_FRAMES]
    if rule == "largest":
        return [_largest(track, there, store)]
    return _nearest(there, geometry.middles(len(track.frames), int(rule)).tolist())


def _nearest(there: list[int], wanted: list[int]) -> list[int]:
    """Return for each wanted position the nearest one left.

    A frame that was never tried cannot change the choice, so a track is shown alike alone and beside others.
    """
    left = np.array(there)
    for place in wanted[: len(there)]:
        left = np.delete(left, np.abs(left - place).argmin())
    return sorted(set(there) - set(left.tolist()))


def _largest(track: Track, there: list[int], store: FrameStore) -> int:
    """Return the position of the largest box that does not touch its image's edge, or of the largest when all do."""
    areas = track.boxes[there, 2] * track.boxes[there, 3]
    for place in np.argsort(-areas, kind="stable"):
        position = there[int(place)]
        size = store.size(track.frames[position])
        if size is not None and not geometry.touches_edge(track.boxes[position : position + 1], *size)[0]:
            return position
    inside = []
    for position in there:
        size = store.size(track.frames[position])
        clipped = geometry.clip_boxes(track.boxes[position : position + 1], *size) if size else np.zeros((1, 4))
        inside.append(clipped[0, 2] * clipped[0, 3])
    return there[int(np.argmax(inside))]


def _refuse(empty: Sequence[Track], store: FrameStore) -> None:
    references = {reference for track in empty for reference in track.frames}
    kinds = Counter(store.absence(reference) or "frame truncated or unreadable" for reference in references)
    counts = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
    names = ", ".join(f"{track.id} ({track.frames[0]} …)" for track in empty[:NAMED])
    more = f" and {len(empty) - NAMED} more" if len(empty) > NAMED else ""
    fact = f"no frame can be read of track {names}{more} ({counts})"
    wanted = "videos as long as their tracks" if "video ends early" in kinds else "the folder that holds the frames"
    raise FrameError(store.root, fact, f"give {wanted}, or leave these tracks out")

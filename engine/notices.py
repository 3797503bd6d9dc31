"""Warnings that are counted and printed once at the end, instead of scrolling past one by one."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from textwrap import shorten
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal[
    "box clipped to its image",
    "frame missing",
    "frame truncated or unreadable",
    "video ends early",
    "text cut",
    "evaluation track overlaps a training track",
]


class Notices:
    """Counts each kind of warning and keeps the first place it was seen. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[Kind, dict[str, None]] = {kind: {} for kind in get_args(Kind)}
        self._recordings: list[Notices] = []

    def add(self, kind: Kind, place: str) -> None:
        """Count `place` (a frame reference, a track and row, a sentence) under `kind`; the same place counts once."""
        with self._lock:
            self._places[kind].setdefault(place)
            recordings = list(self._recordings)
        for recording in recordings:
            recording.add(kind, place)

    @contextmanager
    def recording(self) -> Iterator[Notices]:
        """Yield the notices of what is counted meanwhile, whether or not it had been counted before."""
        seen = Notices()
        with self._lock:
            self._recordings.append(seen)
        try:
            yield seen
        finally:
            with self._lock:
                self._recordings.remove(seen)

    @property
    def records(self) -> tuple[tuple[Kind, str], ...]:
        """Everything that was counted, as (kind, place)."""
        with self._lock:
            return tuple((kind, place) for kind, places in self._places.items() for place in places)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many places each kind was seen at, for the kinds that were seen."""
        with self._lock:
            return {kind: len(places) for kind, places in self._places.items() if places}

    def lines(self) -> list[str]:
        """Return one readable line a kind, naming the place that sorts first."""
        with self._lock:
            return [
                f"{kind}: {len(places)}, first {shorten(min(places), 100, placeholder='…')}"
                for kind, places in self._places.items()
                if places
            ]

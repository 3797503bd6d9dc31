"""Encodes what the frames of tracks show, however many of them turn out to be unreadable."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..sampling import Shot, ShotPlan

K = TypeVar("K")
V = TypeVar("V")


def encode_shots(
    plan: ShotPlan,
    key: Callable[[Shot], K],
    encode: Callable[[dict[K, Shot], set[str]], Iterator[tuple[K, V]]],
) -> dict[K, V]:
    """Return what is encoded of each of the plan's shots, by its key; shots of one key are encoded once.

    encode: yields the keys and values of the shots it is given, and adds the frames it cannot read to the set; their
    tracks are then shown by other frames. Raises FrameError for a track with no readable frame.
    """
    values: dict[K, V] = {}
    while todo := {name: shot for shot in plan.shots if (name := key(shot)) not in values}:
        unreadable: set[str] = set()
        values |= encode(todo, unreadable)
        if unreadable:
            plan.drop(unreadable)
    return values


def in_flight(block: int, threads: int, batch_size: int | None) -> int:
    """Return how many blocks are handed out ahead: two a thread, or as many as hold `batch_size` rows."""
    return 2 * threads if batch_size is None else max(1, -(-batch_size // block))

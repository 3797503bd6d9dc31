"""What the data sets and tasks of every system share: sentences, batches ahead of their use, a run's identity."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nlvr.engine.errors import FrameError, InputError
from nlvr.engine.metrics import better_and_tied, expected_metrics
from nlvr.engine.sampling import image_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from concurrent.futures import Future

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore

    T = TypeVar("T")

_WAITING = 2  # batches prepared while the model works on one


def sentences(tracks: Sequence[Track]) -> list[str]:
    """Return the sentences of all the tracks in order. Raises InputError for a track that has none."""
    for track in tracks:
        if not track.nl:
            place = f"track {track.id}"
            raise InputError(place, "nl is empty or missing", "training needs a description of every track")
    return [sentence for track in tracks for sentence in track.nl]


def batch_ends(count: int, batch: int) -> list[int]:
    """Return where each batch of `count` samples ends. One that would be left over alone joins the batch before it.

    Statistics over a batch of one are none.
    """
    ends = [*range(batch, count, batch), count]
    return [*ends[:-2], count] if batch > 1 and len(ends) > 1 and ends[-1] - ends[-2] == 1 else ends


def ahead(load: Callable[[int], T], steps: Iterable[int]) -> Generator[T, None, None]:
    """Yield load(step) of each step in order, prepared on another thread ahead of its use."""
    pool = ThreadPoolExecutor(1, "batches")
    try:
        waiting: deque[Future[T]] = deque()
        for step in steps:
            waiting.append(pool.submit(load, step))
            if len(waiting) > _WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def nothing_readable(track: Track) -> FrameError:
    """Return the error for a track of which no frame can be read."""
    place = f"track {track.id}"
    fact = f"none of its {len(track.frames)} frames can be read; the first is {track.frames[0]}"
    return FrameError(place, fact, "correct --frames, or leave the track out")


def image_sizes(tracks: Sequence[Track], store: FrameStore) -> list[tuple[int, int]]:
    """Return width and height of each track's images. Raises FrameError for a track none of whose images tells them."""
    sizes = []
    for track in tracks:
        size = image_size(track, store)
        if size is None:
            raise nothing_readable(track)
        sizes.append(size)
    return sizes


def held_out_metrics(scores: np.ndarray) -> dict[str, float]:
    """Return "mrr", "recall_5", "recall_10" where query i describes track i, ties by their expected values.

    scores: float [T, T], of each query and track.
    """
    metrics = expected_metrics(*better_and_tied(scores, np.arange(len(scores))))
    return {"mrr": metrics.mrr, "recall_5": metrics.recall_5, "recall_10": metrics.recall_10}


def identity(config: Any, tracks: Iterable[Track]) -> dict[str, str]:  # noqa: ANN401
    """Return what a resumed run must share with the one it goes on with: settings but for the epochs, and tracks.

    config: of any system, with a `schedule` and `to_toml`.
    """
    settings = replace(config, schedule=replace(config.schedule, epochs=1))  # a run may be resumed to go on for longer
    digest = hashlib.sha256()
    for track in tracks:
        digest.update(repr((track.id, track.frames, track.boxes.tolist(), track.nl, track.nl_other_views)).encode())
    return {"settings": settings.to_toml(), "tracks": digest.hexdigest()}

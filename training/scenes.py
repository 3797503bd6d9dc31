"""Where a track was filmed, and the split that keeps what a model is measured on out of what it learns from.

CityFlow-NL names frames `train/S01/c001/img1/000001.jpg`. In general: a track's camera is the folder of its frames,
less a last `img1`; its scene is the name of the folder above the camera, or the camera's own name where there is none
above or that one only names a split (train, validation, test). So `carpark/img1/000001.jpg` is camera and scene
`carpark`.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nlvr.engine.cityflow import Track

_SPLITS = ("train", "validation", "test")


def camera(track: Track) -> str:
    """Return the camera's folder below the frames' root, e.g. `train/S01/c001`.

    Raises InputError for a track whose frames lie in several folders: it could end up on both sides of a split.
    """
    folders = sorted({frame.rpartition("/")[0] for frame in track.frames})
    if len(folders) > 1:
        place = f"track {track.id}"
        raise InputError(place, f"its frames lie in {', '.join(folders)}", "a track is of one camera: divide it")
    return f"/{folders[0]}".removesuffix("/img1").removeprefix("/") or "."


def scene(track: Track) -> str:
    """Return the scene's name, e.g. `S01`. Raises InputError as `camera` does."""
    *above, name = PurePosixPath(camera(track)).parts or (".",)
    return above[-1] if above and above[-1] not in _SPLITS else name


def split_by_scene(tracks: Sequence[Track], held_out: str) -> tuple[list[Track], list[Track]]:
    """Return the tracks to train on and those of the scene `held_out`; an empty name holds nothing out.

    Raises InputError naming the scenes there are when `held_out` is not one of them, or the only one.
    """
    scenes = [scene(track) for track in tracks]
    place = f"schedule.validation_scene {held_out}"
    if held_out and held_out not in scenes:
        present = ", ".join(sorted(set(scenes)))
        raise InputError(place, "no track is of that scene", f"choose one of {present}, or none (an empty text)")
    if set(scenes) == {held_out}:
        raise InputError(
            place, "every track is of that scene", "add tracks of others, or hold out none (an empty text)"
        )
    training = [track for track, name in zip(tracks, scenes, strict=True) if name != held_out]
    validation = [track for track, name in zip(tracks, scenes, strict=True) if name == held_out]
    return training, validation


def overlapping(evaluation: Iterable[Track], training: Iterable[Track], *, threshold: float = 0.6) -> list[str]:
    """Return the ids of evaluation tracks that show a training track's vehicle: the same frame, IoU above `threshold`.

    The splits of different years of CityFlow-NL overlap in this way, so a file that was not part of the split needs it.
    """
    known = defaultdict(list)
    for track in training:
        for frame, box in zip(track.frames, track.boxes, strict=True):
            known[frame].append(box)
    return [
        track.id
        for track in evaluation
        if any(
            (iou(box, np.stack(known[frame])) > threshold).any()
            for frame, box in zip(track.frames, track.boxes, strict=True)
            if frame in known
        )
    ]


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return intersection over union. box: float64 [4], x, y, w, h.  others: float64 [N, 4].  Returns float64 [N]."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return shared / (box[2:].prod() + others[:, 2:].prod(axis=1) - shared)

"""What a camera's detector and tracker make of the traffic: boxes with jitter, gaps and losses, and their stories.

A vehicle is detected while enough of it is inside the image and not hidden by nearer ones. Hiding is counted on a
coarse grid: nearer boxes are painted over farther ones, and what is left of a box is what is seen of its vehicle.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .story import tell
from .world import TICKS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .world import Camera, Motion, Recording, Story

SEEN, INSIDE = 0.35, 0.4  # least shares of a vehicle's box that are unhidden, and inside the image, to be detected
SMALLEST = 0.02  # least height of a box as a share of the image's
JITTER = 0.012  # standard deviation of a box's edges, as a share of its sides
MISSED = 0.002  # chance that a detector misses a vehicle in a frame
LOST = 2.0  # seconds unseen after which a tracker begins another track
SHORTEST = 4  # frames of a track that is kept
GRID = (96, 54)
NEAR = 1.0  # metres before a camera's lens that are not drawn


@dataclass(frozen=True, slots=True, eq=False)
class SeenTrack:
    """One vehicle as one camera saw it.

    ticks: int64 [T], rising.  boxes: float64 [T, 4], x, y, w, h in pixels, inside the image.
    """

    motion: Motion
    ticks: np.ndarray
    boxes: np.ndarray
    story: Story


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A motion as a camera projects it: ticks int64 [T], whole boxes float64 [T, 4] as x0, y0, x1, y1, depths [T]."""

    ticks: np.ndarray
    boxes: np.ndarray
    depths: np.ndarray


def follow(recording: Recording, camera: Camera, outlines: Mapping[int, np.ndarray], *, seed: int) -> list[SeenTrack]:
    """Return the tracks of a camera, in the order in which they begin.

    outlines: by a vehicle's number, float [K, 3] points of its frame whose hull holds it.
    seed: of the detector's errors.
    """
    by_tick: dict[int, list[tuple[float, int, np.ndarray]]] = defaultdict(list)
    for number, motion in enumerate(recording.motions):
        seen = _project(motion, np.asarray(outlines[motion.vehicle.number], np.float64), camera, recording.length)
        for tick, box, depth in zip(seen.ticks.tolist(), seen.boxes, seen.depths.tolist(), strict=True):
            by_tick[tick].append((depth, number, box))
    found: dict[int, list[tuple[int, np.ndarray]]] = defaultdict(list)
    for tick in sorted(by_tick):
        nearest_first = sorted(by_tick[tick], key=lambda one: one[:2])
        for number, box in _detections(nearest_first, camera):
            found[number].append((tick, box))
    generator = np.random.default_rng((seed, 3))
    tracks = []
    for number in sorted(found):
        motion = recording.motions[number]
        for piece in _pieces(found[number], generator):
            ticks = np.array([tick for tick, _ in piece])
            boxes = _jittered(np.stack([box for _, box in piece]), camera, generator)
            tracks.append(SeenTrack(motion, ticks, boxes, tell(recording, camera, motion, ticks)))
    return sorted(tracks, key=lambda track: (track.ticks[0], track.motion.vehicle.number))


def _project(motion: Motion, outline: np.ndarray, camera: Camera, length: int) -> _Seen:
    """Project a vehicle at all the ticks at which some of it is in the image and none of it in the lens."""
    poses = motion.poses[max(0, -motion.start) : max(0, length - motion.start)]
    ticks = max(0, motion.start) + np.arange(len(poses))
    cosine, sine = np.cos(poses[:, 2:3]), np.sin(poses[:, 2:3])
    x = outline[:, 0] * cosine - outline[:, 1] * sine + poses[:, :1]
    y = outline[:, 0] * sine + outline[:, 1] * cosine + poses[:, 1:2]
    seen = camera.project(np.stack([x, y, np.broadcast_to(outline[:, 2], x.shape)], axis=2))
    boxes = np.concatenate([seen[..., :2].min(axis=1), seen[..., :2].max(axis=1)], axis=1)
    inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < (camera.width, camera.height)).all(axis=1)
    there = inside & (seen[..., 2].min(axis=1) >= NEAR)
    return _Seen(ticks[there], boxes[there], seen[there, :, 2].mean(axis=1))


def _detections(
    nearest_first: Sequence[tuple[float, int, np.ndarray]], camera: Camera
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the vehicles that a perfect detector finds, each with its box clipped to the image, x0, y0, x1, y1."""
    limit = np.array([camera.width, camera.height], np.float64)
    taken = np.zeros(GRID[::-1], bool)
    wholes = np.stack([box for _, _, box in nearest_first])
    boxes = np.clip(wholes, 0, np.tile(limit, 2))
    cells = np.floor(boxes[:, :2] / limit * GRID).astype(int)
    ends = np.maximum(np.ceil(boxes[:, 2:] / limit * GRID).astype(int), cells + 1)
    sides = boxes[:, 2:] - boxes[:, :2]
    shown = sides.prod(axis=1) >= INSIDE * (wholes[:, 2:] - wholes[:, :2]).prod(axis=1)
    for row, (_, number, _) in enumerate(nearest_first):
        (x0, y0), (x1, y1) = cells[row], ends[row]
        own = taken[y0:y1, x0:x1]
        unhidden = 1 - own.mean()
        own[:] = True
        if unhidden >= SEEN and shown[row] and sides[row, 1] >= SMALLEST * limit[1]:
            yield number, boxes[row]


def _pieces(
    sightings: Sequence[tuple[int, np.ndarray]], generator: np.random.Generator
) -> Iterator[list[tuple[int, np.ndarray]]]:
    """Drop what the detector misses and cut where the tracker loses the vehicle."""
    kept = [one for one, draw in zip(sightings, generator.random(len(sightings)), strict=True) if draw >= MISSED]
    piece: list[tuple[int, np.ndarray]] = []
    for one in kept:
        if piece and one[0] - piece[-1][0] > LOST * TICKS_PER_SECOND:
            if len(piece) >= SHORTEST:
                yield piece
            piece = []
        piece.append(one)
    if len(piece) >= SHORTEST:
        yield piece


def _jittered(boxes: np.ndarray, camera: Camera, generator: np.random.Generator) -> np.ndarray:
    """Return boxes as a detector gives them: float64 [T, 4], x0, y0, x1, y1 → x, y, w, h, whole pixels."""
    sides = boxes[:, 2:] - boxes[:, :2]
    # A detector's error is not new in every frame: it wanders.
    steps = generator.standard_normal(boxes.shape)
    wander = np.empty_like(steps)
    wander[0] = steps[0]
    for row in range(1, len(steps)):
        wander[row] = 0.8 * wander[row - 1] + 0.6 * steps[row]
    shifted = boxes + JITTER * wander * np.tile(sides, 2)
    limit = np.array([camera.width, camera.height], np.float64)
    low = np.clip(np.round(shifted[:, :2]), 0, limit - 2)
    high = np.clip(np.round(shifted[:, 2:]), low + 2, limit)
    return np.concatenate([low, high - low], axis=1)

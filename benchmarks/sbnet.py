"""What the benchmarks of SBNet share: boxes of real sizes, galleries and queries that have the cost of real ones."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from nlvr.engine import Query, Track
from nlvr.engine.language import COLOURS, TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The cells that 23,324 boxes of 132 tracks of the 2022/2023 CityFlow-NL task cover, with how many boxes cover so many.
# A camera's image is taken to be the CityFlow resolution that its boxes reach the edge of, else 1920 x 1080.
BOXES = Path(__file__).parent / "boxes.csv"
CELLS, SIDE = 24, 384  # of an image: cells, pixels
VERBS = ("turns left", "turns right", "goes straight", "stops at the light", "follows a bus", "waits behind a van")
VERBS += ("keeps straight through the intersection", "runs down the street", "makes a right turn", "changes lane")


def real_boxes(count: int) -> NDArray[np.int64]:
    """Return `count` boxes spread evenly over the real ones in order of area: int64 [count, 2], width and height."""
    with BOXES.open(encoding="utf-8") as file:
        rows = [tuple(map(int, row.values())) for row in csv.DictReader(file)]
    rows.sort(key=lambda row: (row[0] * row[1], row))
    ends = np.cumsum([number for _, _, number in rows])
    places = (np.arange(count) + 0.5) * ends[-1] / count
    return np.array([rows[at][:2] for at in np.searchsorted(ends, places, "right")], np.int64)


def write_gallery(root: Path, tracks: int, *, frames: int, tracks_per_frame: int) -> list[Track]:
    """Write random images below a folder. Returns tracks of `frames` frames each, with boxes of real sizes.

    tracks_per_frame: so many tracks are shown by the same images.
    """
    generator = np.random.default_rng(0)
    boxes = generator.permutation(real_boxes(tracks * frames)).reshape(tracks, frames, 2)
    places = [
        [f"{group}/img1/{number + 1:06d}.jpg" for number in range(frames)]
        for group in range(-(-tracks // tracks_per_frame))
    ]
    for path in (root / name for group in places for name in group):
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = generator.integers(0, 256, (CELLS, CELLS, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
    cell = SIDE // CELLS
    gallery = []
    for number, sizes in enumerate(boxes):
        corners = generator.integers(0, CELLS - sizes + 1)
        track_boxes = np.concatenate([corners, sizes], axis=1) * float(cell)
        gallery.append(Track(f"{number:06d}", tuple(places[number // tracks_per_frame]), track_boxes))
    return gallery


def write_queries(count: int, *, sentences: int, distinct: int) -> list[Query]:
    """Return queries of `sentences` sentences each, of which so many are distinct."""
    generator = np.random.default_rng(1)
    words = list(itertools.product(COLOURS, TYPES, VERBS))
    texts = [
        f"A {colour} {kind} {verb}." for colour, kind, verb in (words[at] for at in generator.permutation(len(words)))
    ]
    texts = texts[:distinct]
    chosen = [texts[at % distinct] for at in range(count * sentences)]
    return [Query(f"{at:06d}", tuple(chosen[at * sentences : (at + 1) * sentences])) for at in range(count)]

"""A small city of coloured rectangles that drive across their cameras, as CityFlow-NL files and JPEG frames."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "white": (240, 240, 240), "yellow": (220, 200, 30)}
COURSES = {"left": (-1, 0), "right": (1, 0), "down": (0, 1)}
WIDTH, HEIGHT, FRAMES = 160, 96, 4


def write_city(root: Path) -> Path:
    """Write train/S01/c001 and c002, train/S02/c003; four tracks each, one a colour; return the tracks file."""
    tracks = {}
    for (camera, course), (colour, rgb) in itertools.product(
        zip(("train/S01/c001", "train/S01/c002", "train/S02/c003"), COURSES, strict=True), COLOURS.items()
    ):
        folder = root / camera / "img1"
        folder.mkdir(parents=True, exist_ok=True)
        frames, boxes = [], []
        for number in range(FRAMES):
            x, y = (64 + 16 * COURSES[course][0] * (number - 1), 36 + 10 * COURSES[course][1] * (number - 1))
            image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            image[y : y + 18, x : x + 28] = rgb
            name = f"{len(tracks) * FRAMES + number + 1:06d}.jpg"
            cv2.imwrite(str(folder / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            frames.append(f"./{camera}/img1/{name}")
            boxes.append([x, y, 28, 18])
        tracks[f"{colour}-{course}"] = {
            "frames": frames,
            "boxes": boxes,
            "nl": [
                f"A {colour} car goes {course}.",
                f"{colour} sedan driving {course}",
                f"The {colour} car runs {course}.",
            ],
        }
    path = root / "train-tracks.json"
    path.write_text(json.dumps(tracks))
    return path


@pytest.fixture(scope="session")
def city(tmp_path_factory):
    """The city's folder, shared; it must not be changed."""
    return write_city(tmp_path_factory.mktemp("city")).parent


@pytest.fixture
def own_city(tmp_path):
    """A city that a test may damage."""
    return write_city(tmp_path / "city").parent

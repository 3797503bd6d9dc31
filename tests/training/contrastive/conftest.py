"""A small city of coloured rectangles that drive across their cameras, as CityFlow-NL files and JPEG frames."""

from __future__ import annotations

import itertools
import json

import pytest

COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "white": (240, 240, 240), "yellow": (220, 200, 30)}
COURSES = {"left": (-1, 0), "right": (1, 0), "down": (0, 1)}
WIDTH, HEIGHT, FRAMES = 160, 96, 4


def write_city(root, paint):
    """Write train/S01/c001 and c002, train/S02/c003; four tracks each, one a colour; return the tracks file."""
    tracks = {}
    for (camera, course), (colour, rgb) in itertools.product(
        zip(("train/S01/c001", "train/S01/c002", "train/S02/c003"), COURSES, strict=True), COLOURS.items()
    ):
        frames, boxes = [], []
        for number in range(FRAMES):
            x, y = (64 + 16 * COURSES[course][0] * (number - 1), 36 + 10 * COURSES[course][1] * (number - 1))
            frame = f"{camera}/img1/{len(tracks) * FRAMES + number + 1:06d}.jpg"
            box = [x, y, 28, 18]
            paint(root / frame, (WIDTH, HEIGHT), [(box, rgb)])
            frames.append(f"./{frame}")
            boxes.append(box)
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
def city(tmp_path_factory, paint):
    """The city's folder, shared; it must not be changed."""
    return write_city(tmp_path_factory.mktemp("city"), paint).parent


@pytest.fixture
def own_city(tmp_path, paint):
    """A city that a test may damage."""
    return write_city(tmp_path / "city", paint).parent

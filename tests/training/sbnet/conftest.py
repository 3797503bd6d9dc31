"""A street that coloured buses and sedans come back to, on which an SBNet can be trained within a test."""

from __future__ import annotations

import itertools
import json
import random

import pytest

COLOURS = {
    "red": (200, 30, 30),
    "blue": (30, 60, 200),
    "white": (250, 250, 250),
    "yellow": (230, 210, 30),
    "green": (30, 160, 60),
    "black": (10, 10, 10),
    "orange": (250, 130, 20),
    "purple": (130, 30, 160),
    "brown": (110, 60, 10),
    "silver": (140, 220, 230),
}
SIZES = {"bus": (26, 22), "sedan": (15, 11)}
SIZE = (64, 64)
CORNERS = ((3, 4), (35, 4), (3, 36), (35, 36))
ROUNDS = 6


def write_street(root, paint):
    """Write one camera past which all twenty vehicles drive six times, four of them a frame, in ever other company.

    So a vehicle's frames have gaps, and every frame but the last has a next one. Returns the tracks file.
    """
    generator, number = random.Random(0), 0
    vehicles = list(itertools.product(COLOURS, SIZES))
    tracks = {
        f"{colour}-{kind}": {
            "frames": [],
            "boxes": [],
            "nl": [f"{colour} {kind}", f"{colour} {kind}.", f"{colour} {kind}!"],
        }
        for colour, kind in vehicles
    }
    for _ in range(ROUNDS):
        generator.shuffle(vehicles)
        for first in range(0, len(vehicles), len(CORNERS)):
            number += 1
            frame, rectangles = f"train/S01/c001/img1/{number:06d}.jpg", []
            for (colour, kind), corner in zip(vehicles[first : first + len(CORNERS)], CORNERS, strict=True):
                box = [*corner, *SIZES[kind]]
                rectangles.append((box, COLOURS[colour]))
                tracks[f"{colour}-{kind}"]["frames"].append(frame)
                tracks[f"{colour}-{kind}"]["boxes"].append(box)
            paint(root / frame, SIZE, rectangles)
    path = root / "train-tracks.json"
    path.write_text(json.dumps(tracks))
    return path


@pytest.fixture(scope="session")
def street(tmp_path_factory, paint):
    """The street's folder, shared; it must not be changed."""
    return write_street(tmp_path_factory.mktemp("street"), paint).parent


@pytest.fixture
def own_street(tmp_path, paint):
    """A street that a test may damage."""
    return write_street(tmp_path / "street", paint).parent

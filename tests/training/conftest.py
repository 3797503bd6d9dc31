"""Shared by the training tests."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def subnormal_numbers():
    """What a verb told this process's CPU ends with its test."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def one_thread():
    """One thread for PyTorch: small models gain nothing from more, and busy machines lose by them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def paint():
    """Write an image file of coloured rectangles on grey: (path, (width, height), [((x, y, w, h), (r, g, b)), …])."""

    def write(path, size, rectangles):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((size[1], size[0], 3), 90, np.uint8)
        for (x, y, width, height), rgb in rectangles:
            image[y : y + height, x : x + width] = rgb
        cv2.imwrite(str(path), image[:, :, ::-1])

    return write


@pytest.fixture
def data(tmp_path):
    """The options that name six tracks, each one frame of noise, in two scenes."""
    tracks, generator = {}, np.random.default_rng(0)
    for row, scene in enumerate(["S01"] * 4 + ["S02"] * 2):
        frame = f"train/{scene}/c001/img1/{row + 1:06d}.jpg"
        (tmp_path / frame).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / frame), generator.integers(0, 255, (40, 60, 3), np.uint8))
        tracks[f"track-{row}"] = {
            "frames": [frame],
            "boxes": [[5, 5, 20, 20]],
            "nl": [f"Car {row}.", f"Vehicle {row}."],
        }
    (tmp_path / "train-tracks.json").write_text(json.dumps(tracks))
    return ["--tracks", str(tmp_path / "train-tracks.json"), "--frames", str(tmp_path)]

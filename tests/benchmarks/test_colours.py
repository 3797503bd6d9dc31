"""What the colours' benchmark shows its network, and that it learns from it."""

from __future__ import annotations

import numpy as np
import pytest

from nlvr.benchmarks import colours
from nlvr.engine import load_tracks
from nlvr.engine.language import COLOURS


def test_a_crop_is_what_the_box_shows():
    frame = np.full((80, 120, 3), 100, np.uint8)
    frame[20:60, 30:90] = (180, 20, 90)
    crop = colours.crop(frame, np.array([30, 20, 60, 40.0]))
    assert crop.shape == (colours.SIDE, colours.SIDE, 3)
    assert (crop == (180, 20, 90)).all()


def test_every_track_of_the_sample_has_its_crops(sample):
    tracks = load_tracks(sample / "carpark" / "tracks.json")
    crops = colours.crops_of(tracks, sample)
    assert crops.keys() == {track.id for track in tracks}
    assert {views.shape for views in crops.values()} == {(colours.VIEWS, colours.SIDE, colours.SIDE, 3)}


def test_plain_colours_are_learned(monkeypatch):
    monkeypatch.setattr(colours, "SECONDS", 3.0)
    monkeypatch.setattr(colours, "BATCH", 16)
    paints = {"red": (200, 20, 20), "blue": (20, 30, 200), "white": (240, 240, 240), "black": (15, 15, 15)}
    shape = (2, colours.SIDE, colours.SIDE, 1)
    crops = {name: np.tile(np.uint8(rgb), shape) for name, rgb in paints.items()}
    network = colours.train(crops, {name: COLOURS.index(name) for name in paints}, seed=0)
    assert {name: COLOURS[colours.read(network, views)] for name, views in crops.items()} == {
        name: name for name in paints
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_a_changed_view_is_a_part_of_it(seed):
    view = np.full((colours.SIDE, colours.SIDE, 3), 128, np.uint8)
    assert colours.changed(view, np.random.default_rng(seed)).shape == (colours.SHOWN, colours.SHOWN, 3)

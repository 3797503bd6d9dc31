"""The table of quality on a made-up city: the sample's clip, with labels."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from nlvr.benchmarks import quality
from nlvr.engine import Ranking, load_tracks
from nlvr.engine.cityflow import Query
from nlvr.engine.frames import FrameStore
from nlvr.engine.geometry import pixel_box
from nlvr.training.city.oracle import Labels, write_labels


@pytest.fixture
def city(tmp_path, sample):
    for name in ("tracks", "queries", "truth"):
        shutil.copy(sample / "carpark" / f"{name}.json", tmp_path / f"test-{name}.json")
    (tmp_path / "carpark").symlink_to(sample / "carpark")
    tracks = load_tracks(tmp_path / "test-tracks.json")
    write_labels(tmp_path / "labels.json", {track.id: Labels("white", "sedan", "straight") for track in tracks})
    return tmp_path


def table(*arguments):
    """Run the script. Returns its rows by their names."""
    app = quality.typer.Typer()
    app.command()(quality.main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    rows = [line.split(" | ") for line in result.output.splitlines() if line.startswith("| ")]
    return {row[0].strip("| "): row for row in rows}


def test_each_model_and_their_fusion_have_a_row(city, tiny, sbnet):
    by_name = table(city, "--model", tiny, "--model", sbnet, "--frames", "1")
    assert {tiny.name, sbnet.name, "fused", "perfect: chance", f"mean mask of {sbnet.name}"} <= by_name.keys()
    assert float(by_name["perfect: chance"][4]) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, abs=1e-3)
    assert all(0.25 <= float(by_name[name][4]) <= 1 for name in (tiny.name, sbnet.name, "fused"))


def test_tracks_are_shown_by_their_crops_alone(city, tiny):
    tested = quality.HeldOut.load(city, None)
    (city / "crops").mkdir()
    shown = quality.cut_out(tested, city / "crops")
    for track, crop in zip(tested.tracks, shown.tracks, strict=True):
        assert crop.id == track.id
        cut = cv2.imread(str(city / "crops" / crop.frames[0]))
        assert crop.boxes.tolist() == [[0, 0, cut.shape[1], cut.shape[0]]]
        with FrameStore(city) as store:
            spots = [pixel_box(box, *store.size(track.frames[0])) for box in track.boxes]
            fits = [n for n, (x0, y0, x1, y1) in enumerate(spots) if (y1 - y0, x1 - x0) == cut.shape[:2]]
            cuts = [store.read(track.frames[n])[slice(*spots[n][1::2]), slice(*spots[n][::2]), ::-1] for n in fits]
        assert any(np.array_equal(cut, one) for one in cuts)
    with pytest.MonkeyPatch.context() as patch:
        asked = []
        patch.setattr(quality, "measure", lambda _, tested, store, rule: asked.append((tested, store.root)))
        table(city, "--model", tiny, "--bare")
    ((tested, root),) = asked
    assert root == tested.root != city
    assert all(len(track.frames) == 1 for track in tested.tracks)


def test_a_target_is_compared_with_tracks_of_its_colour_and_type_where_a_motion_is_said():
    kinds = {"a": "sedan", "b": "sedan", "c": "bus", "d": "bus"}
    truth = {"told": "b", "silent": "b", "first": "c"}
    words = {"told": "A red sedan turns left.", "silent": "A red sedan.", "first": "A red bus stops."}
    lists = {"told": "abcd", "silent": "abcd", "first": "acdb"}
    held_out = quality.HeldOut(
        root=None,
        tracks=(),
        queries=[Query(name, (text,)) for name, text in words.items()],
        truth=truth,
        labels={track: Labels("red", kind, None) for track, kind in kinds.items()},
    )
    rankings = [
        Ranking(name, tuple(tracks), np.arange(4), np.arange(4.0)[::-1].copy(), {}) for name, tracks in lists.items()
    ]
    assert quality.within(rankings, held_out) == (0.5, 0.5)

"""A small city, from the command line to a ranking."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from nlvr.engine import load_queries, load_tracks, load_truth

pytest.importorskip("panda3d")
SMALL = ("--scenes", "2", "--tracks", "6", "--seed", "5", "--resolution", "320x240", "--max-frames-per-track", "3")


@pytest.fixture
def city(cli):
    def build(output, *options):
        return cli("city", "--output", output, *SMALL, "--quiet", *options)

    return build


def test_a_city_is_what_its_files_say_and_the_same_again(city, cli, tmp_path, capsys, tiny):
    assert city(tmp_path / "a") == 0
    assert "6 tracks" not in capsys.readouterr().err
    assert city(tmp_path / "b", "--workers", "1") == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*") if path.is_file())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name

    root = tmp_path / "a"
    training, testing = load_tracks(root / "train-tracks.json"), load_tracks(root / "test-tracks.json")
    assert len(training) == len(testing) == 3
    assert {frame.split("/")[1] for track in training for frame in track.frames} == {"S01"}
    assert {frame.split("/")[:2][1] for track in testing for frame in track.frames} == {"S02"}
    assert all(len(track.nl) == 3 for track in training)
    assert not any(track.nl for track in testing)
    queries = load_queries(root / "test-queries.json")
    truth = load_truth(
        root / "test-truth.json",
        query_ids={query.id for query in queries},
        track_ids={track.id for track in testing},
    )
    assert set(truth.values()) == {track.id for track in testing}
    for track in (*training, *testing):
        assert len(track.frames) <= 3
        for frame, (x, y, w, h) in zip(track.frames, track.boxes, strict=True):
            image = cv2.imread(str(root / frame))
            assert image.shape == (240, 320, 3)
            assert x + w <= 320
            assert y + h <= 240
    card = json.loads((root / "city.json").read_text())
    assert (card["train_tracks"], card["test_tracks"]) == (3, 3)
    assert card["settings"]["seed"] == 5
    mot = (root / "train/S01/c001/gt.txt").read_text().splitlines()
    assert all(len(line.split(",")) == 10 for line in mot)

    assert cli("city", "--oracle", root) == 0
    assert "colour and type" in capsys.readouterr().out
    data = ("--frames", root, "--tracks", root / "test-tracks.json", "--queries", root / "test-queries.json")
    assert cli("rank", "--model", tiny, *data, "--truth", root / "test-truth.json") == 0


def test_lossless_videos_rank_as_the_images_do(city, cli, tmp_path, tiny):
    assert city(tmp_path / "images") == 0
    assert city(tmp_path / "videos", "--videos") == 0
    assert not list((tmp_path / "videos").rglob("*.jpg"))
    scores = []
    for name in ("images", "videos"):
        root, out = tmp_path / name, tmp_path / f"{name}.npz"
        data = ("--frames", root, "--tracks", root / "test-tracks.json", "--queries", root / "test-queries.json")
        assert cli("rank", "--model", tiny, *data, "--scores", out, "--strict") == 0
        scores.append(np.load(out)["scores"])
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scenes", "1"), "--scenes: is 1; give 2 or more"),
        (("--tracks", "1"), "--tracks: is 1; give 2 or more"),
        (("--seed", "-1"), "--seed: is -1"),
        (("--resolution", "large"), "--resolution: 'large' is no resolution"),
        (("--resolution", "20x20"), "--resolution: is 20x20"),
        (("--max-frames-per-track", "0"), "--max-frames-per-track: is 0"),
    ],
)
def test_settings_that_make_no_city_are_refused(city, tmp_path, capsys, options, words):
    assert city(tmp_path / "city", *options) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(city, tmp_path, capsys):
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "mine").write_text("here")
    assert city(tmp_path / "city") == 2
    assert "is there already; choose a folder that is new or empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["city", "mine"]


def test_without_an_output_the_option_is_named(cli, capsys):
    assert cli("city") == 2
    assert "--output: is missing" in capsys.readouterr().err

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from nlvr.engine.errors import InputError
from nlvr.export.samples import FEWEST, MOST, WINDOW, read_samples


def _track(frames, camera="cam", **more):
    boxes = [[10 + place, 20, 30, 40] for place in range(frames)]
    return {"frames": [f"{camera}/img1/{place + 1:06}.jpg" for place in range(frames)], "boxes": boxes, **more}


def _write(folder, tracks, queries=None):
    folder.mkdir(exist_ok=True)
    (folder / "tracks.json").write_text(json.dumps(tracks))
    if queries is not None:
        (folder / "queries.json").write_text(json.dumps(queries))
    return folder


def test_the_shipped_clip_gives_enough_tracks_and_sentences(samples):
    assert FEWEST <= len(samples.tracks) <= MOST
    assert len(samples.sentences) == len(set(samples.sentences)) >= 10
    assert len({track.id for track in samples.tracks}) == len(samples.tracks)
    shown = {(track.frames[-1], tuple(track.boxes[-1])) for track in samples.tracks}
    assert len(shown) == len(samples.tracks)  # no two tracks show the same picture
    assert {len(track.frames) for track in samples.tracks} == {WINDOW}
    for track in samples.tracks:
        assert len(track.boxes) == len(track.frames)
        assert (samples.root / track.frames[0].partition("/")[0]).is_dir()


def test_windows_are_cut_in_order_and_spread_evenly(tmp_path):
    samples = read_samples(_write(tmp_path / "s", {"a": _track(300), "b": _track(5)}, {"q": ["A red car."]}))
    assert len(samples.tracks) == MOST
    long = [track for track in samples.tracks if track.id.startswith("a/")]
    starts = [int(track.id.partition("/")[2]) for track in long]
    assert set(np.diff(starts)) <= {2, 3}
    assert [track.boxes[0, 0] for track in long] == [10 + start for start in starts]
    assert [len(track.frames) for track in samples.tracks if track.id.startswith("b/")] == [5]


def test_sentences_come_from_the_tracks_where_there_are_no_queries(tmp_path):
    folder = _write(tmp_path / "s", {"a": _track(120, nl=["B.", "A.", "B."])})
    assert read_samples(folder).sentences == ("A.", "B.")


def test_frames_start_from_the_folder_or_from_the_one_above(tmp_path):
    folder = _write(tmp_path / "cam", {"a": _track(120, nl=["A car."])})
    assert read_samples(folder).root == tmp_path
    (folder / "cam").mkdir()
    assert read_samples(folder).root == folder


def test_too_little_is_refused(tmp_path, samples):
    few = _write(tmp_path / "few", {"a": _track(20, nl=["A car."])})
    with pytest.raises(InputError, match=r"tracks\.json: its 1 tracks give 5 windows of 16 frames, and 100 are wanted"):
        read_samples(few)
    mute = _write(tmp_path / "mute", {"a": _track(120)})
    with pytest.raises(InputError, match="has no sentences"):
        read_samples(mute)
    shutil.rmtree(mute)
    with pytest.raises(InputError, match=r"tracks\.json: cannot be read"):
        read_samples(mute)

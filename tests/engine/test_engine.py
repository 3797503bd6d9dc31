from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from nlvr.engine import Engine, Query, TrackIndex, load_tracks
from nlvr.engine.errors import BundleError, InputError, VectorsMismatchError


def test_ask_ranks_for_one_description(engine, index):
    ranking = engine.ask(index, "a red sedan", top_k=2)
    assert len(ranking.track_ids) == 2
    assert ranking.scores[0] >= ranking.scores[1]
    assert ranking.track_ids == engine.rank(index, [Query("q", ("a red sedan",))])[0].track_ids[:2]


def test_only_allowed_tracks_are_ranked(engine, index):
    allowed = np.array([True, False, False, True])
    ranking = engine.ask(index, "a red sedan", allowed=allowed)
    assert sorted(ranking.track_ids) == [index.track_ids[0], index.track_ids[3]]


def test_an_index_survives_its_file(engine, index, tmp_path):
    index.save(tmp_path / "gallery.npz")
    loaded = TrackIndex.load(tmp_path / "gallery.npz")
    np.testing.assert_array_equal(loaded.vectors, index.vectors)
    assert engine.ask(loaded, "a white car").track_ids == engine.ask(index, "a white car").track_ids


def test_an_index_of_another_bundle_is_refused(engine, index):
    other = TrackIndex(index.track_ids, index.vectors, index.digests, "0" * 64, index.frames_per_track)
    with pytest.raises(VectorsMismatchError, match="000000000000"):
        engine.ask(other, "a white car")


def test_an_empty_gallery_and_an_empty_description_are_refused(engine, index, sample):
    with pytest.raises(InputError, match="empty"):
        engine.encode_tracks([], sample)
    with pytest.raises(InputError, match="says nothing"):
        engine.ask(index, "  ")


def test_progress_counts_to_the_end(engine, sample):
    calls = []
    tracks = load_tracks(sample / "carpark" / "tracks.json")
    engine.encode_tracks(tracks, sample, frames_per_track="5", progress=lambda *call: calls.append(call))
    assert {stage for stage, *_ in calls} == {"decode frames", "encode tracks"}
    for stage in ("decode frames", "encode tracks"):
        done = [(count, total) for name, count, total in calls if name == stage]
        assert done[-1] == (len(done), len(done))


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Engine(tmp_path)


@pytest.mark.parametrize("option", ["threads", "batch_size"])
def test_a_count_below_1_is_refused(tiny, option):
    with pytest.raises(InputError, match=option):
        Engine(tiny, **{option: 0})


def test_no_queries_are_no_rankings(engine, index):
    assert engine.rank(index, []) == []


def test_encoded_queries_rank_as_the_queries_do(engine, index):
    queries = [Query("b", ("a red sedan", "a car")), Query("a", ("a white van",))]
    encoded = engine.encode_queries(queries)
    assert [one.track_ids for one in engine.rank(index, encoded)] == [
        one.track_ids for one in engine.rank(index, queries)
    ]
    both = encoded.sentences["a red sedan"] + encoded.sentences["a car"]
    np.testing.assert_allclose(encoded.vectors[0], both / 2, atol=1e-7)


def test_an_engine_goes_on_working_in_a_forked_child(tiny, sample):
    program = """
import os, sys
from nlvr.engine import Engine, FrameStore, NlvrError, load_tracks
engine, store = Engine(sys.argv[1], device="cpu"), FrameStore(sys.argv[2])
tracks = load_tracks(sys.argv[2] + "/carpark/tracks.json")
index = engine.encode_tracks(tracks, store)
before = engine.ask(index, "a red car").track_ids
child = os.fork()
if child == 0:
    same = engine.ask(index, "a red car").track_ids == before
    again = engine.encode_tracks(tracks, sys.argv[2]).vectors.tobytes() == index.vectors.tobytes()
    try:
        engine.encode_tracks(tracks, store)
    except NlvrError as error:
        os._exit(0 if same and again and "forked" in str(error) else 1)
    os._exit(2)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-c", program, str(tiny), str(sample)], check=True, timeout=60)

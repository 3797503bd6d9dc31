"""What a Python caller gets wrong is the library's own error, which names the argument and the remedy."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nlvr.engine import (
    Engine,
    FrameStore,
    NlvrError,
    Query,
    Track,
    TrackIndex,
    fuse,
    load_queries,
    load_tracks,
    open_bundle,
    read,
    read_query,
    write_submission,
)
from nlvr.engine.arguments import items, whole_number
from nlvr.engine.errors import InputError

BOX = np.array([[1.0, 2, 3, 4]])


@pytest.fixture(scope="module")
def closed(tiny):
    with Engine(tiny, device="cpu") as engine:
        pass
    return engine


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda tiny: Engine(tiny, threads="2"), "threads: is text ('2'); give a whole number, 1 or more"),
        (lambda tiny: Engine(tiny, threads=True), "threads: is true or false (True); give a whole number, 1 or more"),
        (lambda tiny: Engine(tiny, batch_size=1.5), "batch_size: is a number (1.5); give a whole number, 1 or more"),
        (lambda tiny: Engine(tiny, feature_bytes="2GiB"), "feature_bytes: is text ('2GiB'); give a whole number, "),
        (lambda tiny: Engine(tiny, feature_bytes=-1), "feature_bytes: is -1; give 0 or more"),
        (lambda tiny: Engine(tiny, device=3), "--device: 3 is no device; give one of auto, "),
        (lambda _: Engine(7), "bundle: is a number (7); give a path"),
        (lambda _: open_bundle(None), "bundle: is missing; give a path"),
        (lambda _: FrameStore(None), "root: is missing; give a path"),
        (lambda tiny: FrameStore(tiny, decode_threads="2"), "decode_threads: is text ('2'); give a whole number, "),
        (lambda tiny: FrameStore(tiny, cache_bytes="1GiB"), "cache_bytes: is text ('1GiB'); give a whole number, "),
        (lambda _: load_tracks(None), "path: is missing; give a path"),
        (lambda _: load_tracks("\0"), "path: is text ('\\x00'); give a path"),
        (lambda _: load_queries({}), "path: is an object ({}); give a path"),
        (lambda _: TrackIndex.load(None), "None: is no file of track vectors"),
        (lambda _: write_submission("x.json", []), "rankings: is a list ([]); give query id -> track ids"),
        (lambda _: write_submission("x.json", {1: []}), "rankings[0]: is a number (1); give query ids that are text"),
        (lambda _: write_submission("x.json", {"q": "t0"}), "rankings of q: is text ('t0'); give a list of track ids"),
        (lambda tiny: FrameStore(tiny).read(None), "references[0]: is missing; give paths below the root"),
        (lambda tiny: FrameStore(tiny).size(5), "reference: is a number (5); give a path below the root"),
        (lambda _: write_submission(None, {}), "path: is missing; give a path"),
        (lambda _: Track(5, ("a.jpg",), BOX), "track: is a number (5); give an id that is text"),
        (lambda _: Track("a", "a.jpg", BOX), "track a: frames is text ('a.jpg'); give a tuple of references"),
        (lambda _: Track("a", None, BOX), "track a: frames is missing; give a tuple of references"),
        (lambda _: Track("a", (b"a.jpg",), BOX), "track a: frames[0]: is of type bytes; wanted a path"),
        (lambda _: Query(5, ("a car",)), "query: is a number (5); give an id that is text"),
        (lambda _: Query("q", "a car"), "query q: nl is text ('a car'); wanted a list of sentences"),
        (lambda _: Query("q", (b"a car",)), "query q: nl[0]: is of type bytes; wanted a sentence"),
        (lambda _: read(5), "sentence: is a number (5); give a description"),
        (lambda _: read_query("a car"), "sentences: is text ('a car'); give a list of sentences"),
        (lambda _: fuse([]), "rankings: is a list ([]); give each system's rankings by its name"),
        (lambda _: fuse({1: []}), "names of the systems[0]: is a number (1); give text"),
        (lambda _: fuse({"a": "b"}), "rankings of a: is text ('b'); give what `Engine.rank` returns"),
        (lambda _: fuse({"a": [("t0",)]}), "rankings of a[0]: is of type tuple; give what `Engine.rank` returns"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_its_name(call, words, tiny):
    with pytest.raises(NlvrError, match=f"^{re.escape(words)}"):
        call(tiny)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda engine, _: engine.encode_tracks("tracks.json", "."), "tracks: is text ('tracks.json'); give Tracks, "),
        (lambda engine, _: engine.encode_tracks({"t": 1}, "."), "tracks[0]: is text ('t'); give Tracks, "),
        (lambda engine, _: engine.encode_tracks([], 5), "root: is a number (5); give a path"),
        (lambda engine, _: engine.encode_queries(["a car"]), "queries[0]: is text ('a car'); give Queries, "),
        (lambda engine, _: engine.encode_queries(Query("q", ("a",))), "queries: is of type Query; give Queries, "),
        (lambda engine, _: engine.rank("gallery.npz", []), "index: is text ('gallery.npz'); give what "),
        (lambda engine, _: engine.with_frames(None, "."), "index: is missing; give what "),
        (lambda engine, index: engine.rank(index, "a car"), "queries: is text ('a car'); give Queries, "),
        (lambda engine, index: engine.rank(index, None), "queries: is missing; give Queries, "),
        (lambda engine, index: engine.ask(index, None), "description: text[0]: is missing; wanted a sentence"),
        (lambda engine, index: engine.ask(index, "a car", top_k="5"), "top_k: is text ('5'); give a whole number, "),
        (lambda engine, index: engine.ask(index, "a car", top_k=2.0), "top_k: is a number (2.0); give a whole "),
        (lambda engine, index: engine.ask(index, "a car", allowed="all"), "allowed: is <U3 []; give bool [4]"),
        (lambda engine, index: engine.ask(index, "a car", allowed=[[True], []]), "allowed: is no array; give bool [4]"),
        (lambda engine, index: engine.mask_views(index, [], 0, [0]), "queries: is a list ([]); encode them with "),
    ],
)
def test_an_engine_refuses_an_argument_of_another_type_by_its_name(call, words, engine, index):
    with pytest.raises(InputError, match=f"^{re.escape(words)}"):
        call(engine, index)


@pytest.mark.parametrize(
    "call",
    [
        lambda engine, index, _: engine.ask(index, "a car"),
        lambda engine, index, _: engine.rank(index, []),
        lambda engine, index, queries: engine.rank(index, queries),
        lambda engine, index, _: engine.with_frames(index, "."),
        lambda engine, index, queries: engine.mask_views(index, queries, 0, [0]),
        lambda engine, *_: engine.encode_queries([Query("q", ("a car",))]),
        lambda engine, *_: engine.encode_tracks([Track("t", ("a.jpg",), BOX)], "."),
    ],
)
def test_a_closed_engine_says_so(call, closed, engine, index):
    queries = engine.encode_queries([Query("q", ("a car",))])
    with pytest.raises(InputError, match=r"contrastive-tiny: its engine is closed; open another Engine$"):
        call(closed, index, queries)


def test_numbers_of_numpy_and_any_iterable_of_tracks_are_taken(engine, index, sample):
    assert len(engine.ask(index, "a car", top_k=np.int64(2)).track_ids) == 2
    tracks = {track.id: track for track in load_tracks(sample / "carpark" / "tracks.json")}
    assert engine.encode_tracks(tracks.values(), sample).track_ids == index.track_ids


def test_a_number_between_two_bounds():
    assert whole_number("row", np.int32(3), least=0, most=3) == 3
    for value in (-1, 4):
        with pytest.raises(InputError, match=f"^row: is {value}; give 0 to 3$"):
            whole_number("row", value, least=0, most=3)


def test_items_are_returned_in_order():
    assert items("names", (name for name in ("b", "a")), str, "give names") == ["b", "a"]

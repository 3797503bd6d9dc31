from __future__ import annotations

import io
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.cityflow import Track
from nlvr.engine.errors import InputError, NlvrError, OutputError, ScoreError, VectorsMismatchError
from nlvr.engine.index import Shots, TrackIndex, track_digest

BUNDLE = "ab" * 32
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)


def track(key, *, frames=("a.jpg", "b.jpg"), boxes=((1, 2, 3, 4), (5, 6, 7, 8)), **words):
    return Track(key, tuple(frames), np.array(boxes, np.float64), **words)


def index_of(tracks, *, dims=3):
    tracks = sorted(tracks, key=lambda one: one.id)
    vectors = np.random.default_rng(0).standard_normal((len(tracks), dims)).astype(np.float32)
    return TrackIndex(
        track_ids=tuple(one.id for one in tracks),
        vectors=vectors,
        digests=tuple(track_digest(one) for one in tracks),
        embedding_id=BUNDLE,
        frames_per_track="last",
    )


@pytest.fixture
def tracks():
    return [track(key, frames=[f"{key}/1.jpg", f"{key}/2.jpg"]) for key in ("a", "b", "c")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors.npz"


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("index") / "vectors.npz"


def arrays(index):
    return {
        "track_ids": np.array(index.track_ids, np.str_),
        "vectors": index.vectors,
        "digests": np.array(index.digests, np.str_),
        "embedding_id": np.array(index.embedding_id),
        "frames_per_track": np.array(index.frames_per_track),
        "warnings": np.array(index.warnings, np.str_).reshape(-1, 2),
    }


def packed(values, save=np.savez):
    buffer = io.BytesIO()
    save(buffer, **values)
    return buffer.getvalue()


def refusal(path, error=InputError):
    with pytest.raises(NlvrError) as caught:
        TrackIndex.load(path)
    assert type(caught.value) is error
    message = str(caught.value)
    assert message.isprintable()
    assert "; " in message
    return message


# Saved and loaded


def labels(index):
    """Everything but the vectors."""
    return index.track_ids, index.digests, index.embedding_id, index.frames_per_track, index.warnings


@given(ids=st.lists(IDS, unique=True, max_size=6), dims=st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_what_is_saved_is_loaded_bit_for_bit(scratch, ids, dims):
    index = index_of([track(key) for key in ids], dims=dims)
    index.save(scratch)
    found = TrackIndex.load(scratch)
    assert len(found) == len(ids)
    assert found.vectors.dtype == np.float32
    assert found.vectors.tobytes() == index.vectors.tobytes()
    assert found.vectors.shape == index.vectors.shape
    assert labels(found) == labels(index)


def shots_of(tracks):
    """Return a shot of each frame of each track."""
    frames = [frame for one in tracks for frame in one.frames]
    cells = np.arange(len(frames))[:, None] + np.array([0, 1, 2, 4])
    ends = np.cumsum([0, *(len(one.frames) for one in tracks)])
    return Shots(
        tuple(frames),
        np.arange(len(frames)),
        np.full((len(frames), 2), 999, np.int32),
        9 * cells.astype(np.int32),
        cells.astype(np.int32),
        ends,
    )


def test_shots_are_loaded_as_they_were_saved(tracks, path):
    index = replace(index_of(tracks), shots=shots_of(tracks))
    index.save(path)
    loaded = TrackIndex.load(path)
    assert loaded.shots.frames == index.shots.frames
    for name in ("positions", "sizes", "parts", "cells", "offsets"):
        found, wanted = getattr(loaded.shots, name), getattr(index.shots, name)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    assert loaded.maps is None


def test_an_index_of_before_shots_had_parts_says_so(tracks, path):
    replace(index_of(tracks), shots=shots_of(tracks)).save(path)
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name not in ("shot_parts", "shot_sizes")}
    np.savez(path, **kept)
    with pytest.raises(InputError, match=r"was written before .*; encode the tracks again, into another file$"):
        TrackIndex.load(path)


def test_shots_of_other_tracks_are_refused(tracks, path):
    with pytest.raises(InputError, match=r"^index: holds shots of another number of tracks; "):
        replace(index_of(tracks), shots=shots_of(tracks[:2]))
    index = replace(index_of(tracks), shots=shots_of(tracks))
    index.save(path)
    with np.load(path) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    for name, value in (("shot_cells", values["shot_cells"][:-1]), ("shot_frames", values["shot_frames"].astype("S"))):
        np.savez(path, **{**values, name: value})
        with pytest.raises(InputError, match=f"^{re.escape(str(path))}: holds "):
            TrackIndex.load(path)


def test_a_file_is_named_as_asked_and_written_over(tracks, tmp_path):
    for name in ("vectors", "vectors.npz", "vectors.bin"):
        for some in (tracks[:1], tracks):
            index_of(some).save(tmp_path / name)
            assert len(TrackIndex.load(tmp_path / name)) == len(some)
    assert sorted(os.listdir(tmp_path)) == ["vectors", "vectors.bin", "vectors.npz"]  # noqa: PTH208


def test_a_place_that_cannot_be_written_is_refused(tracks, tmp_path):
    with pytest.raises(OutputError):
        index_of(tracks).save(tmp_path)


# Files that hold no vectors


def test_a_file_cut_anywhere_is_refused(tracks, path):
    index_of(tracks).save(path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 61):
        path.write_bytes(whole[:cut])
        assert refusal(path).startswith(f"{path}: is no file of track vectors, or a damaged one; ")


def test_a_file_with_a_changed_byte_is_refused_or_loads_what_was_saved(tracks, path):
    index = index_of(tracks)
    index.save(path)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            found = TrackIndex.load(path)
        except InputError:
            refused += 1
        else:
            assert found.vectors.tobytes() == index.vectors.tobytes()
            assert labels(found) == labels(index)
    assert refused > len(whole) // 14


@pytest.mark.parametrize("damage", [0, 1])
def test_a_compressed_file_is_read_and_a_damaged_one_refused(tracks, path, damage):
    index = index_of([track(f"{number:03d}") for number in range(50)])
    content = bytearray(packed(arrays(index), np.savez_compressed))
    if damage:
        content[120] ^= 0xFF
        path.write_bytes(content)
        refusal(path)
    else:
        path.write_bytes(content)
        assert TrackIndex.load(path).track_ids == index.track_ids


def bare_array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((3, 3), np.float32))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"PK\x03\x04", b"\x93NUMPY", bare_array(), packed({}), packed({"vectors": np.zeros((1, 1))})],
    ids=["empty", "text", "zip start", "npy start", "one array", "no arrays", "other arrays"],
)
def test_another_file_is_refused(path, content):
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: is no file of track vectors, or a damaged one; ")


def test_a_missing_file_and_a_folder_are_refused(path, tmp_path):
    refusal(path)
    refusal(tmp_path)


@pytest.mark.parametrize("field", ["track_ids", "vectors", "digests", "warnings", "embedding_id", "frames_per_track"])
@pytest.mark.parametrize(
    "value",
    [
        None,
        np.array(1.5),
        np.zeros(3, np.int64),
        np.zeros((3, 3, 1), np.float32),
        np.zeros((3, 3), np.complex64),
        np.array([["x"]]),
        np.array(["a", None], object),
    ],
    ids=["absent", "number", "integers", "three axes", "complex", "text table", "objects"],
)
def test_an_array_of_another_kind_is_refused(tracks, path, field, value):
    values = arrays(index_of(tracks))
    values[field] = value
    path.write_bytes(packed({name: array for name, array in values.items() if array is not None}))
    assert refusal(path).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("field", "rows", "fact"),
    [
        ("track_ids", [0, 1], "unequal numbers"),
        ("vectors", [0, 1, 2, 2], "unequal numbers"),
        ("digests", [0], "unequal numbers"),
        ("track_ids", [0, 2, 1], "out of order"),
        ("track_ids", [0, 1, 1], "twice"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tracks, path, field, rows, fact):
    values = arrays(index_of(tracks))
    values[field] = values[field][rows]
    path.write_bytes(packed(values))
    assert fact in refusal(path)


def test_float64_vectors_become_float32(tracks, path):
    values = arrays(index_of(tracks))
    values["vectors"] = values["vectors"].astype(np.float64)
    path.write_bytes(packed(values))
    assert TrackIndex.load(path).vectors.dtype == np.float32


# Vectors that are no numbers


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 2])
def test_a_vector_that_is_not_finite_names_its_track(tracks, path, value, row):
    index = index_of(tracks)
    vectors = index.vectors.copy()
    vectors[row:, 1] = value
    with pytest.raises(ScoreError, match=f"^track {'abc'[row]}: its vector is not a finite number; "):
        replace(index, vectors=vectors)
    path.write_bytes(packed(arrays(index) | {"vectors": vectors}))
    assert f"track {'abc'[row]}" in refusal(path, ScoreError)


# Vectors of something else


def fits(index, tracks, *, embedding_id=BUNDLE, frames_per_track="last"):
    index.check_fits("v.npz", tracks, embedding_id=embedding_id, frames_per_track=frames_per_track)


def test_vectors_fit_the_same_tracks_in_any_order(tracks):
    fits(index_of(tracks), tracks)
    fits(index_of(tracks), tracks[::-1])


def test_the_descriptions_of_a_track_do_not_matter(tracks):
    fits(index_of(tracks), [replace(one, nl=("A car.",), nl_other_views=("Red.",)) for one in tracks])


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"embedding_id": "cd" * 32}, "made by bundle abababababab…, and this one is cdcdcdcdcdcd…"),
        ({"frames_per_track": "largest"}, "made with --frames-per-track last, and largest is asked for"),
        ({"tracks": lambda tracks: tracks[:2]}, "track c is only in it"),
        ({"tracks": lambda tracks: [*tracks, track("bb")]}, "track bb is not in it"),
        ({"tracks": lambda tracks: [replace(tracks[0], id="z"), *tracks[1:]]}, "track a is only in it"),
        ({"tracks": lambda tracks: [*tracks[:2], track("c", frames=["c/1.jpg", "c/3.jpg"])]}, "track c differs"),
        ({"tracks": lambda tracks: [*tracks[:2], track("c", frames=["c/2.jpg", "c/1.jpg"])]}, "track c differs"),
        (
            {
                "tracks": lambda tracks: [
                    tracks[0],
                    track("b", frames=tracks[1].frames, boxes=[(1, 2, 3, 4), (5, 6, 7, 8.0001)]),
                    tracks[2],
                ]
            },
            "track b differs",
        ),
        (
            {"tracks": lambda tracks: [tracks[0], replace(tracks[1], id="c"), replace(tracks[2], id="b")]},
            "track b differs",
        ),
    ],
)
def test_vectors_of_something_else_are_refused_by_name(tracks, change, fact):
    other = change.pop("tracks", lambda same: same)(tracks)
    with pytest.raises(VectorsMismatchError) as caught:
        fits(index_of(tracks), other, **change)
    message = str(caught.value)
    assert message.startswith("v.npz: ")
    assert message.endswith("; remove the file or name another")
    assert fact in message


@given(
    frames=st.lists(st.sampled_from(["a", "aa", "a/a", "é"]), min_size=1, max_size=3),
    others=st.lists(st.sampled_from(["a", "aa", "a/a", "é"]), min_size=1, max_size=3),
    shift=st.sampled_from([0, 1, 1e-9]),
)
@settings(deadline=None)
def test_digests_are_equal_for_equal_frames_and_boxes_alone(frames, others, shift):
    one = track("x", frames=frames, boxes=[(1, 2, 3, 4)] * len(frames))
    other = track("y", frames=others, boxes=[(1 + shift, 2, 3, 4)] * len(others), nl=("A car.",))
    assert (track_digest(one) == track_digest(other)) == (frames == others and shift == 0)


def test_frames_do_not_run_into_each_other():
    assert track_digest(track("x", frames=["a", "bc"])) != track_digest(track("x", frames=["ab", "c"]))

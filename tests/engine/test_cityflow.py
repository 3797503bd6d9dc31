from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.cityflow import (
    Query,
    Track,
    frame_reference,
    load_queries,
    load_submission,
    load_tracks,
    load_truth,
    query_from_text,
    write_submission,
)
from nlvr.engine.errors import FrameError, InputError

LAW = settings(deadline=None, max_examples=60)
GOOD = {"frames": ["cam/img1/000001.jpg"], "boxes": [[1, 2, 3, 4]]}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "file.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("cityflow") / "file.json"


def refusal(load, path, *words, error=InputError):
    """Load, and return the refusal's text: one line that names the file, every word given, and a remedy."""
    with pytest.raises(error) as caught:
        load(path)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"{path}: ")
    assert "; " in message
    for word in words:
        assert word in message, message
    assert len(message) < len(str(path)) + 300
    return message


def truth_of(*, queries=("q1", "q2"), tracks=("t1", "t2")):
    return lambda path: load_truth(path, query_ids=set(queries), track_ids=set(tracks))


# What is read


def test_tracks_are_read_whole(write):
    record = {
        "frames": ["./cam//img1/./000001.jpg", "cam/other/../img1/000003.jpg"],
        "boxes": [[1, 2, 3, 4], [0.5, -2.25, 1e-3, 4]],
        "nl": ["A red car."],
        "nl_other_views": ["It is red."],
        "camera": {"anything": [None]},
    }
    (track,) = load_tracks(write(json.dumps({"t": record})))
    assert track.id == "t"
    assert track.frames == ("cam/img1/000001.jpg", "cam/img1/000003.jpg")
    assert track.nl == ("A red car.",)
    assert track.nl_other_views == ("It is red.",)
    assert track.boxes.dtype == np.float64
    assert track.boxes.tolist() == [[1, 2, 3, 4], [0.5, -2.25, 0.001, 4]]
    with pytest.raises(ValueError, match="read-only"):
        track.boxes[0, 0] = 5


def test_descriptions_of_a_track_are_optional(write):
    (track,) = load_tracks(write(json.dumps({"t": GOOD})))
    assert (track.nl, track.nl_other_views) == ((), ())


def test_both_forms_of_queries_are_read(write):
    queries = load_queries(
        write(json.dumps({"b": ["One.", "Two."], "a": {"nl": ["Three."], "nl_other_views": ["Four."], "x": 1}}))
    )
    assert queries == [Query("a", ("Three.",), ("Four.",)), Query("b", ("One.", "Two."))]


def test_a_byte_order_mark_is_no_part_of_the_file(write):
    path = write(b"\xef\xbb\xbf" + json.dumps({"t": GOOD}).encode())
    assert [track.id for track in load_tracks(path)] == ["t"]


def test_sentences_keep_every_character(write):
    sentence = "Ein schwarzer Käfer 🚗\tbiegt\nab"
    assert load_queries(write(json.dumps({"q": [sentence]}, ensure_ascii=False)))[0].nl == (sentence,)


@given(seed=st.integers(0, 2**32), ids=st.lists(st.uuids().map(str), min_size=1, max_size=8, unique=True))
@LAW
def test_the_order_of_a_file_is_never_seen(scratch, seed, ids):
    records = {key: GOOD | {"nl": [f"Sentence {key}."]} for key in ids}
    shuffled = list(records.items())
    Random(seed).shuffle(shuffled)
    seen = []
    for order in (records, dict(shuffled)):
        scratch.write_text(json.dumps(order))
        seen.append([(track.id, track.nl) for track in load_tracks(scratch)])
        scratch.write_text(json.dumps({key: record["nl"] for key, record in order.items()}))
        seen.append([(query.id, query.nl) for query in load_queries(scratch)])
    assert seen[0] == seen[1] == seen[2] == seen[3] == sorted((key, (f"Sentence {key}.",)) for key in ids)


def test_the_shipped_sample_loads(sample):
    folder = sample / "carpark"
    tracks, queries = load_tracks(folder / "tracks.json"), load_queries(folder / "queries.json")
    truth = load_truth(
        folder / "truth.json", query_ids=[query.id for query in queries], track_ids=[track.id for track in tracks]
    )
    assert len(tracks) == len(queries) == len(truth) == 4
    assert set(truth.values()) == {track.id for track in tracks}
    for track in tracks:
        assert len(track.frames) == len(track.boxes) > 1
        assert all(reference.startswith("carpark/img1/") for reference in track.frames)
    assert all(len(query.nl) == 3 for query in queries)


# Files that hold no records


@pytest.mark.parametrize("load", [load_tracks, load_queries, load_submission, truth_of()])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is not JSON", "line 1"]),
        (b"\xef\xbb\xbf", ["is not JSON"]),
        (b"{", ["is not JSON"]),
        (b'{"a": 1,}', ["is not JSON", "line 1, column"]),
        (b'{"a": ["b"]} {"c": 1}', ["is not JSON", "Extra data"]),
        ('{"a": ["\u00e9"]}'.encode("latin-1"), ["is not UTF-8", "byte"]),
        (json.dumps({"a": ["b"]}).encode("utf-16"), ["is not UTF-8"]),
        (b"\x00\x01\x02\xff", ["is not"]),
        (b"[" * 100_000, ["nested too deeply"]),
        (b'{"a":' * 100_000, ["nested too deeply"]),
        (b'{"a": ' + b"9" * 5000 + b"}", ["number that cannot be read"]),
        (b"[]", ["is a list", "wanted an object"]),
        (b'"text"', ["is text"]),
        (b"3", ["is a number"]),
        (b"true", ["is true or false"]),
        (b"null", ["is missing"]),
        (b'{"": []}', ["id is empty"]),
        (b'{" ": []}', ["id is empty"]),
        (b'{"a\\nb": []}', ["control character", r"a\nb"]),
        (b'{"a\\u0000": []}', ["control character", r"a\x00"]),
        (b'{"\\ud800": []}', ["half a character", r"\ud800"]),
        (b'{"\\u2028": []}', ["id"]),
    ],
)
def test_a_file_without_records_is_refused(write, load, content, words):
    refusal(load, write(content), *words)


@pytest.mark.parametrize("load", [load_tracks, load_queries, load_submission])
def test_an_empty_object_is_refused(write, load):
    refusal(load, write("{}"), "holds no")


@pytest.mark.parametrize("load", [load_tracks, load_queries, load_submission, truth_of()])
def test_a_path_that_cannot_be_read_is_refused(tmp_path, load):
    refusal(load, tmp_path / "absent.json", "cannot be read")
    refusal(load, tmp_path, "cannot be read")
    (tmp_path / "file").touch()
    refusal(load, tmp_path / "file" / "below.json", "cannot be read")


@pytest.mark.parametrize("depth", [100, 500, 900, 960, 980, 990, 2000])
@pytest.mark.parametrize("load", [load_tracks, load_queries, load_submission, truth_of(queries="q")])
def test_nesting_of_any_depth_is_read_or_refused(write, load, depth):
    refusal(load, write('{"q": ' + "[" * depth + "]" * depth + "}"))
    refusal(load, write('{"q": ' + '{"a":' * depth + "1" + "}" * depth + "}"))


# Ids that stand twice


@pytest.mark.parametrize(
    ("load", "content", "words"),
    [
        (load_tracks, '{"t7": 1, "t8": 2, "t7": 3}', [" t7: stands twice"]),
        (load_tracks, '{"t": {"frames": [], "boxes": [], "frames": []}}', [" t: frames: stands twice"]),
        (load_queries, '{"q": ["A car."], "q": ["A car."]}', [" q: stands twice"]),
        (load_queries, '{"q": {"nl": ["A car."], "nl": ["A van."]}}', [" q: nl: stands twice"]),
        (load_queries, '{"q": {"nl": ["A car."], "more": [{"x": 1, "x": 1}]}}', [" x: stands twice"]),
        (load_submission, '{"q": ["t"], "q": ["t"]}', [" q: stands twice"]),
        (truth_of(), '{"q1": "t1", "q2": "t2", "q1": "t1"}', [" q1: stands twice"]),
        (load_tracks, '{"t\\nx": 1, "t\\nx": 3}', [r"t\nx: stands twice"]),
        (load_tracks, '[{"a": 1, "a": 2}]', ["is a list"]),
    ],
)
def test_an_id_that_stands_twice_is_refused(write, load, content, words):
    refusal(load, write(content), *words)


# Tracks


BAD_BOXES = [
    ([1, 2, 3], "is a list"),
    ([1, 2, 3, 4, 5], "is a list"),
    ({"x": 1}, "is an object"),
    (None, "is missing"),
    ("1 2 3 4", "is text"),
    ([1, 2, "3", 4], "not a number"),
    ([1, 2, None, 4], "not a number"),
    ([True, 2, 3, 4], "not a number"),
    ([1, 2, 3, [4]], "not a number"),
    ([1, 2, 3, ["x" * 10_000]], "not a number"),
    ([1, 2, float("nan"), 4], "not finite"),
    ([float("nan"), 2, 3, 4], "not finite"),
    ([1, 2, float("inf"), 4], "not finite"),
    ([-float("inf"), 2, 3, 4], "not finite"),
    ([1, 2, 10**400, 4], "not finite"),
    ([-(10**4000), 2, 3, 4], "not finite"),
    ([1e6, 2, 3, 4], "beyond any image"),
    ([1, 2, 0, 4], "no size"),
    ([1, 2, 3, 0.0], "no size"),
    ([1, 2, -3, 4], "no size"),
    ([1, 2, 3, -0.5], "no size"),
    ([1, 2, -0.0, 4], "no size"),
    ([1, 2, 5e-324, 4], "no size"),
    ([1000, 2, 1e-14, 4], "no size"),
]


@pytest.mark.parametrize(("box", "fact"), BAD_BOXES)
def test_a_bad_box_is_refused_by_row(write, box, fact):
    record = {"frames": ["a.jpg", "b.jpg"], "boxes": [[1, 2, 3, 4], box]}
    message = refusal(load_tracks, write(json.dumps({"good": GOOD, "bad one": record})), "track bad one", fact)
    assert "boxes[1]" in message


@given(box=st.lists(st.floats(-9e5, 9e5), min_size=4, max_size=4))
@LAW
def test_a_box_that_loads_holds_its_numbers_and_has_a_size(scratch, box):
    scratch.write_text(json.dumps({"t": {"frames": ["a.jpg"], "boxes": [box]}}))
    if box[0] + box[2] > box[0] and box[1] + box[3] > box[1]:
        assert load_tracks(scratch)[0].boxes.tolist() == [box]
    else:
        refusal(load_tracks, scratch, "track t", "boxes[0]", "no size")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([], ["is a list", "frames and boxes"]),
        (None, ["is missing"]),
        ("text", ["is text"]),
        ({}, ["frames is missing"]),
        ({"frames": ["a.jpg"]}, ["boxes is missing"]),
        ({"boxes": [[1, 2, 3, 4]]}, ["frames is missing"]),
        (GOOD | {"frames": "a.jpg"}, ["frames is text"]),
        (GOOD | {"boxes": {"0": [1, 2, 3, 4]}}, ["boxes is an object"]),
        ({"frames": [], "boxes": []}, ["frames is empty"]),
        ({"frames": [], "boxes": [[1, 2, 3, 4]]}, ["frames is empty"]),
        ({"frames": ["a.jpg", "b.jpg"], "boxes": [[1, 2, 3, 4]]}, ["2 frames and 1 boxes"]),
        (GOOD | {"frames": [7]}, ["frames[0]", "is a number"]),
        (GOOD | {"frames": [None]}, ["frames[0]", "is missing"]),
        (GOOD | {"frames": [True]}, ["frames[0]", "is true or false"]),
        (GOOD | {"frames": [""]}, ["frames[0]"]),
        (GOOD | {"frames": ["."]}, ["frames[0]", "names no file"]),
        (GOOD | {"frames": ["a/.."]}, ["frames[0]", "names no file"]),
        (GOOD | {"frames": ["a\0.jpg"]}, ["frames[0]"]),
        (GOOD | {"frames": ["a\n.jpg"]}, ["frames[0]"]),
        (GOOD | {"frames": ["\ud800.jpg"]}, ["frames[0]"]),
        (GOOD | {"nl": "A car."}, ["nl is text", "list of sentences"]),
        (GOOD | {"nl": [3]}, ["nl[0]", "is a number"]),
        (GOOD | {"nl": ["A car.", ""]}, ["nl[1]", "says nothing"]),
        (GOOD | {"nl": ["\ud83d car"]}, ["nl[0]", "Unicode"]),
        (GOOD | {"nl_other_views": [" . "]}, ["nl_other_views[0]", "says nothing"]),
    ],
)
def test_a_bad_track_is_refused_by_field(write, record, words):
    refusal(load_tracks, write(json.dumps({"good": GOOD, "bad one": record})), "track bad one", *words)


@pytest.mark.parametrize(
    ("reference", "fact"),
    [
        ("/etc/passwd", "is absolute"),
        ("//a.jpg", "is absolute"),
        ("../a.jpg", "leaves"),
        ("./../a.jpg", "leaves"),
        ("cam/../../a.jpg", "leaves"),
        ("cam/../x/../../cam/a.jpg", "leaves"),
    ],
)
def test_a_reference_that_leaves_the_root_is_refused(write, reference, fact):
    path = write(json.dumps({"t": {"frames": ["a.jpg", reference], "boxes": [[1, 2, 3, 4]] * 2}}))
    refusal(load_tracks, path, "track t", "frames[1]", reference, fact, error=FrameError)


PARTS = st.lists(st.sampled_from([".", "..", "", "cam", "img1", "a b", "…", "x.jpg"]), min_size=1, max_size=7)


@given(parts=PARTS)
@LAW
def test_a_reference_is_normal_and_below_the_root_or_refused(parts):
    depth, lowest = 0, 0
    for part in parts:
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        lowest = min(lowest, depth)
    value = "/".join(parts)
    if value.startswith("/") or lowest < 0 or depth == 0:
        with pytest.raises(InputError):
            frame_reference("here", 0, value)
    else:
        found = frame_reference("here", 0, value)
        assert found.split("/") == [part for part in found.split("/") if part not in (".", "..", "")]
        assert len(found.split("/")) == depth
        assert frame_reference("here", 0, found) == found


# Queries


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (3, ["is a number", "list of sentences"]),
        ("A car.", ["is text"]),
        (None, ["is missing"]),
        ([], ["nl is empty"]),
        ({}, ["nl is missing"]),
        ({"nl": []}, ["nl is empty"]),
        ({"nl": None}, ["nl is missing"]),
        ({"nl": "A car."}, ["nl is text"]),
        ({"nl_other_views": ["A car."]}, ["nl is missing"]),
        (["A car.", 7], ["nl[1]", "is a number"]),
        (["A car.", None], ["nl[1]", "is missing"]),
        (["A car.", ["A van."]], ["nl[1]", "is a list"]),
        ([""], ["nl[0]", "says nothing"]),
        (["A car.", " \t\n"], ["nl[1]", "says nothing"]),
        (["?!" * 5000], ["nl[0]", "says nothing"]),
        (["A \udc80 car."], ["nl[0]", "Unicode"]),
        ({"nl": ["A car."], "nl_other_views": [{}]}, ["nl_other_views[0]", "is an object"]),
    ],
)
def test_a_bad_query_is_refused_by_field(write, record, words):
    refusal(load_queries, write(json.dumps({"good": ["A car."], "bad one": record})), "query bad one", *words)


def test_one_description_is_a_query_of_its_own():
    assert query_from_text("A red car.") == Query("A red car.", ("A red car.",))
    for text in ("", "  ", "...", "\udcff car"):
        with pytest.raises(InputError, match=r"^description: text\[0\]: .*; "):
            query_from_text(text)


# Truths


def test_a_truth_is_read(write):
    assert truth_of()(write('{"q2": "t1", "q1": "t1"}')) == {"q1": "t1", "q2": "t1"}
    anything = load_truth(write('{"q1": "elsewhere"}'), query_ids=["q1"])
    assert anything == {"q1": "elsewhere"}


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ({"q1": "t1"}, ["query q2", "has no track"]),
        ({}, ["query q1", "has no track"]),
        ({"q1": "t1", "q2": "t2", "q3": "t1"}, ["query q3", "not in the queries file"]),
        ({"q1": "t1", "q2": "t3"}, ["query q2", "t3", "not in the tracks file"]),
        ({"q1": "t1", "q2": ["t2"]}, ["query q2", "is a list"]),
        ({"q1": "t1", "q2": None}, ["query q2", "is missing"]),
        ({"q1": "t1", "q2": 2}, ["query q2", "is a number"]),
        ({"q1": "t1", "q2": "t\nx\ud800"}, ["query q2", "not in the tracks file"]),
    ],
)
def test_a_bad_truth_is_refused(write, truth, words):
    refusal(truth_of(), write(json.dumps(truth)), *words)


# Submissions

IDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(str.strip)


@given(rankings=st.dictionaries(IDS, st.lists(IDS, max_size=5, unique=True), min_size=1, max_size=5))
@LAW
def test_a_submission_that_is_written_reads_back(scratch, rankings):
    write_submission(scratch, rankings)
    assert load_submission(scratch) == {key: tuple(ids) for key, ids in rankings.items()}
    content = scratch.read_bytes()
    write_submission(scratch, dict(reversed(rankings.items())))
    assert scratch.read_bytes() == content


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("t1", ["not a list of track ids"]),
        ({"t1": 1}, ["not a list of track ids"]),
        (["t1", 2], ["not a list of track ids"]),
        (["t1", None], ["not a list of track ids"]),
        ([["t1"]], ["not a list of track ids"]),
        (["t1", "t2", "t3", "t2"], ["names track t2 twice"]),
        (["t\nx", "t\nx"], ["twice"]),
    ],
)
def test_a_bad_submission_is_refused(write, value, words):
    refusal(load_submission, write(json.dumps({"good": ["t1"], "bad one": value})), "query bad one", *words)


@pytest.mark.parametrize(
    ("frames", "boxes", "error"),
    [
        ((), np.zeros((0, 4)), InputError),
        (("a.jpg",), np.ones((2, 4)), InputError),
        (("a.jpg",), [[1, 2, 3, 4]], InputError),
        (("a.jpg",), np.ones((1, 4), np.float32), InputError),
        (("a.jpg",), np.array([[0, 0, np.nan, 1]]), InputError),
        (("a.jpg",), np.array([[0, 0, 0.0, 1]]), InputError),
        (("../a.jpg",), np.ones((1, 4)), FrameError),
        (("/a.jpg",), np.ones((1, 4)), FrameError),
    ],
)
def test_a_track_made_by_hand_is_held_to_the_same(frames, boxes, error):
    with pytest.raises(error, match="track t"):
        Track("t", frames, boxes)


def test_a_query_without_a_sentence_is_refused():
    with pytest.raises(InputError, match="query q"):
        Query("q", ())

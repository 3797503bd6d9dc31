from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nlvr.engine.cityflow import Track
from nlvr.engine.errors import FrameError, InputError
from nlvr.engine.frames import FrameStore
from nlvr.engine.sampling import Shot, ShotPlan, check_boxes, check_rule, is_rule

WIDTH, HEIGHT = 64, 48
LAW = settings(deadline=None, max_examples=60)


def track(boxes, *, key="t", folder="cam/img1", numbers=None):
    numbers = range(1, len(boxes) + 1) if numbers is None else numbers
    return Track(key, tuple(f"{folder}/{number:06d}.png" for number in numbers), np.array(boxes, np.float64))


def image(root, reference, size=(WIDTH, HEIGHT)):
    path = root / reference
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


@pytest.fixture(scope="session")
def footage(tmp_path_factory):
    """A root whose cam/img1 holds the frames 1 to 40."""
    root = tmp_path_factory.mktemp("footage")
    for number in range(1, 41):
        image(root, f"cam/img1/{number:06d}.png")
    return root


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path) as store:
        yield store


def positions(tracks, store, rule, *, unreadable=()):
    plan = ShotPlan(tracks, store, rule)
    plan.drop(unreadable)
    return [(shot.row, shot.position) for shot in plan.shots]


# Rules


@pytest.mark.parametrize("rule", ["last", "largest", "released", "all", "1", "8", "999999999"])
def test_a_rule_is_passed_on(rule):
    assert check_rule(rule) == rule
    assert is_rule(rule)


@pytest.mark.parametrize(
    "rule",
    ["", "first", "Last", "0", "00", "-1", "1.5", "1e3", " 3", "3\n", "+3", "٣", "²", "last,all", "9" * 5000],
)
def test_what_is_no_rule_is_refused(rule):
    with pytest.raises(
        InputError, match=r"^--frames-per-track: .*; give last, largest, released, all or a number of frames$"
    ):
        check_rule(rule)


@pytest.mark.parametrize("rule", [None, 3, True, 1.0, ["last"]])
def test_what_is_no_text_is_no_rule(rule):
    assert not is_rule(rule)


# The frames that are chosen


@given(
    there=st.lists(st.booleans(), min_size=1, max_size=40).filter(any),
    rule=st.sampled_from(["last", "all", "1", "2", "3", "7", "40", "1000"]),
)
@LAW
def test_rules_choose_among_the_frames_that_are_there(footage, there, rule):
    numbers = [number if found else number + 100 for number, found in enumerate(there, 1)]
    tracks = [track([(5, 5, 9, 9)] * len(numbers), numbers=numbers)]
    kept = [place for place, found in enumerate(there) if found]
    with FrameStore(footage) as store:
        chosen = [position for _, position in positions(tracks, store, rule)]
        assert store.notices.counts == ({"frame missing": there.count(False)} if not all(there) else {})
    if rule == "last":
        assert chosen == kept[-1:]
    elif rule == "all" or int(rule) >= len(kept):
        assert chosen == kept
    else:
        assert len(chosen) == int(rule)
        assert chosen == sorted(set(chosen))
        assert set(chosen) <= set(kept)
        if all(there):  # the middles of equal parts
            assert chosen == [int((place + 0.5) * len(there) / len(chosen)) for place in range(len(chosen))]


BOX = st.tuples(st.integers(-9, 60), st.integers(-9, 44), st.integers(1, 50), st.integers(1, 40)).filter(
    lambda box: box[0] + box[2] > 0 and box[1] + box[3] > 0
)


@given(boxes=st.lists(BOX, min_size=1, max_size=8))
@LAW
def test_largest_is_the_largest_clear_of_the_edge_or_else_the_largest(footage, boxes):
    def clear(box):
        x, y, w, h = box
        return x >= 1 and y >= 1 and x + w <= WIDTH - 1 and y + h <= HEIGHT - 1

    def inside(box):
        x, y, w, h = box
        return (min(x + w, WIDTH) - max(x, 0)) * (min(y + h, HEIGHT) - max(y, 0))

    candidates = [place for place, box in enumerate(boxes) if clear(box)] or range(len(boxes))
    expected = max(candidates, key=lambda place: (inside(boxes[place]), -place))
    with FrameStore(footage) as store:
        assert positions([track(boxes)], store, "largest") == [(0, expected)]


def test_the_first_of_equal_boxes_is_the_largest(footage):
    with FrameStore(footage) as store:
        assert positions([track([(9, 9, 4, 4), (9, 9, 8, 8), (20, 20, 8, 8), (9, 9, 4, 16)])], store, "largest") == [
            (0, 1)
        ]
        assert positions([track([(0, 9, 4, 4), (0, 9, 8, 8), (0, 20, 8, 8)])], store, "largest") == [(0, 1)]


def test_the_largest_box_goes_by_the_size_of_its_own_image(tmp_path, store):
    one = track([(2, 2, 30, 20), (2, 2, 20, 20)])
    image(tmp_path, one.frames[0], (32, 22))
    image(tmp_path, one.frames[1], (64, 48))
    assert positions([one], store, "largest") == [(0, 1)]


def test_a_frame_without_a_readable_size_is_not_the_largest(tmp_path, store):
    one = track([(9, 9, 30, 30), (9, 9, 5, 5)])
    image(tmp_path, one.frames[1])
    (tmp_path / one.frames[0]).write_bytes(b"no image")
    assert positions([one], store, "largest") == [(0, 1)]


def test_shots_follow_the_tracks_and_the_time(footage):
    boxes = [(5, 5, 9, 9)] * 3
    tracks = [track(boxes, key="b", numbers=[9, 2, 5]), track(boxes, key="a", numbers=[1, 2, 3])]
    with FrameStore(footage) as store:
        shots = ShotPlan(tracks, store, "all").shots
    assert shots == sorted(shots) == [Shot(row, position) for row in (0, 1) for position in range(3)]


def test_released_is_the_first_64(tmp_path, store):
    for number in range(1, 71):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    one = Track("t", tuple(f"{number}.png" for number in range(1, 71)), np.ones((70, 4)))
    assert positions([one], store, "released") == [(0, position) for position in range(64)]
    assert positions([one], store, "released", unreadable={"3.png"})[-1] == (0, 64)


def test_unreadable_frames_are_left_out_and_not_counted_as_missing(footage):
    one = track([(5, 5, 9, 9)] * 4)
    with FrameStore(footage) as store:
        assert positions([one], store, "last", unreadable={one.frames[3], one.frames[2]}) == [(0, 1)]
        assert positions([one], store, "3", unreadable={one.frames[0]}) == [(0, 1), (0, 2), (0, 3)]
        assert store.notices.counts == {}


def test_frames_past_the_end_of_a_video_are_counted_as_such(tmp_path, store):
    (tmp_path / "cam").mkdir()
    writer = cv2.VideoWriter(str(tmp_path / "cam/vdo.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for _ in range(3):
        writer.write(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    writer.release()
    one = track([(5, 5, 9, 9)] * 9)
    assert positions([one], store, "last") == [(0, 8)]
    assert store.read(one.frames[8]) is None
    assert positions([one], store, "last", unreadable={one.frames[8]}) == [(0, 2)]
    assert store.notices.counts == {"video ends early": 6}


def test_tracks_without_a_frame_are_refused_by_name(footage):
    boxes = [(5, 5, 9, 9)] * 2
    tracks = [
        track(boxes, key="seen"),
        track(boxes, key="gone", numbers=[101, 102]),
        track(boxes, key="lost", numbers=[102, 103]),
    ]
    with FrameStore(footage) as store, pytest.raises(FrameError) as caught:
        ShotPlan(tracks, store, "last")
    first = "gone (cam/img1/000101.png …), lost (cam/img1/000102.png …) (frame missing: 3)"
    assert str(caught.value).startswith(f"{footage}: no frame can be read of track {first}; give the folder")
    assert str(caught.value).isprintable()


def test_many_tracks_without_a_frame_are_named_up_to_five(footage):
    tracks = [track([(5, 5, 9, 9)], key=f"gone{row}", numbers=[101 + row]) for row in range(9)]
    with FrameStore(footage) as store, pytest.raises(FrameError, match=r"gone4 .* and 4 more \(frame missing: 9\)"):
        ShotPlan(tracks, store, "last")


def test_a_track_whose_every_frame_is_unreadable_is_refused(footage):
    one = track([(5, 5, 9, 9)] * 2)
    with FrameStore(footage) as store, pytest.raises(FrameError, match="unreadable: 2"):
        ShotPlan([one], store, "last").drop(one.frames)


# Boxes


@given(box=st.tuples(st.integers(-80, 80), st.integers(-80, 80), st.integers(1, 90), st.integers(1, 90)))
@LAW
def test_a_box_inside_passes_one_across_the_edge_is_counted_one_outside_is_refused(footage, box):
    x, y, w, h = box
    with FrameStore(footage) as store:
        if x + w <= 0 or y + h <= 0 or x >= WIDTH or y >= HEIGHT:
            with pytest.raises(InputError) as caught:
                check_boxes([track([(5, 5, 9, 9), box])], store)
            message = str(caught.value)
            assert message.startswith("track t: boxes[1] in cam/img1/000002.png: ")
            assert f"wholly outside the image of {WIDTH}x{HEIGHT}; " in message
        else:
            check_boxes([track([(5, 5, 9, 9), box])], store)
            clipped = x < 0 or y < 0 or x + w > WIDTH or y + h > HEIGHT
            assert store.notices.counts == ({"box clipped to its image": 1} if clipped else {})
            if clipped:
                assert "track t: boxes[1] in cam/img1/000002.png" in store.notices.lines()[0]


@given(corners=st.lists(st.floats(0, 1), min_size=4, max_size=4, unique=True))
@LAW
def test_rounding_clips_no_box(footage, corners):
    (x0, x1), (y0, y1) = sorted(corners[:2]), sorted(corners[2:])
    box = (x0 * WIDTH, y0 * HEIGHT, (x1 - x0) * WIDTH, (y1 - y0) * HEIGHT)
    with FrameStore(footage) as store:
        check_boxes([track([box, (0.3, 0.3, WIDTH - 0.3, HEIGHT - 0.3)])], store)
        assert store.notices.counts == {}


def test_a_box_scaled_up_to_the_very_edge_is_not_clipped(tmp_path, store):
    size = np.array([60, 45])
    extents = np.random.default_rng(0).random((500, 2)) * size / 3
    boxes = np.concatenate([size - extents / 3 - extents / 3 - extents / 3, extents], axis=1)
    assert (boxes[:, :2] + boxes[:, 2:] > size).any()
    one = Track("t", ("cam/img1/000001.png",) * 500, boxes)
    image(tmp_path, one.frames[0], (60, 45))
    check_boxes([one], store)
    assert store.notices.counts == {}


def test_each_folder_may_hold_images_of_several_sizes(tmp_path, store):
    small = track([(0, 0, 30, 20)], key="small", numbers=[1])
    large = track([(300, 200, 30, 20)], key="large", numbers=[2])
    image(tmp_path, small.frames[0], (30, 20))
    image(tmp_path, large.frames[0], (330, 220))
    check_boxes([small, large], store)
    check_boxes([large, small], store)
    assert store.notices.counts == {}


def test_a_track_may_pass_from_small_images_to_large_ones(tmp_path, store):
    one = track([(0, 0, 30, 20), (300, 200, 30, 20)])
    image(tmp_path, one.frames[0], (30, 20))
    image(tmp_path, one.frames[1], (330, 220))
    check_boxes([one], store)
    assert store.notices.counts == {}


def test_bare_crops_are_a_gallery(tmp_path, store):
    sizes = [(1, 1), (3, 200), (640, 360), (17, 31)]
    tracks = [
        Track(f"t{place}", (f"crops/{place}.png",), np.array([[0, 0, width, height]], np.float64))
        for place, (width, height) in enumerate(sizes)
    ]
    for one, size in zip(tracks, sizes, strict=True):
        image(tmp_path, one.frames[0], size)
    check_boxes(tracks, store)
    assert store.notices.counts == {}
    for rule in ("last", "largest", "all", "4"):
        assert positions(tracks, store, rule) == [(row, 0) for row in range(4)]


def test_boxes_of_frames_that_are_missing_are_not_checked(tmp_path, store):
    one = track([(900, 900, 9, 9), (5, 5, 9, 9)])
    image(tmp_path, one.frames[1])
    check_boxes([one, track([(900, 900, 9, 9)], key="gone", numbers=[7])], store)
    assert store.notices.counts == {}

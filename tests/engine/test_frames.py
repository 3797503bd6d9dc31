from __future__ import annotations

import io
import struct
import threading
import time
import zlib
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nlvr.engine.errors import FrameError, InputError
from nlvr.engine.frames import FrameStore, frame_number, frame_order

WIDTH, HEIGHT, BITS, LENGTH = 160, 64, 10, 24
CODECS = {"vdo.avi": "MJPG", "clip.mp4": "mp4v", "clip.mkv": "mp4v"}


def numbered(number):
    """A frame that says its own number: ten black or white squares, least significant bit first."""
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    squares = np.array(bits, np.uint8).reshape(2, 5) * 255
    return np.repeat(np.kron(squares, np.ones((32, 32), np.uint8))[..., None], 3, axis=2)


def read_number(image):
    squares = image.reshape(2, 32, 5, 32, 3).mean(axis=(1, 3, 4))
    return sum(1 << bit for bit, value in enumerate(squares.ravel()) if value > 127)


def write_video(path, *, length=LENGTH, codec=None, first=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = codec or CODECS.get(path.name) or ("MJPG" if path.suffix == ".avi" else "mp4v")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(first, first + length):
        writer.write(numbered(number))
    writer.release()
    return path


def picture(seed=0, width=48, height=32):
    """A smooth colour picture, which JPEG keeps nearly as it is."""
    rough = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR)


def encode(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def reference(number, folder="cam/img1"):
    return f"{folder}/{number:06d}.jpg"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for name in CODECS:
        write_video(root / Path(name).suffix[1:] / name)
    return root


@pytest.fixture
def tree(tmp_path):
    """A root with five images, and the store that reads it."""
    folder = tmp_path / "cam" / "img1"
    folder.mkdir(parents=True)
    for number in range(1, 6):
        (folder / f"{number:06d}.jpg").write_bytes(encode(picture(number), quality=95))
    return tmp_path


def put(root, content, name=None):
    path = root / (name or reference(1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# Images


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_an_image_is_read_as_rgb(tmp_path, kind):
    put(tmp_path, encode(picture(), kind, **({"quality": 95} if kind == "JPEG" else {"lossless": True})))
    with FrameStore(tmp_path) as store:
        image = store.read(reference(1))
        assert image.dtype == np.uint8
        assert image.shape == (32, 48, 3)
        assert not image.flags.writeable
        assert np.abs(image.astype(int) - picture()).max() <= (40 if kind == "JPEG" else 0)
        assert np.abs(image.astype(int) - picture()).mean() < 4
        assert store.size(reference(1)) == (48, 32)
        assert store.has(reference(1))
        assert store.notices.counts == {}


def grey_16():
    return Image.fromarray(picture()[..., 0].astype(np.uint16) * 257)


def with_alpha():
    image = Image.fromarray(picture())
    image.putalpha(Image.fromarray(picture(1)[..., 0]))
    return image


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.fromarray(picture()).convert("L"), "JPEG", Image.fromarray(picture()).convert("L").convert("RGB")),
        (Image.fromarray(picture()).convert("CMYK"), "JPEG", picture()),
        (Image.fromarray(picture()).convert("L"), "PNG", Image.fromarray(picture()).convert("L").convert("RGB")),
        (Image.fromarray(picture()).convert("1"), "PNG", Image.fromarray(picture()).convert("1").convert("RGB")),
        (Image.fromarray(picture()).convert("P"), "PNG", Image.fromarray(picture()).convert("P").convert("RGB")),
        (grey_16(), "PNG", picture()[..., :1].repeat(3, axis=2)),
        (with_alpha(), "PNG", picture()),
    ],
    ids=["grey JPEG", "CMYK JPEG", "grey PNG", "1-bit PNG", "palette PNG", "16-bit PNG", "PNG with alpha"],
)
def test_every_kind_of_image_becomes_bytes_of_rgb(tmp_path, image, kind, expected):
    put(tmp_path, encode(image, kind, **({"quality": 95} if kind == "JPEG" else {})))
    with FrameStore(tmp_path) as store:
        found = store.read(reference(1))
    assert found.dtype == np.uint8
    assert found.shape == (32, 48, 3)
    assert np.abs(found.astype(int) - np.asarray(expected)).mean() <= (5 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_orientation_tag_turns_neither_image_nor_size(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(tmp_path, encode(picture(), kind, exif=exif))
    with FrameStore(tmp_path) as store:
        assert store.size(reference(1)) == (48, 32)
        image = store.read(reference(1))
    assert image.shape == (32, 48, 3)
    assert np.abs(image.astype(int) - picture()).mean() < 6


def jpeg_with_thumbnail(**options):
    """A JPEG whose EXIF block holds a whole second JPEG."""
    thumbnail = encode(picture(9, 24, 16))
    entries = (
        struct.pack("<HHHII", 2, 0x0201, 4, 1, 56) + struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail)) + b"\0" * 4
    )
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 26) + b"\0" * 18 + entries + thumbnail
    content = encode(picture(), quality=90, exif=exif, **options)
    assert content.count(b"\xff\xd8\xff") == 2
    return content


JPEGS = {
    "plain": encode(picture(), quality=90),
    "progressive": encode(picture(), quality=90, progressive=True),
    "restart markers": encode(picture(), quality=90, restart_marker_blocks=2),
    "thumbnail": jpeg_with_thumbnail(),
    "progressive thumbnail": jpeg_with_thumbnail(progressive=True),
    "png": encode(picture(), "PNG"),
}


@pytest.mark.parametrize("name", JPEGS)
def test_an_image_cut_anywhere_is_never_taken_for_whole(tmp_path, name):
    whole = JPEGS[name]
    cuts = sorted({*range(0, len(whole), 17), *range(len(whole) - 12, len(whole))})
    for cut in cuts:
        put(tmp_path, whole[:cut], reference(cut))
    put(tmp_path, whole, reference(len(whole)))
    with FrameStore(tmp_path, decode_threads=2) as store:
        for (key, image), cut in zip(store.stream(map(reference, cuts)), cuts, strict=True):
            assert image is None, cut
            assert store.size(key) in (None, (48, 32), (24, 16))
        assert store.read(reference(len(whole))) is not None
        assert store.notices.counts == {"frame truncated or unreadable": len(cuts)}
        assert store.decoded == 1


@pytest.mark.parametrize("name", JPEGS)
def test_bytes_after_the_end_do_no_harm(tmp_path, name):
    put(tmp_path, JPEGS[name] + b"\r\n" + b"trailer " * 20)
    with FrameStore(tmp_path) as store:
        assert store.read(reference(1)).shape == (32, 48, 3)


def png_that_claims(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def damaged_png():
    content = bytearray(JPEGS["png"])
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a text file",
        b"<html>404 Not Found</html>" * 50,
        b"\0" * 4096,
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\xff\xd9",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        png_that_claims(0, 8),
        png_that_claims(14_000, 14_000),
        png_that_claims(65_500, 65_500),
        png_that_claims(3_000_000, 2),
        damaged_png(),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_file_that_is_no_image_is_counted_and_skipped(tmp_path, content):
    put(tmp_path, content)
    with FrameStore(tmp_path) as store:
        store.size(reference(1))
        assert store.has(reference(1))
        assert store.read(reference(1)) is None
        assert store.notices.counts == {"frame truncated or unreadable": 1}
        assert store.decoded == 0


@pytest.mark.parametrize(
    "name",
    ["cam/img1/000009.jpg", "other/a.jpg", "a.jpg", "cam/img1/folder.jpg", "x" * 300, f"cam/img1/{'9' * 5000}.jpg"],
)
def test_a_frame_that_is_not_there_is_counted_and_skipped(tree, name):
    (tree / "cam/img1/folder.jpg").mkdir()
    with FrameStore(tree) as store:
        assert not store.has(name)
        assert store.size(name) is None
        assert store.read(name) is None
        assert store.notices.counts == {"frame missing": 1}


def test_a_root_that_is_no_folder_is_refused(tree):
    for root in (tree / "absent", tree / reference(1)):
        with pytest.raises(InputError, match="is no folder of frames; ") as caught:
            FrameStore(root)
        assert str(root) in str(caught.value)


# Videos


@pytest.mark.parametrize("camera", ["avi", "mp4", "mkv"])
@given(numbers=st.lists(st.integers(1, LENGTH), min_size=1, max_size=5))
@settings(deadline=None, max_examples=8)
def test_frame_n_is_the_nth_frame_of_the_video_in_any_order(videos, camera, numbers):
    with FrameStore(videos, cache_bytes=0) as store:
        for number in numbers:
            image = store.read(reference(number, f"{camera}/img1"))
            assert image.shape == (HEIGHT, WIDTH, 3)
            assert read_number(image) == number
        assert store.notices.counts == {}


@pytest.mark.parametrize("camera", ["avi", "mp4", "mkv"])
@pytest.mark.parametrize("step", [1, -1])
def test_every_frame_of_a_video_is_read_forward_and_backward(videos, camera, step):
    numbers = range(1, LENGTH + 1)[::step]
    with FrameStore(videos, cache_bytes=0, decode_threads=2) as store:
        keys = [reference(number, f"{camera}/img1") for number in numbers]
        assert [read_number(image) for _, image in store.stream(keys)] == list(numbers)
        assert store.decoded == LENGTH
        assert {store.size(key) for key in keys} == {(WIDTH, HEIGHT)}


def test_a_video_is_opened_again_only_to_go_back(videos, monkeypatch):
    opened = []
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda *args: opened.append(args) or capture(*args))
    with FrameStore(videos, cache_bytes=0) as store:
        for number, times in (
            (1, 1),
            (2, 1),
            (2, 1),
            (9, 1),
            (LENGTH, 1),
            (LENGTH + 9, 1),
            (LENGTH, 2),
            (3, 3),
            (4, 3),
        ):
            store.read(reference(number, "mp4/img1"))
            assert len(opened) == 1 + times  # once more for its size


def test_the_number_in_the_name_counts_however_it_is_written(videos):
    with FrameStore(videos) as store:
        for name in ("7.jpg", "0007.jpg", "000000007.png"):
            assert read_number(store.read(f"mp4/img1/{name}")) == 7


@pytest.mark.parametrize(
    "name", ["frame_000007.jpg", "000000.jpg", "-7.jpg", "\u0667.jpg", "7a.jpg", f"{'9' * 5000}.jpg"]
)
def test_a_name_without_a_number_is_no_frame_of_a_video(videos, name):
    with FrameStore(videos) as store:
        assert not store.has(f"mp4/img1/{name}")
        assert store.size(f"mp4/img1/{name}") is None
        assert store.read(f"mp4/img1/{name}") is None
        assert store.notices.counts == {"frame missing": 1}


@pytest.mark.parametrize("camera", ["avi", "mp4", "mkv"])
def test_a_video_that_ends_early_is_counted(videos, camera):
    past = [reference(number, f"{camera}/img1") for number in (LENGTH + 1, LENGTH + 2, 10**15)]
    with FrameStore(videos) as store:
        assert store.has(past[0])  # a container's own count is not to be trusted, so the end is found by reading
        assert [store.read(key) for key in past] == [None] * 3
        assert not any(store.has(key) for key in past)
        assert store.has(reference(LENGTH, f"{camera}/img1"))
        assert store.notices.counts == {"video ends early": 3}
        assert f"ends at frame {LENGTH})" in store.notices.lines()[0]
        assert read_number(store.read(reference(LENGTH, f"{camera}/img1"))) == LENGTH
        for key in past:
            store.note_absent(key)
        assert store.notices.counts == {"video ends early": 3}


def test_a_video_file_that_was_cut_gives_the_frames_it_still_has(tmp_path):
    path = write_video(tmp_path / "cam" / "vdo.avi")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    keys = [reference(number) for number in range(1, LENGTH + 1)]
    with FrameStore(tmp_path) as store:
        images = [image for _, image in store.stream(keys)]
        read = [number for number, image in enumerate(images, 1) if image is not None]
        assert read == list(range(1, len(read) + 1))
        assert 0 < len(read) < LENGTH
        assert [read_number(images[number - 1]) for number in read[:-1]] == read[:-1]
        assert sum(store.notices.counts.values()) == LENGTH - len(read)


def test_an_image_goes_before_the_video(tmp_path):
    write_video(tmp_path / "cam" / "vdo.avi")
    put(tmp_path, encode(numbered(500), "PNG"), "cam/img1/000002.jpg")
    with FrameStore(tmp_path) as store:
        assert [read_number(store.read(reference(number))) for number in (1, 2, 3)] == [1, 500, 3]


def test_vdo_avi_goes_before_every_other_video(tmp_path):
    write_video(tmp_path / "cam" / "a.mp4", first=100, length=3)
    write_video(tmp_path / "cam" / "vdo.avi", length=3)
    write_video(tmp_path / "cam" / "b.mkv", first=200, length=3)
    with FrameStore(tmp_path) as store:
        assert read_number(store.read(reference(2))) == 2


def test_several_videos_and_no_vdo_avi_are_refused(tmp_path):
    for name in ("a.mp4", "B.MKV", "c.avi"):
        put(tmp_path, b"", f"cam/{name}")
    with (
        FrameStore(tmp_path) as store,
        pytest.raises(FrameError, match=r"B\.MKV, a\.mp4, c\.avi.*; keep one") as caught,
    ):
        store.has(reference(1))
    assert str(tmp_path / "cam") in str(caught.value)


def test_what_only_looks_like_a_video_is_passed_over(tmp_path):
    write_video(tmp_path / "cam" / "clip.mp4", length=3)
    put(tmp_path, b"\0\5\x16\7", "cam/._clip.mp4")
    put(tmp_path, b"notes", "cam/clip.mp4.txt")
    (tmp_path / "cam" / "old.avi").mkdir()
    with FrameStore(tmp_path) as store:
        assert read_number(store.read(reference(2))) == 2


def test_a_video_that_does_not_open_is_refused(tmp_path):
    put(tmp_path, b"no video at all", "cam/vdo.avi")
    with FrameStore(tmp_path) as store, pytest.raises(InputError, match="cannot be opened as a video; ") as caught:
        store.read(reference(1))
    assert str(tmp_path / "cam" / "vdo.avi") in str(caught.value)


def test_a_video_may_lie_at_the_root_itself(tmp_path):
    write_video(tmp_path / "vdo.avi", length=3)
    with FrameStore(tmp_path) as store:
        assert read_number(store.read("img1/000002.jpg")) == 2


def test_a_colon_in_a_relative_path_is_no_protocol(tmp_path, monkeypatch):
    write_video(tmp_path / "data:x" / "cam" / "vdo.avi", length=3)
    monkeypatch.chdir(tmp_path)
    with FrameStore("data:x") as store:
        assert read_number(store.read(reference(2))) == 2


def test_a_turned_video_has_the_size_of_its_frames(tmp_path):
    path = write_video(tmp_path / "cam" / "clip.mp4", length=3)
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    head, _, tail = path.read_bytes().rpartition(upright)  # the track's matrix comes after the film's
    path.write_bytes(head + turned + tail)
    with FrameStore(tmp_path) as store:
        width, height = store.size(reference(1))
        assert store.read(reference(1)).shape == (height, width, 3)


def test_the_shipped_clip_is_read_frame_by_frame(sample):
    numbers = [1, 57, 2, 377]
    with FrameStore(sample, decode_threads=2) as store:
        keys = [reference(number, "carpark/img1") for number in numbers]
        images = dict(store.stream(keys))
        assert [store.size(key) for key in keys] == [(768, 432)] * 4
        assert store.read(reference(378, "carpark/img1")) is None
        assert store.notices.counts == {"video ends early": 1}
    capture = cv2.VideoCapture(str(sample / "carpark" / "carpark.mp4"))
    for number in range(1, 378):
        assert capture.grab()
        if number in numbers:
            expected = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
            assert np.array_equal(images[reference(number, "carpark/img1")], expected)
    assert not capture.grab()


# The order of work


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_results_come_in_the_order_given_each_frame_decoded_once(videos, threads):
    numbers = [3, 1, 3, 9, 2, 1, 24, 9]
    keys = [reference(number, f"{camera}/img1") for number in numbers for camera in ("mp4", "avi")]
    with FrameStore(videos, decode_threads=threads, cache_bytes=0) as store:
        found = list(store.map(keys, lambda key, image: (key, read_number(image))))
        assert [key for key, _ in found] == list(dict.fromkeys(keys))
        assert all(value == (key, frame_number(key)) for key, value in found)
        assert store.decoded == len(set(keys))


def test_any_number_of_threads_reads_the_same_bytes(tree, videos):
    keys = [reference(number) for number in range(1, 6)]
    for root, names in ((tree, keys), (videos, [reference(number, "avi/img1") for number in range(1, LENGTH + 1)])):
        seen = []
        for threads in (1, 2, 3, 4):
            with FrameStore(root, decode_threads=threads) as store:
                seen.append([image.tobytes() for _, image in store.stream(names)])
        assert seen[0] == seen[1] == seen[2] == seen[3]


def test_images_arrive_in_order_whichever_is_ready_first(tree):
    turns = {reference(number): threading.Event() for number in range(1, 4)}
    keys = list(turns)
    for order in permutations(keys):
        for event in turns.values():
            event.clear()
        turns[order[0]].set()

        def work(key, _image, order=order):
            assert turns[key].wait(10)
            following = order[order.index(key) + 1 :]
            if following:
                turns[following[0]].set()
            return key

        with FrameStore(tree, decode_threads=3) as store:
            assert [result for _, result in store.map(keys, work)] == keys


@pytest.mark.parametrize("camera", [None, "mp4"])
@pytest.mark.parametrize("failing", [1, 3, 5])
def test_an_exception_in_the_work_reaches_the_caller(tree, videos, camera, failing):
    root, folder = (tree, "cam/img1") if camera is None else (videos, f"{camera}/img1")
    keys = [reference(number, folder) for number in range(1, 6)]

    def work(key, _image):
        if frame_number(key) == failing:
            raise ZeroDivisionError(key)
        return key

    done = []
    with FrameStore(root, decode_threads=2) as store:
        with pytest.raises(ZeroDivisionError, match=reference(failing, folder)):
            done.extend(key for key, _ in store.map(keys, work))
        assert done == keys[: failing - 1]
        assert store.read(keys[0]) is not None


def test_a_map_that_is_left_early_does_not_hang(tree):
    with FrameStore(tree, decode_threads=2) as store:
        found = store.map([reference(number) for number in range(1, 6)], lambda key, _: key)
        assert next(found)[0] == reference(1)
        found.close()
        assert store.read(reference(5)) is not None


def test_no_more_frames_are_decoded_ahead_than_the_threads_can_use(tree):
    for number in range(6, 40):
        put(tree, encode(picture(number)), reference(number))
    with FrameStore(tree, decode_threads=2, cache_bytes=0) as store:
        found = store.stream([reference(number) for number in range(1, 40)])
        next(found)
        time.sleep(0.1)
        assert store.decoded <= 5
        found.close()


# The cache


@pytest.mark.parametrize("kept", [0, 1, 2, 5])
def test_the_cache_keeps_what_its_budget_holds(tree, kept):
    keys = [reference(number) for number in range(1, 6)]
    with FrameStore(tree, cache_bytes=kept * picture().nbytes) as store:
        for key in keys:
            store.read(key)
        assert store.decoded == 5
        for key in reversed(keys[5 - kept :]):
            store.read(key)
        assert store.decoded == 5
        if kept < 5:
            store.read(keys[4 - kept])
            assert store.decoded == 6


def test_the_cache_never_goes_over_its_budget(tree):
    with FrameStore(tree, cache_bytes=2 * picture().nbytes - 1) as store:
        for number in (1, 2, 1):
            store.read(reference(number))
        assert store.decoded == 3


def test_what_was_used_last_is_kept(tree):
    with FrameStore(tree, cache_bytes=2 * picture().nbytes) as store:
        for number in (1, 2, 1, 3, 1):
            store.read(reference(number))
        assert store.decoded == 3


def test_a_frame_larger_than_the_budget_pushes_nothing_out(tree):
    put(tree, encode(picture(width=480, height=320)), reference(9))
    with FrameStore(tree, cache_bytes=picture().nbytes) as store:
        for number in (1, 9, 1, 9):
            store.read(reference(number))
        assert store.decoded == 3


# Numbers and order


@pytest.mark.parametrize(
    ("name", "number"),
    [("a/img1/000123.jpg", 123), ("5.png", 5), ("a/000007.tar.gz", 7), ("a/x7.jpg", 0), ("a/.jpg", 0), ("12/a.jpg", 0)],
)
def test_the_number_of_a_frame_is_that_of_its_name(name, number):
    assert frame_number(name) == number


def test_frames_are_ordered_by_camera_then_number():
    ordered = ["a/img1/x.jpg", "a/img1/2.jpg", "a/img1/000010.jpg", "b/img1/1.jpg"]
    for order in permutations(ordered):
        assert sorted(order, key=frame_order) == ordered

"""FrameStore: a frame reference → an RGB array, from a tree of images or straight from a camera's video.

`cam/img1/000123.jpg` below the root is that file. Where it is absent and `cam/` holds one video (`vdo.avi`, or a single
`*.mp4`, `*.mkv` or `*.avi`), it is frame 123 of the video, counting from 1, as CityFlow's extraction numbers them.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from .arguments import check_kind, items, path_of, whole_number
from .errors import InputError
from .notices import Notices
from .video import Video, VideoReader, find_video, is_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from .notices import Kind

T = TypeVar("T")


class FrameStore:
    """Decoded frames below a root folder, each distinct frame decoded once a pass.

    decode_threads: how many frames are decoded at once.  cache_bytes: how much of what was decoded is kept for reuse.
    notices: where missing, truncated and cut-off footage is counted.
    A store is for the process that opened it; after a fork the child opens its own.
    Raises InputError when the root is no folder or an option is too small; reading raises FrameError for a camera's
    folder with several videos and no `vdo.avi`.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        decode_threads: int = 1,
        cache_bytes: int = 256 * 2**20,
        notices: Notices | None = None,
    ) -> None:
        self.root = path_of("root", root)
        if not self.root.is_dir():
            raise InputError(
                self.root, "is no folder of frames", "give the folder that the frame references start from"
            )
        for option, value, least in (("decode_threads", decode_threads, 1), ("cache_bytes", cache_bytes, 0)):
            whole_number(option, value, least=least)
        self.decode_threads = decode_threads
        self.notices = notices if notices is not None else Notices()
        self.decoded = 0
        self._cache = _Cache(cache_bytes)
        self._pool = ThreadPoolExecutor(decode_threads, "decode")
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._closed = False
        self._videos: dict[str, Video | None] = {}
        self._readers = threading.local()
        self._sizes: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the decode threads and let go of the videos."""
        self._closed = True
        self._pool.shutdown(cancel_futures=True)
        self._readers = threading.local()

    def read(self, reference: str) -> NDArray[np.uint8] | None:
        """Return uint8 [H, W, 3] RGB, read-only, or None where the frame is missing or truncated (counted)."""
        return next(image for _, image in self.stream([reference]))

    def stream(self, references: Iterable[str]) -> Iterator[tuple[str, NDArray[np.uint8] | None]]:
        """Yield each distinct reference with its image, in the order given, decoded ahead by the store's threads."""
        return self.map(references, lambda _, image: image)

    def map(
        self, references: Iterable[str], work: Callable[[str, NDArray[np.uint8] | None], T]
    ) -> Iterator[tuple[str, T]]:
        """Yield (reference, work(reference, image)) for each distinct reference, in the order given.

        `work` runs on the decode threads, beside the decoding, and only its result is kept: what waits for the caller
        is never a whole frame. Sort the references with `frame_order` so that a video is read once, forward.
        """
        if self._closed or self._process != os.getpid():
            state = "is closed" if self._closed else "was opened before this process was forked"
            raise InputError(self.root, state, "open another FrameStore")
        waiting: deque[tuple[str, Future[T]]] = deque()
        try:
            for reference in dict.fromkeys(items("references", references, str, "give paths below the root")):
                waiting.append((reference, self._submit(reference, work)))
                if len(waiting) > 2 * self.decode_threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()

    def absence(self, reference: str) -> Kind | None:
        """Return why a frame is not there, or None where its file or a video that may hold it is. Opens no image."""
        video = self._video(reference)
        if video is None:
            return None if is_file(self.root / reference) else "frame missing"
        number = frame_number(reference)
        if not number:
            return "frame missing"
        return None if video.length is None or number <= video.length else "video ends early"

    def note_absent(self, reference: str) -> None:
        """Count a frame that is not there."""
        kind = self.absence(reference)
        if kind == "video ends early":
            self._note_end(reference)
        elif kind is not None:
            self.notices.add(kind, reference)

    def has(self, reference: str) -> bool:
        """Tell whether a frame's file is there, or a video that may hold it."""
        return self.absence(reference) is None

    def size(self, reference: str) -> tuple[int, int] | None:
        """Return the frame's width and height without decoding it, or None where it is missing or unreadable."""
        found = self._sizes.get(reference)
        if found is None:
            video = self._video(reference)
            if video is not None:
                found = video.size if frame_number(reference) else None
            else:
                found = _image_size(self.root / reference)
            if found is not None:
                self._sizes[reference] = found
        return found

    def _submit(self, reference: str, work: Callable[[str, NDArray[np.uint8] | None], T]) -> Future[T]:
        cached = self._cache.get(reference)
        if cached is not None:
            return self._pool.submit(work, reference, cached)
        video = self._video(reference)
        if video is None:
            return self._pool.submit(lambda: work(reference, self._read_image(reference)))
        # One decoder reads a video; converting and working on its frames is what the pool's threads do.
        grabbed = self._read_video(video, reference)
        return self._pool.submit(work, reference, grabbed)

    def _read_image(self, reference: str) -> NDArray[np.uint8] | None:
        path = self.root / reference
        try:
            content = path.read_bytes()
        except OSError:
            self.notices.add("frame missing", reference)
            return None
        image = _decode(content)
        if image is None:
            self.notices.add("frame truncated or unreadable", reference)
            return None
        return self._keep(reference, image)

    def _read_video(self, video: Video, reference: str) -> NDArray[np.uint8] | None:
        number = frame_number(reference)
        image = self._reader(video).read(number) if number else None
        if image is not None:
            return self._keep(reference, image)
        if self.absence(reference) is None:
            self.notices.add("frame truncated or unreadable", reference)
        self.note_absent(reference)
        return None

    def _reader(self, video: Video) -> VideoReader:
        """Return this thread's reader of a video.

        A decoder holds threads and buffers, and a network has many cameras: a thread has one open at a time. Threads
        do not share one, for each would wind it back for itself.
        """
        reader: VideoReader | None = getattr(self._readers, "reader", None)
        if reader is None or reader.video is not video:
            if reader is not None:
                reader.close()
            reader = self._readers.reader = VideoReader(video, self.decode_threads)
        return reader

    def _note_end(self, reference: str) -> None:
        video = self._video(reference)
        if video is not None:
            self.notices.add("video ends early", f"{reference} ({video.path.name} ends at frame {video.length})")

    def _keep(self, reference: str, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image.setflags(write=False)
        with self._lock:
            self.decoded += 1
        self._cache.put(reference, image)
        return image

    def _video(self, reference: str) -> Video | None:
        """Return the video that stands in for a reference whose file is absent, if there is one."""
        check_kind("reference", reference, str, "give a path below the root")
        folder, _, _ = reference.rpartition("/")
        camera, _, images = folder.rpartition("/")
        if images != "img1" or is_file(self.root / reference):
            return None
        with self._lock:
            if camera not in self._videos:
                path = find_video(self.root / camera)
                self._videos[camera] = None if path is None else Video(path)
            return self._videos[camera]


def frame_number(reference: str) -> int:
    """Return the number in a reference's file name, 0 where there is none."""
    stem = reference.rpartition("/")[2].partition(".")[0]
    return int(stem) if stem.isdecimal() and stem.isascii() and len(stem) < 19 else 0


def frame_order(reference: str) -> tuple[str, int, str]:
    """Sort key that keeps a camera's frames together and in the order of their numbers."""
    return reference.rpartition("/")[0], frame_number(reference), reference


class _Cache:
    """The most recently used frames, within a budget of bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._held = 0
        self._lock = threading.Lock()
        self._frames: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    def get(self, reference: str) -> NDArray[np.uint8] | None:
        with self._lock:
            if reference in self._frames:
                self._frames.move_to_end(reference)
            return self._frames.get(reference)

    def put(self, reference: str, image: NDArray[np.uint8]) -> None:
        with self._lock:
            if reference in self._frames or image.nbytes > self._budget:
                return
            self._frames[reference] = image
            self._held += image.nbytes
            while self._held > self._budget:
                _, oldest = self._frames.popitem(last=False)
                self._held -= oldest.nbytes


def _decode(content: bytes) -> NDArray[np.uint8] | None:
    import cv2

    if not content or _truncated(content):
        return None
    # The boxes are in the stored pixels, so an orientation tag is not applied.
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # a damaged header that claims more pixels than OpenCV takes
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _truncated(content: bytes) -> bool:
    """Tell whether a JPEG or PNG lacks its end. Decoders fill what is missing with grey and say nothing.

    Inside JPEG scan data every 0xFF is followed by 0x00 or a restart marker, so an end marker after the last start of
    scan is the real one.
    """
    if content.startswith(b"\xff\xd8"):
        return content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda")
    return content.startswith(b"\x89PNG") and b"IEND\xaeB\x60\x82" not in content


def _image_size(path: Path) -> tuple[int, int] | None:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # all of them for damaged headers
        return None

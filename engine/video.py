"""One camera's video, read forward and converted only where a frame is wanted.

A container's seek lands on the wrong frame often enough that a ranking built on it could not be reproduced; counting
frames from the start always agrees with extracting them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from .errors import FrameError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    import cv2
    from numpy.typing import NDArray

SUFFIXES = (".avi", ".mkv", ".mp4")


class Video:
    """One video file.

    path: the file.  size: width and height.  length: in frames, None until a reader met the end.
    Raises InputError when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        import cv2

        self.path = path
        self.length: int | None = None
        capture = self.open(threads=1)
        self.size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        capture.release()

    def open(self, *, threads: int) -> cv2.VideoCapture:
        """Return a capture at the video's start, decoded by so many threads."""
        import cv2

        # An absolute path: FFmpeg takes what stands before a colon in a relative one for a protocol.
        capture = cv2.VideoCapture(str(self.path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
        if not capture.isOpened():
            raise InputError(
                self.path, "cannot be opened as a video", "replace the file or extract its frames to img1/"
            )
        return capture


class VideoReader:
    """Reads frames of one video, counting from 1; going back starts from the beginning. For one thread."""

    def __init__(self, video: Video, threads: int) -> None:
        self.video = video
        self._threads = threads
        self._capture = video.open(threads=threads)
        self._grabbed = 0

    def read(self, number: int) -> NDArray[np.uint8] | None:
        """Return frame `number` as uint8 [H, W, 3] RGB; None past the end, or where it cannot be converted."""
        import cv2

        if self.video.length is not None and number > self.video.length:
            return None
        if number < self._grabbed:
            self.close()
            self._capture, self._grabbed = self.video.open(threads=self._threads), 0
        while self._grabbed < number:
            if not self._capture.grab():
                self.video.length = self._grabbed
                self._grabbed += 1  # past the end nothing can be retrieved, not even the last frame again
                return None
            self._grabbed += 1
        found, image = self._capture.retrieve()
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8) if found else None

    def close(self) -> None:
        """Let go of the decoder."""
        self._capture.release()


def find_video(camera: Path) -> Path | None:
    """Return the video of a camera's folder: `vdo.avi`, or the only one. Raises FrameError when it holds several."""
    if is_file(camera / "vdo.avi"):
        return camera / "vdo.avi"
    with suppress(OSError):
        # Hidden files are not footage: copying from a Mac leaves a `._vdo.mp4` beside every vdo.mp4.
        visible = (path for path in camera.iterdir() if not path.name.startswith("."))
        videos = sorted(path for path in visible if path.suffix.lower() in SUFFIXES and path.is_file())
        if len(videos) > 1:
            names = ", ".join(path.name for path in videos)
            raise FrameError(camera, f"holds several videos ({names})", "keep one, or name the right one vdo.avi")
        return videos[0] if videos else None
    return None


def is_file(path: Path) -> bool:
    """Tell whether a file is there; a name too long for the file system or a closed folder is no file."""
    try:
        return path.is_file()
    except OSError:
        return False

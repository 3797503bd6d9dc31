"""FeatureMaps: a view of a frame → its feature map, kept between encoding the frames and masking them."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self

import numpy as np

from .errors import InputError, OutputError
from .frames import frame_order

if TYPE_CHECKING:
    from io import FileIO

    from numpy.typing import NDArray

    Features = NDArray[np.float16 | np.float32]


class View(NamedTuple):
    """A part of a frame.

    frame: its reference.  size: its width and height, pixels.  part: x0, y0, x1, y1 in pixels, half-open.
    """

    frame: str
    size: tuple[int, int]
    part: tuple[int, int, int, int]

    def __str__(self) -> str:
        x0, y0, x1, y1 = self.part
        return f"{self.frame} [{x0}:{x1}, {y0}:{y1}]"


def view_order(view: View) -> tuple[object, ...]:
    """Return the key of the order in which views are worked on: that of the footage."""
    return *frame_order(view.frame), view.part


class FeatureMaps:
    """The feature maps of a gallery's views: in memory up to a budget, beyond it in one temporary file.

    memory_bytes: how much is kept in memory.  directory: where the file goes, by default the system's temporary folder.
    A map stays where it is first put: passes over more views than fit would turn an LRU over without a single hit, and
    the maps of the file that are asked for often are in the system's page cache anyway.
    The file has no name, so nothing of it outlives the process. It is made when the first map needs it, and
    goes with the store, closed or not.
    Safe to share between threads; after a fork the child may read.
    Raises InputError when the budget is negative; putting and getting raise OutputError naming the file's folder.
    """

    def __init__(self, *, memory_bytes: int, directory: str | Path | None = None) -> None:
        if memory_bytes < 0:
            option = "memory_bytes"
            raise InputError(option, f"is {memory_bytes}", "give 0 or more")
        self._budget = memory_bytes
        self._directory = directory
        self._lock = threading.Lock()
        self._closed = False
        self._kind: tuple[tuple[int, ...], np.dtype[np.float16 | np.float32]] | None = None
        self._memory: dict[View, Features] = {}
        self._slots: dict[View, int] = {}
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, view: object) -> bool:
        with self._lock:
            return view in self._memory or view in self._slots

    def __len__(self) -> int:
        with self._lock:
            return len(self._memory) + len(self._slots)

    @property
    def memory_bytes_used(self) -> int:
        """The bytes of the maps in memory, at most the budget."""
        with self._lock:
            return sum(held.nbytes for held in self._memory.values())

    @property
    def spilled(self) -> int:
        """The number of maps in the file."""
        with self._lock:
            return len(self._slots)

    def put(self, view: View, features: Features) -> None:
        """Keep a copy of a view's map; a view that is held already keeps its first.

        features: float16 or float32 [c, h, w] in any layout, of one shape and type for the whole store.
        Raises ValueError naming the view where the shape or type is another, and when the store is closed; OutputError
        where the file cannot be made or written.
        """
        with self._lock:
            if self._closed:
                message = f"{view}: put into feature maps that are closed"
                raise ValueError(message)
            self._check(view, features)
            if view in self._memory or view in self._slots:
                return
            if (len(self._memory) + 1) * features.nbytes <= self._budget:
                held = features.copy(order="C")
                held.setflags(write=False)
                self._memory[view] = held
            else:
                # Written under the lock, so that a view is never half there and a failed write's slot is taken again.
                slot = len(self._slots)
                self._spill(np.ascontiguousarray(features), slot * features.nbytes)
                self._slots[view] = slot

    def get(self, view: View) -> Features | None:
        """Return the map as it was put, [c, h, w] in C order and read-only, or None where the view is not held.

        Each call returns a new array for a map that is in the file. Raises OutputError where the file cannot be read.
        """
        with self._lock:
            slot = self._slots.get(view)
            if slot is None or self._file is None or self._kind is None:
                return self._memory.get(view)
            shape, dtype = self._kind
            try:
                # Closing the store must not pull the file from under a read, which runs beside those of other threads.
                descriptor = os.dup(self._file.fileno())
            except OSError as error:
                self._refuse("read back", error)
        try:
            features = np.empty(shape, dtype)
            _read(descriptor, features, slot * features.nbytes)
        except OSError as error:
            self._refuse("read back", error)
        finally:
            os.close(descriptor)
        features.setflags(write=False)
        return features

    def close(self) -> None:
        """Let go of every map, and of the file with its space on the disk."""
        with self._lock:
            self._closed = True
            self._memory.clear()
            self._slots.clear()
            if self._file is not None:
                self._file.close()
                self._file = None

    def _check(self, view: View, features: Features) -> None:
        """Raise ValueError unless a map has the store's shape and type, which the first one decides."""
        if self._kind is None:
            if features.ndim != 3 or features.dtype not in (np.float16, np.float32):
                message = f"{view}: a feature map is float16 or float32 [c, h, w], not {_say(features)}"
                raise ValueError(message)
            self._kind = features.shape, features.dtype
        if self._kind != (features.shape, features.dtype):
            shape, dtype = self._kind
            message = f"{view}: the feature map is {_say(features)}, those before it are {dtype} {list(shape)}"
            raise ValueError(message)

    def _spill(self, features: Features, offset: int) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115
                weakref.finalize(self, self._file.close)  # an index that nobody closed lets go of it all the same
            _write(self._file.fileno(), features, offset)
        except OSError as error:
            self._refuse("written", error)

    def _refuse(self, deed: str, error: OSError) -> NoReturn:
        try:
            folder = self._directory or tempfile.gettempdir()
        except OSError:
            folder = "the temporary folder"
        raise OutputError(
            folder,
            f"the feature maps that memory does not hold cannot be {deed} ({error.strerror or error})",
            "hold more of them with a larger --feature-cache, or set TMPDIR to a folder with more room",
        ) from error


def _write(descriptor: int, features: Features, offset: int) -> None:
    rest = _bytes(features)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest, offset = rest[written:], offset + written


def _read(descriptor: int, features: Features, offset: int) -> None:
    rest = _bytes(features)
    while rest:
        read = os.preadv(descriptor, [rest], offset)
        if not read:
            raise OSError(errno.EIO, "the file ends early")
        rest, offset = rest[read:], offset + read


def _bytes(features: Features) -> memoryview:
    return features.reshape(-1).view(np.uint8).data


def _say(features: Features) -> str:
    return f"{features.dtype} {list(features.shape)}"

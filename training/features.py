"""What frozen backbones made of images, kept on disk in one byte a number."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.errors import unwritable

from .cpu import release_freed_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEVELS = 255
_TINY = 1e-30  # below any range that is not zero
_MORE = 256  # arrays that room is made for at a time


class FeatureFile:
    """Arrays of one shape in a file without a name, gone when it is closed, in the folder for temporary files.

    Each channel (the first axis) of an array is cut into 256 levels between its least and its greatest value.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        """Raise OutputError when the folder cannot be written."""
        self._shape = tuple(shape)
        self._bounds: list[np.ndarray] = []
        self._folder = tempfile.gettempdir()
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        except OSError as error:
            raise unwritable(self._folder, error) from error
        weakref.finalize(self, self._file.close)
        self._levels = np.empty((0, *self._shape), np.uint8)

    def __len__(self) -> int:
        return len(self._bounds)

    def append(self, values: np.ndarray) -> None:
        """Keep an array, float. Raises OutputError when there is no room."""
        row, inner = len(self), tuple(range(1, values.ndim))
        if row == len(self._levels):
            self._grow(row + _MORE)
        low, high = values.min(axis=inner, keepdims=True), values.max(axis=inner, keepdims=True)
        self._levels[row] = np.rint((values - low) * (_LEVELS / np.maximum(high - low, _TINY)))
        self._bounds.append(np.stack([low, high]).astype(np.float32))

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return arrays, float32 [K, …], each channel off by (greatest − least) / 510 at most."""
        return self.first(self._shape[0], rows)

    def first(self, channels: int, rows: np.ndarray) -> np.ndarray:
        """Return the first so many channels of arrays as `[rows]` does, and read no others."""
        low, high = np.stack([self._bounds[row][:, :channels] for row in rows], axis=1)
        values = np.stack([self._levels[row, :channels] for row in rows]).astype(np.float32)
        values *= (high - low) / np.float32(_LEVELS)
        values += low
        return values

    def _grow(self, count: int) -> None:
        release_freed_memory()  # what made the arrays left holes as large as they are
        try:
            # A hole in a file is found out when it is written, and then ends the process.
            os.posix_fallocate(self._file.fileno(), 0, count * int(np.prod(self._shape)))
            self._levels = np.memmap(self._file, np.uint8, "r+", shape=(count, *self._shape))
        except OSError as error:
            raise unwritable(self._folder, error) from error

"""What frozen backbones made of images, kept on disk in one byte a number."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.errors import unwritable

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEVELS = 255
_TINY = 1e-30  # below any range that is not zero


class FeatureFile:
    """N arrays of one shape in a file without a name, gone when it is closed, in the folder for temporary files.

    Each channel (the first axis) of an array is cut into 256 levels between its least and its greatest value.
    """

    def __init__(self, count: int, shape: Sequence[int]) -> None:
        """Raise OutputError when there is no room."""
        self._bounds = np.zeros((count, 2, shape[0], *[1] * (len(shape) - 1)), np.float32)
        folder = tempfile.gettempdir()
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                # A hole in a file is found out when it is written, and then ends the process.
                os.posix_fallocate(file.fileno(), 0, max(1, count * int(np.prod(shape))))
                self._levels = np.memmap(file, np.uint8, "r+", shape=(count, *shape))
        except OSError as error:
            raise unwritable(folder, error) from error

    def __setitem__(self, row: int, values: np.ndarray) -> None:
        """Keep an array, float."""
        inner = tuple(range(1, values.ndim))
        low, high = values.min(axis=inner, keepdims=True), values.max(axis=inner, keepdims=True)
        self._bounds[row] = low, high
        self._levels[row] = np.rint((values - low) * (_LEVELS / np.maximum(high - low, _TINY)))

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return arrays, float32 [K, …], each channel off by (greatest − least) / 510 at most."""
        low, high = self._bounds[rows].swapaxes(0, 1)
        return self._levels[rows].astype(np.float32) * ((high - low) / np.float32(_LEVELS)) + low

"""What the machine can do at most, measured beside a figure: fused multiply-adds a second and bytes read a second."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

SOURCE = Path(__file__).with_name("ceilings.cpp")
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC")
STEPS, ROUNDS = 2_000_000, 5


def multiply_adds_per_second(threads: int) -> float:
    """Return the float32 fused multiply-adds that `threads` threads do in their registers."""
    library = _library()
    step = library.multiply_add
    return threads * STEPS * library.step_size() / _best(threads, lambda _: step(STEPS))


def bytes_per_second(array: np.ndarray, threads: int) -> float:
    """Return how fast `threads` threads read a contiguous float32 array, a share each."""
    share = array.size // threads // 64 * 64
    read, start = _library().read, array.ctypes.data
    return threads * share * 4 / _best(threads, lambda thread: read(start + 4 * share * thread, share))


def _best(threads: int, work: Callable[[int], object]) -> float:
    """Return the least seconds of some rounds of work(0) … work(threads − 1), all at once."""
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            list(pool.map(work, range(threads)))
            seconds.append(time.perf_counter() - start)
    return min(seconds)


@cache
def _library() -> ctypes.CDLL:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("the ceilings are built for this very CPU, and there is no c++")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ceilings.so"
        subprocess.run([compiler, *FLAGS, SOURCE, "-o", path], check=True)
        library = ctypes.CDLL(str(path))
    library.multiply_add.argtypes = [ctypes.c_size_t]
    library.read.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    for function in (library.multiply_add, library.read):
        function.restype = ctypes.c_float
    library.step_size.restype = ctypes.c_size_t
    return library

"""The kernels' definitions in plain numpy, bit for bit, and the numbers they are tried on."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = 16


class Reference:
    """What each kernel must return."""

    @staticmethod
    def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        """float32 fused multiply-add. The product is exact in float64; its sum with c is rounded to odd there, after
        which rounding to float32 is the only rounding that counts."""
        product, addend = a.astype(np.float64) * b, c.astype(np.float64)
        total = product + addend
        part = total - product
        error = (product - (total - part)) + (addend - part)
        even = (total.view(np.int64) & 1) == 0
        inexact = np.isfinite(total) & (error != 0)
        towards = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
        return np.where(inexact & even, towards, total).astype(np.float32)

    @staticmethod
    def fold(lanes: np.ndarray) -> np.ndarray:
        while lanes.shape[-1] > 1:
            half = lanes.shape[-1] // 2
            lanes = lanes[..., :half] + lanes[..., half:]
        return lanes[..., 0] + np.float32(0)

    @classmethod
    def scores(cls, queries: np.ndarray, tracks: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            lanes = np.zeros((len(queries), len(tracks), LANES), np.float32)
            for e in range(queries.shape[1]):
                lane = lanes[:, :, e % LANES]
                lane[...] = cls.fma(queries[:, None, e], tracks[None, :, e], lane)
            return cls.fold(lanes)

    @classmethod
    def topk(
        cls, queries: np.ndarray, tracks: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        scores = cls.scores(queries, tracks)
        rows = np.arange(len(tracks)) if allowed is None else np.flatnonzero(allowed)
        k = min(k, len(tracks))
        ids = np.full((len(queries), k), -1, np.int64)
        best = np.full((len(queries), k), -np.inf, np.float32)
        for i, row_scores in enumerate(scores[:, rows]):
            order = np.argsort(-row_scores, kind="stable")[:k]
            ids[i, : len(order)], best[i, : len(order)] = rows[order], row_scores[order]
        return ids, best

    @classmethod
    def box_means(cls, maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
        means = np.zeros((len(cells), maps.shape[1]), np.float32)
        with np.errstate(all="ignore"):
            for n, (frame, x0, y0, x1, y1) in enumerate(cells):
                lanes = np.zeros((maps.shape[1], LANES), np.float32)
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        lanes[:, (x - x0) % LANES] += maps[frame, :, y, x].astype(np.float32)
                means[n] = cls.fold(lanes) / np.float32((x1 - x0) * (y1 - y0))
        return means

    @classmethod
    def masked_pool_mean(cls, maps: np.ndarray, cells: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        pooled = cls.box_means(maps, cells)
        with np.errstate(all="ignore"):
            lengths = np.sqrt([cls.scores(row[None], row[None])[0, 0] for row in pooled]).reshape(-1, 1)
            return cls.segment_mean(np.where(lengths == 0, pooled, pooled / lengths), offsets)

    @staticmethod
    def segment_mean(rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        means = np.zeros((len(offsets) - 1, rows.shape[1]), np.float32)
        with np.errstate(all="ignore"):
            for s, (begin, end) in enumerate(pairwise(offsets)):
                for row in rows[begin:end]:
                    means[s] += row
                means[s] /= np.float32(end - begin)
        return means


def wild_floats(seed: int, shape: tuple[int, ...], spread: int = 40) -> np.ndarray:
    """Floats over many magnitudes, denormals, zeros of both signs and equal values among them."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape) * np.exp2(rng.integers(-spread, spread + 1, shape).astype(np.float64))
    values = np.where(rng.random(shape) < 0.05, rng.choice([0.0, -0.0, 1.0, 1e-45, -1e-40, 1e-38], shape), values)
    with np.errstate(all="ignore"):
        return values.astype(np.float32)


def every_layout(array: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same numbers as views of every kind: none may change a bit of a result, none may be copied whole."""
    wide = np.zeros([2 * size + 1 for size in array.shape], array.dtype)
    stepped = wide[tuple(slice(1, None, 2) for _ in array.shape)]
    stepped[...] = array
    raw = np.zeros(array.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(array.dtype).reshape(array.shape) if array.size else array.copy()
    unaligned[...] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    reverse = tuple(slice(None, None, -1) for _ in array.shape)
    last_reversed = (..., slice(None, None, -1))
    return {
        "contiguous": array.copy(),
        "column order": np.asfortranarray(array),
        "stepped": stepped,
        "reversed": array[reverse].copy()[reverse],
        "columns reversed": array[last_reversed].copy()[last_reversed],
        "unaligned": unaligned,
        "read-only": read_only,
    }


@pytest.fixture(scope="session")
def reference() -> type[Reference]:
    return Reference


@pytest.fixture(scope="session")
def wild() -> Callable[..., np.ndarray]:
    return wild_floats


@pytest.fixture(scope="session")
def layouts() -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    return every_layout


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `script` in a Python of its own, with `environment` added to this one's."""
        command = [sys.executable, "-c", script, *arguments]
        return subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture(scope="session")
def same_bits() -> Callable[[np.ndarray, np.ndarray], bool]:
    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()

    return same

"""How fast is exact top-k beside other libraries, and beside what the machine can do?

Unit vectors of normal numbers. A peer that computes in float32 must return our ids, but for places whose scores differ
by rounding alone; others are shown with their overlap and do not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from nlvr.benchmarks.ceilings import bytes_per_second, multiply_adds_per_second
from nlvr.benchmarks.peers import compare
from nlvr.engine import kernels, summary

try:
    import faiss
except ModuleNotFoundError:
    faiss = None
try:
    from usearch import index as usearch
except ModuleNotFoundError:
    usearch = None

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    Peer = Callable[[], np.ndarray]

DIMS = 512
EXACT = ("numpy", "torch", "faiss", "usearch")
LARGEST_COPY = 100_000  # tracks
MOST_PAIRS = 1_000_000  # that usearch scores
ROUNDING = 2e-6  # of the score of two unit vectors


def unit(seed: int, count: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, DIMS), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


@pytest.fixture(scope="module")
def million() -> np.ndarray:
    return unit(0, 1_000_000)


@pytest.mark.parametrize(
    ("shape", "faster"),
    [((1, 1_000_000, 100), 1.0), ((16, 1_000_000, 100), 3.0), ((64, 1_000_000, 100), 3.0), ((530, 100_000, 100), 2.0)]
    + [((530, 530, k), 1.3) for k in (10, 100, 530)],
    ids=str,
)
def test_topk(benchmark: BenchmarkFixture, million: np.ndarray, shape: tuple[int, int, int], faster: float) -> None:
    queries, tracks, k = shape
    asked, gallery, threads = unit(1, queries), million[:tracks], kernels.pool_size()
    peers = library_peers(asked, gallery, k, threads)
    ids, scores = kernels.topk(asked, gallery, k)
    overlap = {name: round(same_places(peer(), asked, gallery, ids, scores), 4) for name, peer in peers.items()}
    read, added = bytes_per_second(million, threads), multiply_adds_per_second(threads)
    medians = compare(
        benchmark,
        lambda: kernels.topk(asked, gallery, k),
        peers,
        title=f"{summary.count(queries, 'query', 'queries')}, {tracks} tracks, k = {k}",
        overlap=overlap,
        read_gb_per_second=round(read / 1e9, 1),
        multiply_adds_giga_per_second=round(added / 1e9, 1),
    )
    bandwidth = gallery.nbytes / medians["kernel"] / read
    arithmetic = queries * gallery.size / medians["kernel"] / added
    benchmark.extra_info.update(of_read_bandwidth=round(bandwidth, 3), of_multiply_adds=round(arithmetic, 3))
    print(f"  {bandwidth:.0%} of the read bandwidth, {arithmetic:.0%} of the multiply-add peak")
    assert all(overlap[name] == 1 for name in EXACT if name in overlap)
    assert min(medians[name] for name in EXACT if name in medians) >= faster * medians["kernel"]
    if queries == 1:
        assert bandwidth >= 0.9
    if queries == 64:
        assert arithmetic >= 0.6


def test_from_int8(benchmark: BenchmarkFixture, million: np.ndarray) -> None:
    query, screen = unit(1, 1), kernels.quantize(million)
    ids, scores = kernels.topk(query, million, 100)
    screened_ids, screened_scores, scored = kernels.topk_screened(query, million, screen, 100)
    assert (ids == screened_ids).all()
    assert (scores == screened_scores).all()
    medians = compare(
        benchmark,
        lambda: kernels.topk_screened(query, million, screen, 100),
        {"float32": lambda: kernels.topk(query, million, 100)},
        title="1 query, 1000000 tracks from int8",
        scored=int(scored[0]),
    )
    assert medians["kernel"] <= 0.4 * medians["float32"]


@pytest.mark.parametrize("packed", [False, True], ids=["bool", "bits"])
def test_filter(benchmark: BenchmarkFixture, million: np.ndarray, packed: bool) -> None:
    query, flags = unit(1, 1), np.random.default_rng(2).random(len(million)) < 0.01
    allowed = np.packbits(flags, bitorder="little") if packed else flags
    medians = compare(
        benchmark,
        lambda: kernels.topk(query, million, 100, allowed),
        {"unfiltered": lambda: kernels.topk(query, million, 100)},
        title="1 query, 1 % of 1000000 tracks",
    )
    assert medians["kernel"] <= 0.05 * medians["unfiltered"]


def library_peers(queries: np.ndarray, tracks: np.ndarray, k: int, threads: int) -> dict[str, Peer]:
    """Return each installed library's top-k of ids, but for large copies of the tracks and for minutes of search."""
    torch.set_num_threads(threads)
    tensors = torch.from_numpy(queries), torch.from_numpy(tracks)
    peers: dict[str, Peer] = {
        "numpy": lambda: numpy_topk(queries, tracks, k),
        "torch": lambda: torch_topk(*tensors, k),
    }
    if len(tracks) <= LARGEST_COPY:
        halves = [tensor.bfloat16() for tensor in tensors]
        peers["torch bfloat16"] = lambda: torch_topk(*halves, k)
    if faiss is not None and len(tracks) <= LARGEST_COPY:
        faiss.omp_set_num_threads(threads)
        index = faiss.IndexFlatIP(tracks.shape[1])
        index.add(tracks)
        peers["faiss"] = lambda: index.search(queries, k)[1]
    if usearch is not None and len(queries) * len(tracks) <= MOST_PAIRS:
        for name, dtype in (("usearch", np.float32), ("usearch float16", np.float16)):
            rows, asked = tracks.astype(dtype, copy=False), queries.astype(dtype, copy=False)
            peers[name] = lambda rows=rows, asked=asked: usearch_topk(asked, rows, k, threads)
    return peers


def usearch_topk(queries: np.ndarray, tracks: np.ndarray, k: int, threads: int) -> np.ndarray:
    found = usearch.search(tracks, queries, k, usearch.MetricKind.IP, exact=True, threads=threads)
    return found.keys.reshape(len(queries), -1)


def numpy_topk(queries: np.ndarray, tracks: np.ndarray, k: int) -> np.ndarray:
    scores = queries @ tracks.T
    best = np.argpartition(-scores, min(k, scores.shape[1] - 1), axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
    return np.take_along_axis(best, order, 1)


def torch_topk(queries: torch.Tensor, tracks: torch.Tensor, k: int) -> np.ndarray:
    return torch.topk(queries @ tracks.T, k).indices.numpy()


def same_places(
    found: np.ndarray, queries: np.ndarray, tracks: np.ndarray, ids: np.ndarray, scores: np.ndarray
) -> float:
    """Return the share of places that hold our track, or one whose score differs by rounding alone."""
    found = found.astype(np.int64)
    same = found == ids
    for query, place in np.argwhere(~same):
        same[query, place] = abs(queries[query] @ tracks[found[query, place]] - scores[query, place]) <= ROUNDING
    return float(same.mean())

"""How does the time of exact top-k grow with tracks, queries and threads, and how near is it to the machine's bound?

The bound is the longer of two times: reading the gallery once, and the multiply-adds; both as this machine does them.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest

from nlvr.benchmarks.ceilings import bytes_per_second, multiply_adds_per_second
from nlvr.benchmarks.machine import OtherLoad, machine
from nlvr.benchmarks.peers import calls_of, seconds_of, skip_where_disturbed
from nlvr.benchmarks.test_topk import DIMS, numpy_topk, unit
from nlvr.engine import kernels, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

K = 100
TRACKS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
QUERIES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
GALLERY = 100_000  # tracks that queries and threads grow over
FEW, MANY = 1, 64  # queries that threads are shown with
ROUNDS = 5
MOST_OVER = 2.0  # of the bound, at a million tracks and at 64 queries


def test_growth_with_tracks(benchmark: BenchmarkFixture) -> None:
    gallery, asked = unit(0, TRACKS[-1]), unit(1, 1)
    threads = kernels.pool_size()
    points = [(count, lambda rows=gallery[:count]: kernels.topk(asked, rows, K)) for count in TRACKS]
    peers = [lambda rows=gallery[:count]: numpy_topk(asked, rows, K) for count in TRACKS]
    least = [bound(1, count, threads, read=bytes_per_second(gallery, threads)) for count in TRACKS]
    ours = curve(benchmark, "tracks", points, peers, least, title=f"1 query, k = {K}")
    assert ours[-1] <= MOST_OVER * least[-1]


def test_growth_with_queries(benchmark: BenchmarkFixture) -> None:
    gallery, asked = unit(0, GALLERY), unit(1, QUERIES[-1])
    threads = kernels.pool_size()
    points = [(count, lambda rows=asked[:count]: kernels.topk(rows, gallery, K)) for count in QUERIES]
    peers = [lambda rows=asked[:count]: numpy_topk(rows, gallery, K) for count in QUERIES]
    read = bytes_per_second(gallery, threads)
    least = [bound(count, GALLERY, threads, read=read) for count in QUERIES]
    ours = curve(benchmark, "queries", points, peers, least, title=f"{GALLERY} tracks, k = {K}")
    place = QUERIES.index(64)
    assert ours[place] <= MOST_OVER * least[place]


@pytest.mark.parametrize("queries", [FEW, MANY])
def test_growth_with_threads(benchmark: BenchmarkFixture, queries: int) -> None:
    gallery, asked = unit(0, GALLERY), unit(1, queries)
    counts = range(1, kernels.pool_size() + 1)
    points = [(count, lambda used=count: kernels.topk(asked, gallery, K, threads=used)) for count in counts]
    least = [bound(queries, GALLERY, count, read=bytes_per_second(gallery, count)) for count in counts]
    ours = curve(
        benchmark,
        "threads",
        points,
        [],
        least,
        title=f"{summary.count(queries, 'query', 'queries')}, {GALLERY} tracks, k = {K}",
    )
    assert ours[-1] <= 1.1 * ours[0], "more threads take longer"


def bound(queries: int, tracks: int, threads: int, *, read: float) -> float:
    """Return the least seconds that this machine can take. read: bytes a second."""
    return max(4 * tracks * DIMS / read, queries * tracks * DIMS / multiply_adds_per_second(threads))


def curve(
    benchmark: BenchmarkFixture,
    over: str,
    points: list[tuple[int, Callable[[], object]]],
    peers: list[Callable[[], object]],
    least: list[float],
    *,
    title: str,
) -> list[float]:
    """Time every point and its peer in turn, and record the curves. Returns our medians, seconds."""
    runs = [work for _, work in points] + peers
    calls = [calls_of(work) for work in runs]
    seconds: list[list[float]] = [[] for _ in runs]

    def all_once() -> None:
        for work, count, own in zip(runs, calls, seconds, strict=True):
            own.append(seconds_of(work, count))

    with OtherLoad() as load:
        benchmark.pedantic(all_once, rounds=ROUNDS)
    medians = [statistics.median(own) for own in seconds]
    ours, theirs = medians[: len(points)], medians[len(points) :]
    curves = {"ours": ours, "bound": least} | ({"numpy": theirs} if theirs else {})
    values = [value for value, _ in points]
    benchmark.extra_info.update(
        machine(),
        title=title,
        series={
            "over": over,
            "values": values,
            "milliseconds": {name: [round(1e3 * one, 4) for one in own] for name, own in curves.items()},
        },
        other_load=round(load.share, 3),
    )
    told = ", ".join(f"{value} {1e3 * own:.3g} ms" for value, own in zip(values, ours, strict=True))
    print(f"\n{title}, over {over}: {told}; other load {load.share:.0%}")
    skip_where_disturbed(load)
    return ours

"""Times a kernel beside other ways to the same answer, all in one run and on as many threads."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import pytest

from nlvr.benchmarks.machine import OTHER_LOAD_LIMIT, OtherLoad, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 7
PAUSE = 0.25  # seconds, in which the threads of who was timed before, waiting for more work, go to sleep
WORTH_TIMING, MOST_CALLS = 0.02, 50  # seconds of calls in a row


def skip_where_disturbed(load: OtherLoad, what: str = "the ratio of times") -> None:
    """Skip a benchmark during which others kept the CPUs busy. what: it says nothing then."""
    if load.share > OTHER_LOAD_LIMIT:
        pytest.skip(f"others kept {load.share:.0%} of the CPUs busy: {what} says nothing")


def calls_of(run: Callable[[], object]) -> int:
    """Warm up, and return how many calls in a row are to be timed."""
    run()
    start = time.perf_counter()
    run()
    return max(1, min(MOST_CALLS, round(WORTH_TIMING / (time.perf_counter() - start))))


def seconds_of(run: Callable[[], object], calls: int) -> float:
    """Return the mean seconds of so many calls in a row, after one that wakes what a pause put to sleep."""
    time.sleep(PAUSE)
    run()
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def compare(
    benchmark: BenchmarkFixture,
    kernel: Callable[[], object],
    peers: Mapping[str, Callable[[], object]],
    *,
    title: str,
    **facts: Any,
) -> dict[str, float]:
    """Time the kernel and its peers in turn. Returns their medians in seconds, ours as "kernel".

    facts: what else the record holds. Skips where others kept the CPUs busy meanwhile.
    """
    runs = {"kernel": kernel, **peers}
    calls = {name: calls_of(run) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with OtherLoad() as load:
        for _ in range(ROUNDS):
            for name, run in runs.items():
                seconds[name].append(seconds_of(run, calls[name]))
        benchmark.pedantic(kernel, iterations=calls["kernel"], rounds=ROUNDS)
    medians = {name: statistics.median(all_) for name, all_ in seconds.items()}
    milliseconds = {name: round(1e3 * value, 3) for name, value in medians.items()}
    benchmark.extra_info.update(
        machine(), title=title, milliseconds=milliseconds, other_load=round(load.share, 3), **facts
    )
    told = ", ".join(f"{name} {value:g} ms" for name, value in milliseconds.items())
    more = "".join(f"; {name.replace('_', ' ')} {value}" for name, value in facts.items())
    print(f"\n{title}: {told}{more}; other load {load.share:.0%}")
    skip_where_disturbed(load)
    return medians

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


def skip_where_disturbed(load: OtherLoad, what: str = "the ratio of times") -> None:
    """Skip a benchmark during which others kept the CPUs busy. what: it says nothing then."""
    if load.share > OTHER_LOAD_LIMIT:
        pytest.skip(f"others kept {load.share:.0%} of the CPUs busy: {what} says nothing")


def compare(
    benchmark: BenchmarkFixture,
    kernel: Callable[[], object],
    peers: Mapping[str, Callable[[], object]],
    *,
    title: str,
    **facts: Any,
) -> dict[str, float]:
    """Time the kernel and its peers in turn, each warmed up once. Returns their medians in seconds, ours as "kernel".

    facts: what else the record holds. Skips where others kept the CPUs busy meanwhile.
    """
    seconds: dict[str, list[float]] = {name: [] for name in peers}

    def time_peers() -> None:
        for name, peer in peers.items():
            start = time.perf_counter()
            peer()
            seconds[name].append(time.perf_counter() - start)

    for warm_up in (kernel, *peers.values()):
        warm_up()
    with OtherLoad() as load:
        benchmark.pedantic(kernel, setup=time_peers, rounds=ROUNDS)
    medians = {"kernel": benchmark.stats["median"]} | {name: statistics.median(all_) for name, all_ in seconds.items()}
    milliseconds = {name: round(1e3 * value, 3) for name, value in medians.items()}
    benchmark.extra_info.update(
        machine(), title=title, milliseconds=milliseconds, other_load=round(load.share, 3), **facts
    )
    told = ", ".join(f"{name} {value:g} ms" for name, value in milliseconds.items())
    more = "".join(f"; {name.replace('_', ' ')} {value}" for name, value in facts.items())
    print(f"\n{title}: {told}{more}; other load {load.share:.0%}")
    skip_where_disturbed(load)
    return medians

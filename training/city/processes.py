"""Processes that plan and draw parts of a city at once."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def fresh_processes(count: int, *, tasks_each: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Yield so many processes, none of which is a fork; an error ends what has not begun.

    tasks_each: after how many tasks a process gives way to a new one; by default it does all that it gets.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, max_tasks_per_child=tasks_each) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

"""What a runtime offers the systems: a graph that takes a block of rows, and blocks run side by side in order."""

from __future__ import annotations

import os
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

Feeds = dict[str, "NDArray[np.generic]"]
Row = dict[str, "NDArray[Any]"]
"""A graph's outputs by name."""


class Graph(Protocol):
    """A graph on its device. `block` is the one number of rows it is ever run with."""

    @property
    def device(self) -> str:
        """The device the session was seen to run on: `cpu` or `cuda`."""

    @property
    def block(self) -> int:
        """Rows a run takes, from the bundle's manifest."""

    def run(self, feeds: Feeds) -> Row:
        """Return the graph's outputs by name, each [block, …]. Safe to call from several threads."""


_ALL: weakref.WeakSet[Blocks] = weakref.WeakSet()


def _restart() -> None:
    """Give a forked child threads of its own; it has none of its parent's, and would wait for them for ever."""
    for blocks in _ALL:
        blocks._start()


os.register_at_fork(after_in_child=_restart)


class Blocks:
    """Cuts rows into blocks of one fixed, padded shape and keeps some in flight.

    Runtimes are not bit-equal across batch shapes, so the shape of a block never depends on a setting: neither
    `threads` (blocks run at once) nor `in_flight` (blocks handed out ahead) reaches the numbers.
    """

    def __init__(self, graph: Graph, *, threads: int, in_flight: int) -> None:
        self._graph = graph
        self._in_flight = in_flight
        self._threads = min(threads, in_flight)
        self._start()
        _ALL.add(self)

    def _start(self) -> None:
        # A runtime sees to its own threads at most, and these are ours.
        self._pool = ThreadPoolExecutor(self._threads, "session", initializer=kernels.flush_subnormals)

    @property
    def block(self) -> int:
        """Rows of a run."""
        return self._graph.block

    def close(self) -> None:
        """Wait for the blocks in flight and stop the threads."""
        _ALL.discard(self)
        self._pool.shutdown(cancel_futures=True)

    def run(self, rows: Iterable[Mapping[str, NDArray[np.generic]]]) -> Iterator[Row]:
        """Yield the outputs of each row, in order. Reading `rows` and running blocks overlap.

        A block holds rows of one shape, so rows whose shapes vary go fastest where equal ones stand together.
        """
        waiting: deque[tuple[int, Future[Row]]] = deque()
        block: list[Mapping[str, NDArray[np.generic]]] = []
        try:
            for row in rows:
                if block and _shapes(row) != _shapes(block[0]):
                    waiting.append(self._submit(block))
                    block = []
                block.append(row)
                if len(block) == self._graph.block:
                    waiting.append(self._submit(block))
                    block = []
                while waiting and (len(waiting) > self._in_flight or waiting[0][1].done()):
                    yield from self._result(waiting)
            if block:
                waiting.append(self._submit(block))
            while waiting:
                yield from self._result(waiting)
        finally:
            for _, future in waiting:
                future.cancel()

    def _submit(self, block: list[Mapping[str, NDArray[np.generic]]]) -> tuple[int, Future[Row]]:
        return len(block), self._pool.submit(self._run, block)

    def _run(self, block: list[Mapping[str, NDArray[np.generic]]]) -> Row:
        if self._graph.block == 1:
            return self._graph.run({name: value[None] for name, value in block[0].items()})
        padding = self._graph.block - len(block)
        # Repeating the last row keeps lengths and masks valid where zeros would not.
        rows = block + block[-1:] * padding
        return self._graph.run({name: np.stack([row[name] for row in rows]) for name in rows[0]})

    @staticmethod
    def _result(waiting: deque[tuple[int, Future[Row]]]) -> Iterator[Row]:
        count, future = waiting.popleft()
        outputs = future.result()
        for row in range(count):
            yield {name: values[row] for name, values in outputs.items()}


def _shapes(row: Mapping[str, NDArray[np.generic]]) -> list[tuple[int, ...]]:
    return [value.shape for value in row.values()]

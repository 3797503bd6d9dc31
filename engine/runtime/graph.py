"""What a runtime offers the systems: a graph that takes a block of rows, and blocks run side by side in order."""

from __future__ import annotations

import os
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

Feeds = dict[str, "NDArray[np.generic]"]


class Graph(Protocol):
    """A graph on its device. `block` is the one number of rows it is ever run with."""

    @property
    def device(self) -> str:
        """The device the session was seen to run on: `cpu` or `cuda`."""

    @property
    def block(self) -> int:
        """Rows a run takes, from the bundle's manifest."""

    def run(self, feeds: Feeds) -> NDArray[np.float32]:
        """Return the graph's output: float32 [block, D]. Safe to call from several threads."""


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
        self._pool = ThreadPoolExecutor(self._threads, "session")

    def close(self) -> None:
        """Wait for the blocks in flight and stop the threads."""
        _ALL.discard(self)
        self._pool.shutdown(cancel_futures=True)

    def run(self, rows: Iterable[Mapping[str, NDArray[np.generic]]]) -> Iterator[NDArray[np.float32]]:
        """Yield one float32 [D] vector a row, in order. Reading `rows` and running blocks overlap."""
        waiting: deque[tuple[int, Future[NDArray[np.float32]]]] = deque()
        block: list[Mapping[str, NDArray[np.generic]]] = []
        try:
            for row in rows:
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

    def _submit(self, block: list[Mapping[str, NDArray[np.generic]]]) -> tuple[int, Future[NDArray[np.float32]]]:
        return len(block), self._pool.submit(self._run, block)

    def _run(self, block: list[Mapping[str, NDArray[np.generic]]]) -> NDArray[np.float32]:
        padding = self._graph.block - len(block)
        # Repeating the last row keeps lengths and masks valid where zeros would not.
        rows = block + block[-1:] * padding
        return self._graph.run({name: np.stack([row[name] for row in rows]) for name in rows[0]})

    @staticmethod
    def _result(waiting: deque[tuple[int, Future[NDArray[np.float32]]]]) -> Iterator[NDArray[np.float32]]:
        count, future = waiting.popleft()
        yield from future.result()[:count]

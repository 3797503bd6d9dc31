from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.runtime.graph import Blocks

LAW = settings(deadline=None, max_examples=40)


class Doubling:
    """A graph that returns twice its rows, and keeps what it was given."""

    device = "cpu"

    def __init__(self, block, *, work=lambda: None):
        self.block = block
        self.seen = []
        self._work = work

    def run(self, feeds):
        self.seen.append({name: array.copy() for name, array in feeds.items()})
        self._work()
        return {"y": feeds["x"].astype(np.float32) * 2}


@pytest.fixture
def blocks():
    """Make Blocks, and close them at the end, failing the test where a thread hangs."""
    made = []

    def make(graph, *, threads=2, in_flight=3):
        made.append(Blocks(graph, threads=threads, in_flight=in_flight))
        return made[-1]

    yield make
    closing = ThreadPoolExecutor(1)
    closing.submit(lambda: [one.close() for one in made]).result(timeout=20)
    closing.shutdown()


def rows(count, start=0):
    for number in range(start, start + count):
        yield {"x": np.array([number, -number], np.int64), "length": np.asarray(number, np.int32)}


@given(
    count=st.integers(0, 40),
    block=st.integers(1, 9),
    threads=st.integers(1, 4),
    in_flight=st.integers(1, 9),
    delays=st.lists(st.sampled_from([0, 0.001]), min_size=1, max_size=5),
)
@LAW
def test_vectors_come_in_order_from_blocks_of_one_shape(count, block, threads, in_flight, delays):
    waits = iter(delays * 50)
    graph = Doubling(block, work=lambda: time.sleep(next(waits)))
    running = Blocks(graph, threads=threads, in_flight=in_flight)
    found = [row["y"].tolist() for row in running.run(rows(count))]
    running.close()
    assert found == [[2 * number, -2 * number] for number in range(count)]
    assert len(graph.seen) == -(-count // block)
    assert all(feeds["x"].shape == (block, 2) and feeds["length"].shape == (block,) for feeds in graph.seen)
    assert all(feeds["x"].dtype == np.int64 and feeds["length"].dtype == np.int32 for feeds in graph.seen)


@pytest.mark.parametrize(
    ("count", "padded"), [(1, [0, 0, 0, 0]), (6, [4, 5, 5, 5]), (7, [4, 5, 6, 6]), (8, [4, 5, 6, 7])]
)
def test_a_short_block_is_filled_with_its_last_row(blocks, count, padded):
    graph = Doubling(4)
    assert len(list(blocks(graph).run(rows(count)))) == count
    assert [feeds["length"].tolist() for feeds in graph.seen if feeds["length"][0] == padded[0]] == [padded]


@given(lengths=st.lists(st.integers(1, 3), max_size=30), block=st.integers(1, 4))
@LAW
def test_a_block_holds_rows_of_one_shape(lengths, block):
    graph = Doubling(block)
    running = Blocks(graph, threads=2, in_flight=2)
    found = [row["y"].tolist() for row in running.run({"x": np.full(length, length)} for length in lengths)]
    running.close()
    assert found == [[2 * length] * length for length in lengths]
    assert all(len(feeds["x"]) == block for feeds in graph.seen)


@given(threads=st.integers(1, 3), in_flight=st.integers(1, 6), block=st.integers(1, 4))
@settings(deadline=None, max_examples=20)
def test_no_setting_reaches_the_blocks(threads, in_flight, block):
    seen = []
    for setting in ({"threads": threads, "in_flight": in_flight}, {"threads": 1, "in_flight": 1}):
        graph = Doubling(block)
        running = Blocks(graph, **setting)
        list(running.run(rows(11)))
        running.close()
        seen.append(sorted(feeds["length"].tolist() for feeds in graph.seen))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("in_flight", [1, 2, 5])
@pytest.mark.parametrize("threads", [1, 4])
def test_rows_are_read_no_further_ahead_than_the_bound(blocks, threads, in_flight):
    read, gate = [], threading.Event()

    def counted():
        for row in rows(60):
            read.append(row)
            yield row

    graph = Doubling(3, work=lambda: gate.wait(20))
    vectors = blocks(graph, threads=threads, in_flight=in_flight).run(counted())
    consumer = ThreadPoolExecutor(1)
    first = consumer.submit(next, vectors)
    limit = 3 * (in_flight + 1)  # the blocks ahead, and the one that is being filled
    deadline = time.monotonic() + 10
    while len(read) < limit and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(read) == limit
    assert len(graph.seen) <= min(threads, in_flight)
    gate.set()
    assert first.result(20)["y"].tolist() == [0, 0]
    consumer.shutdown()
    assert len(list(vectors)) == 59
    assert len(read) == 60


@pytest.mark.parametrize("threads", [2, 4])
def test_blocks_run_side_by_side(blocks, threads):
    meeting = threading.Barrier(threads, timeout=20)
    graph = Doubling(2, work=meeting.wait)
    assert len(list(blocks(graph, threads=threads, in_flight=2 * threads).run(rows(8 * threads)))) == 8 * threads


def test_a_vector_is_handed_out_as_soon_as_its_block_is_done(blocks):
    """The first vectors must not wait for rows that are slow to come."""
    graph = Doubling(2)
    ready = threading.Event()

    def slow():
        yield from rows(2)
        while not graph.seen:
            time.sleep(0.001)
        time.sleep(0.02)
        yield from rows(1, 2)
        assert ready.wait(20)
        yield from rows(5, 3)

    vectors = blocks(graph, in_flight=8).run(slow())
    assert next(vectors)["y"].tolist() == [0, 0]
    ready.set()
    assert len(list(vectors)) == 7


@pytest.mark.parametrize("failing", [0, 1, 4])
def test_an_exception_in_a_block_reaches_the_caller_after_what_came_before(blocks, failing):
    class Failing(Doubling):
        def run(self, feeds):
            if feeds["length"][0] == 2 * failing:
                raise ZeroDivisionError(failing)
            return super().run(feeds)

    found = []
    running = blocks(Failing(2))
    with pytest.raises(ZeroDivisionError):
        found.extend(row["y"].tolist() for row in running.run(rows(10)))
    assert found == [[2 * number, -2 * number] for number in range(2 * failing)]
    assert len(list(running.run(rows(3, 100)))) == 3


def test_an_exception_in_the_rows_reaches_the_caller(blocks):
    def broken():
        yield from rows(5)
        message = "no more rows"
        raise RuntimeError(message)

    running = blocks(Doubling(2))
    with pytest.raises(RuntimeError, match="no more rows"):
        list(running.run(broken()))
    assert len(list(running.run(rows(3)))) == 3


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_a_run_that_is_left_early_does_not_hang_and_closes_its_rows(blocks, taken):
    closed = []

    def watched():
        try:
            yield from rows(1000)
        finally:
            closed.append(True)

    graph = Doubling(2, work=lambda: time.sleep(0.001))
    vectors = blocks(graph).run(watched())
    for _ in range(taken):
        next(vectors)
    vectors.close()
    assert closed == ([True] if taken else [])
    assert len(graph.seen) < 20


def test_threads_that_run_blocks_take_subnormal_numbers_as_zero(blocks):
    """Some CPUs take many times as long for them, and the masks of SBNet are full of them."""
    tiny = np.full(4, 1e-39, np.float32)

    class Adding(Doubling):
        def run(self, feeds):
            return {"y": feeds["x"] + feeds["x"]}

    (found,) = blocks(Adding(1), threads=1).run([{"x": tiny}])
    assert not found["y"].any()
    assert (tiny + tiny).all()

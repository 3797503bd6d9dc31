from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

from nlvr.engine.notices import Kind, Notices


def test_what_was_never_seen_is_not_mentioned():
    notices = Notices()
    assert notices.counts == {}
    assert notices.lines() == []


def test_a_place_counts_once_a_kind_and_the_first_is_named():
    notices = Notices()
    for place in ("cam/2.jpg", "cam/1.jpg", "cam/2.jpg"):
        notices.add("frame missing", place)
    notices.add("text cut", "cam/1.jpg")
    assert notices.counts == {"frame missing": 2, "text cut": 1}
    assert notices.lines() == ["frame missing: 2, first cam/1.jpg", "text cut: 1, first cam/1.jpg"]


def test_lines_do_not_depend_on_the_order_of_arrival():
    added = [(kind, f"place {number}") for kind in get_args(Kind) for number in range(3)]
    seen = []
    for order in (added, added[::-1]):
        notices = Notices()
        for kind, place in order:
            notices.add(kind, place)
        seen.append((notices.counts, notices.lines()))
    assert seen[0] == seen[1]


def test_threads_lose_no_notice():
    notices = Notices()
    with ThreadPoolExecutor(8) as pool:
        for thread in range(8):
            pool.submit(
                lambda thread=thread: [notices.add("frame missing", f"{(n + thread) % 500}") for n in range(500)]
            )
    assert notices.counts == {"frame missing": 500}


def test_a_recording_counts_what_is_added_meanwhile():
    notices = Notices()
    notices.add("frame missing", "a")
    with notices.recording() as seen:
        notices.add("frame missing", "a")
        notices.add("frame missing", "b")
    notices.add("frame missing", "c")
    assert seen.records == (("frame missing", "a"), ("frame missing", "b"))
    assert notices.counts == {"frame missing": 3}

"""A city's figures: those of planted tracks and sentences, each beside its real one."""

from __future__ import annotations

import numpy as np
import pytest

from nlvr.engine.cityflow import Query, Track
from nlvr.training.city.annotators import describe
from nlvr.training.city.statistics import REAL, city_statistics, statistics_table


def track(name, numbers, boxes, nl=()):
    frames = tuple(f"test/S01/c001/img1/{number:06d}.jpg" for number in numbers)
    return Track(name, frames, np.array(boxes, np.float64), nl)


TRACKS = [
    track("a", [1, 2, 9], [[0, 0, 10, 20], [0, 0, 10, 20], [30, 40, 10, 20]]),
    track("b", [2], [[5, 5, 10, 20]]),
]
NL = ("A red bus is behind a blue van.", "A red van turns left.", "A vehicle stops.")


@pytest.fixture
def values():
    return {name: city for name, city, _ in city_statistics(TRACKS, [Query("q", NL)])}


def test_every_figure_has_a_real_one_beside_it(values):
    assert list(values) == list(REAL)
    assert all(real for _, _, real in city_statistics(TRACKS, [Query("q", NL)]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tracks", "2"),
        ("frames of a track, median", "2"),
        ("frames of a track, least and most", "1, 3"),
        ("tracks with gaps", "50 %"),
        ("longest gap, frames", "6"),
        ("tracks in a frame, most", "2"),
        ("frame references, distinct frames", "4, 3"),
        ("median box, pixels", "10 x 20"),
        ("median displacement, pixels", "25"),
        ("sets of sentences", "1"),
        ("words of a sentence, mean and most", "5.3, 8"),
        ("distinct sentences", "100 % of 3"),
        ("most frequent sentence", "1 of 3"),
        ("colour left out", "33 %"),
        ("type left out", "33 %"),
        ("two or more colours", "33 %"),
        ("two or more type words", "33 %"),
        ("two or more vehicles of a type", "33 %"),
        ("turn", "33 %"),
        ("left", "33 %"),
        ("stop", "33 %"),
        ("follow, behind", "33 %"),
        ("sets that disagree on the colour", "0 %"),
        ("sets that disagree on the type", "100 %"),
        ("sets that disagree on the motion", "100 %"),
    ],
)
def test_figures_are_those_of_what_was_planted(values, name, value):
    assert values[name] == value


def test_a_pickup_truck_is_one_vehicle():
    rows = dict((name, city) for name, city, _ in city_statistics(TRACKS, [Query("q", ("A red pickup truck.",))]))
    assert (rows["two or more type words"], rows["two or more vehicles of a type"]) == ("100 %", "0 %")


def test_sentences_of_a_query_and_its_track_count_once():
    twice = city_statistics([track("a", [1], [[0, 0, 1, 1]], NL)], [Query("q", NL)])
    assert twice[9:] == city_statistics([track("a", [1], [[0, 0, 1, 1]])], [Query("q", NL)])[9:]


def test_tracks_need_no_sentences_and_frames_no_numbers():
    nameless = Track("a", ("x/first.jpg", "x/second.jpg"), np.ones((2, 4)))
    values = {name: city for name, city, _ in city_statistics([nameless], [])}
    assert values["longest gap, frames"] == "0"
    assert "straight" not in values


def test_the_order_of_tracks_and_queries_says_nothing(stories):
    queries = [Query(str(row), describe(story, seed=row)) for row, story in enumerate(stories(40))]
    assert city_statistics(TRACKS, queries) == city_statistics(TRACKS[::-1], queries[::-1])


def test_the_table_has_a_line_for_each_figure(values):
    rows = city_statistics(TRACKS, [Query("q", NL)])
    lines = statistics_table(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert len({len(line.split("  ")[0]) for line in lines if line}) > 1
    for line, (name, city, real) in zip(lines[2:], rows, strict=True):
        assert line.startswith(name)
        assert city in line
        assert line.endswith(real)

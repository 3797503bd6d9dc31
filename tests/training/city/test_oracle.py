"""Oracles: exact where counted by hand, blind to order, and worth on simulated traffic what they are on real one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine.cityflow import Query
from nlvr.engine.errors import InputError
from nlvr.engine.language import COLOURS, TYPES
from nlvr.engine.metrics import chance_mrr
from nlvr.training.city.annotators import describe
from nlvr.training.city.oracle import ORACLES, Labels, load_labels, oracle, oracle_table, write_labels
from nlvr.training.city.world import Story

BLUE_VAN, BLUE_BUS, RED_BUS = Labels("blue", "van", "left"), Labels("blue", "bus", "left"), Labels("red", "bus", None)
STORY = Story("sedan", "black", "straight", False, False, None, 8.0, "north", "intersection", "noon")
labels_of_tracks = st.lists(
    st.builds(Labels, st.sampled_from(COLOURS), st.sampled_from(TYPES), st.sampled_from(["left", "stop", None])),
    min_size=1,
    max_size=12,
)


def asked(labels):
    """One query for each track, which says what it is."""
    words = {"left": "turns left", "right": "turns right", "stop": "stops", "straight": "goes straight", None: "drives"}
    queries = [
        Query(
            f"q{track}", (f"The {own.colour} {own.kind} {'is there and ' * (own.kind == 'bus')}{words[own.motion]}.",)
        )
        for track, own in labels.items()
    ]
    return queries, {query.id: query.id[1:] for query in queries}


def test_ties_are_worth_what_a_random_order_is():
    labels = {"a": BLUE_VAN, "b": BLUE_BUS, "c": RED_BUS}
    results = oracle(labels, [Query("q", ("A blue van turns left.",))], {"q": "a"})
    assert list(results) == list(ORACLES)
    assert results["chance"].mrr == pytest.approx(chance_mrr(3))
    assert results["colour"].mrr == pytest.approx(0.75)  # first or second
    assert results["type"].mrr == results["colour and type"].mrr == 1
    missed = oracle(labels, [Query("q", ("A red vehicle.",))], {"q": "a"})
    assert missed["colour"].mrr == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert missed["type"].mrr == pytest.approx(chance_mrr(3))  # it says none, so all are alike


@given(labels_of_tracks)
def test_more_knowledge_never_harms_where_queries_are_true(drawn):
    labels = {str(row): own for row, own in enumerate(drawn)}
    results = oracle(labels, *asked(labels))
    ranks = [results[name].mrr for name in ("chance", "colour", "colour and type", "colour, type and motion")]
    assert ranks == sorted(ranks)
    alike = [sum((own.colour, own.kind) == (other.colour, other.kind) for other in drawn) for own in drawn]
    expected = [sum(1 / rank for rank in range(1, count + 1)) / count for count in alike]
    assert results["colour and type"].mrr == pytest.approx(np.mean(expected))


@given(labels_of_tracks, st.randoms(use_true_random=False))
def test_the_order_of_tracks_and_queries_says_nothing(drawn, rng):
    labels = {str(row): own for row, own in enumerate(drawn)}
    queries, truth = asked(labels)
    shuffled = dict(rng.sample(list(labels.items()), len(labels)))
    results, others = oracle(labels, queries, truth), oracle(shuffled, rng.sample(queries, len(queries)), truth)
    for name, metrics in results.items():
        assert metrics.mrr == pytest.approx(others[name].mrr)


def test_other_views_vote():
    labels = {"a": BLUE_VAN, "b": RED_BUS}
    query = Query("q", ("A vehicle turns left.",), ("A blue van stops.", "A blue vehicle."))
    assert oracle(labels, [query], {"q": "a"})["colour and type"].mrr == 1


def test_only_queries_with_a_known_track_count():
    queries = [Query("q", ("A blue van.",)), Query("r", ("A red bus.",)), Query("s", ("A red bus.",))]
    assert oracle({"a": BLUE_VAN}, queries, {"q": "a", "r": "elsewhere"})["colour"].queries == 1


def test_simulated_queries_are_as_hard_as_real_ones(stories):
    told = {str(row): story for row, story in enumerate(stories(530))}
    labels = {track: Labels.of(story) for track, story in told.items()}
    queries = [Query(f"q{track}", describe(story, seed=int(track))) for track, story in told.items()]
    results = oracle(labels, queries, {query.id: query.id[1:] for query in queries})
    assert 0.15 < results["colour and type"].mrr < 0.35
    ranks = [results[name].mrr for name in ORACLES]
    assert ranks[0] < min(ranks[1:3]) <= max(ranks[1:3]) < ranks[3] < ranks[4]
    table = oracle_table(results)
    assert all(name in table for name in ORACLES)
    assert f"{results['colour'].mrr:.3f}" in table


@pytest.mark.parametrize(
    ("changes", "motion"),
    [
        ({}, "straight"),
        ({"stops": True}, "stop"),
        ({"speed": 0.0}, "stop"),
        ({"manoeuvre": "left", "stops": True}, "left"),
        ({"manoeuvre": "right"}, "right"),
        ({"manoeuvre": "u-turn"}, None),
        ({"manoeuvre": "parked", "speed": 0.0}, "stop"),
    ],
)
def test_labels_of_a_story(changes, motion):
    assert Labels.of(replace(STORY, **changes)) == Labels("black", "sedan", motion)


def test_labels_are_of_known_words():
    with pytest.raises(ValueError, match="pink"):
        Labels("pink", "van", None)


def test_labels_survive_their_file(tmp_path, write):
    labels = {"b": BLUE_VAN, "a": RED_BUS}
    write_labels(tmp_path / "labels.json", labels)
    assert load_labels(tmp_path / "labels.json") == labels
    assert list(json.loads((tmp_path / "labels.json").read_text())) == ["a", "b"]
    for record in ({"colour": "blue"}, 3, {"colour": "blue", "kind": "boat", "motion": None}):
        with pytest.raises(InputError, match="track t: holds no labels"):
            load_labels(write("labels.json", {"t": record}))

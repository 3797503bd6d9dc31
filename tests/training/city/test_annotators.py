"""What simulated annotators write: true and legible when clean, mistaken at the rates of real ones when noisy."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace

import pytest

from nlvr.engine.language import COLOURS, TYPES, clean, read, read_query
from nlvr.engine.vocabulary import COLOUR_WORDS
from nlvr.training.city.annotators import describe
from nlvr.training.city.oracle import Labels
from nlvr.training.city.world import Neighbour, Story

LONGEST = 26
STORY = Story("sedan", "black", "straight", False, False, None, 8.0, "north", "intersection", "noon")


@pytest.fixture(scope="module")
def every_vehicle():
    """Every kind, colour and manoeuvre, with others about, and three clean sentences on each."""
    pairs = []
    for row, (kind, colour, manoeuvre, stops) in enumerate(
        itertools.product(TYPES, COLOURS, ("straight", "left", "right", "u-turn", "parked"), (False, True))
    ):
        story = Story(
            kind=kind,
            colour=colour,
            manoeuvre=manoeuvre,
            stops=stops and manoeuvre != "parked",
            changes_lane=row % 7 == 0,
            toward=(True, False, None)[row % 3],
            speed=0.0 if manoeuvre == "parked" or row % 11 == 0 else 1.0 + row % 23,
            direction=("north", "south", "east", "west")[row % 4],
            place=("intersection", "highway", "car park")[row // 2 % 3],
            light=("noon", "dusk", "overcast", "night")[row % 4],
            neighbours=tuple(
                Neighbour(TYPES[(row + 3 * k) % 10], COLOURS[(row + 5 * k) % 12], side)
                for k, side in enumerate(("ahead", "behind", "left", "right")[row % 4 :][: row % 4])
            ),
        )
        pairs += [(story, describe(story, seed=seed, noisy=False)) for seed in (row, 10**6 + row)]
    return pairs


def test_clean_sentences_name_colour_and_type_as_they_are(every_vehicle):
    read_sets = [(story, read_query(sentences)) for story, sentences in every_vehicle]
    assert sum(query.colour == story.colour for story, query in read_sets) >= 0.995 * len(read_sets)
    assert sum(query.type == story.kind for story, query in read_sets) >= 0.995 * len(read_sets)
    read_sentences = [(story, read(one)) for story, sentences in every_vehicle for one in sentences]
    wrong = [one.sentence for story, one in read_sentences if (one.colour, one.type) != (story.colour, story.kind)]
    assert len(wrong) <= 0.005 * len(read_sentences), wrong[:5]


def test_clean_sentences_tell_no_other_motion(every_vehicle):
    for story, sentences in every_vehicle:
        possible = {None, Labels.of(story).motion} | ({"stop"} if story.stops else set())
        possible |= {"straight"} if story.manoeuvre == "straight" else set()
        assert {read(sentence).motion for sentence in sentences} <= possible, sentences


def test_two_clean_sentences_of_three_tell_a_turn_or_a_stop(every_vehicle):
    for story, sentences in every_vehicle:
        motion = Labels.of(story).motion
        if motion in ("left", "right", "stop"):
            assert sum(read(sentence).motion == motion for sentence in sentences) >= 2, sentences
            assert read_query(sentences).motion == motion, sentences


@pytest.mark.parametrize("noisy", [False, True])
def test_sentences_are_a_function_of_story_and_seed(stories, noisy):
    for seed, story in enumerate(stories(50)):
        assert describe(story, seed=seed, noisy=noisy) == describe(replace(story), seed=seed, noisy=noisy)
        assert len({describe(story, seed=other, noisy=noisy) for other in range(8)}) > 4


@pytest.mark.parametrize("noisy", [False, True])
def test_sentences_are_plain_text_of_a_length_people_write(stories, noisy):
    for seed, story in enumerate(stories(1500)):
        for sentence in describe(story, seed=seed, noisy=noisy):
            assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9,'. -]*[A-Za-z.]", sentence), sentence
            assert "  " not in sentence
            assert 2 <= len(sentence.split()) <= LONGEST, sentence


def test_noise_is_that_of_real_annotators(stories):
    told = stories(1500)
    sets = [[read(one) for one in describe(story, seed=seed)] for seed, story in enumerate(told)]
    flat = [(story, one) for story, own in zip(told, sets, strict=True) for one in own]

    def disagree(name):
        return sum(len({getattr(one, name) for one in own} - {None}) > 1 for own in sets) / len(sets)

    def share(holds):
        return sum(bool(holds(clean(one.sentence).replace(",", "").split())) for _, one in flat) / len(flat)

    turns = [(story, one) for story, one in flat if one.motion in ("left", "right")]
    agreeing = [
        0.5 if story.manoeuvre not in ("left", "right") else one.motion == story.manoeuvre for story, one in turns
    ]
    assert 0.24 < disagree("colour") < 0.32
    assert 0.35 < disagree("type") < 0.45
    assert 0.03 < sum(one.colour is None for _, one in flat) / len(flat) < 0.08
    assert 0.05 < sum(one.type is None for _, one in flat) / len(flat) < 0.11
    assert 0.09 < share(lambda words: len({COLOUR_WORDS[word] for word in words if word in COLOUR_WORDS}) > 1) < 0.16
    assert 0.28 < share(lambda words: "straight" in words) < 0.42
    assert 0.15 < share(lambda words: {"turn", "turns", "turning", "turned"} & set(words)) < 0.27
    assert 0.04 < share(lambda words: {"stop", "stops", "stopped", "stopping"} & set(words)) < 0.1
    assert 0.06 < share(lambda words: {"follow", "follows", "followed", "following", "behind"} & set(words)) < 0.15
    assert 0.78 < sum(agreeing) / len(agreeing) < 0.88
    assert 8.4 < sum(len(one.sentence.split()) for _, one in flat) / len(flat) < 9.6


def test_there_are_many_ways_to_say_a_thing_and_a_few_are_common(stories):
    patterns = Counter()
    sentences = Counter()
    for seed, story in enumerate(stories(1500)):
        for sentence in describe(story, seed=seed, noisy=False):
            sentences[sentence] += 1
            own = [word for word in clean(sentence).split() if word not in COLOUR_WORDS and word not in TYPES]
            patterns[" ".join(own)] += 1
    assert len(patterns) > 1500
    assert patterns.most_common(1)[0][1] < 0.1 * patterns.total()
    assert sentences.most_common(1)[0][1] >= 5  # of different vehicles
    assert "runs down the street" in sentences.most_common(1)[0][0]


def test_others_are_where_the_story_has_them():
    ahead = replace(STORY, neighbours=(Neighbour("bus", "yellow", "ahead"),))
    behind = replace(STORY, neighbours=(Neighbour("bus", "yellow", "behind"),))
    beside = replace(STORY, neighbours=(Neighbour("bus", "yellow", "left"),))
    for seed in range(400):
        for story, never in (
            (ahead, ("followed by", "behind it", "ahead of", "next to")),
            (behind, ("behind an?", "following an?", "after an?", "next to")),
            (beside, ("followed", "behind", "ahead of", "right")),
        ):
            for sentence in describe(story, seed=seed, noisy=False):
                assert not re.search(rf"\b({'|'.join(never)})\b", sentence), sentence


def test_nobody_is_spoken_of_who_is_not_there():
    for seed in range(400):
        for sentence in describe(STORY, seed=seed, noisy=False):
            assert not re.search(r"follow|behind|next to|another (car|vehicle)|\b(yellow|bus)\b", sentence), sentence


def test_a_vehicle_that_never_moves_is_not_said_to_drive():
    waiting = replace(STORY, speed=0.0)
    for seed in range(200):
        motions = [read(sentence).motion for sentence in describe(waiting, seed=seed, noisy=False)]
        assert motions.count("stop") >= 2
        assert set(motions) <= {"stop", None}

"""Slips: as rare as real ones, in one word, and most of them legible."""

from __future__ import annotations

from random import Random

from nlvr.engine.language import read
from nlvr.training.city.slips import MISSPELT, slip

SENTENCE = "A dark gray hatchback turns right at the intersection behind a truck."


def test_slips_are_rare_and_leave_the_rest_alone():
    slipped = [text for seed in range(6000) if (text := slip(SENTENCE, Random(seed))) != SENTENCE]
    assert MISSPELT * 0.8 < len(slipped) / 6000 < MISSPELT + 0.03
    for text in slipped:
        assert text.startswith("A ")
        assert sum(word not in SENTENCE.split() for word in text.split()) <= 2
    wrong = {word for text in slipped for word in text.split()} - set(SENTENCE.split())
    assert len(wrong) > 25


def test_a_reader_understands_most_slips():
    slipped = [text for seed in range(6000) if (text := slip(SENTENCE, Random(seed))) != SENTENCE]
    readings = [read(text) for text in slipped]
    assert sum((one.colour, one.type) == ("gray", "hatchback") for one in readings) > 0.85 * len(readings)


def test_short_and_empty_words_survive():
    for seed in range(300):
        assert slip("It is.", Random(seed))

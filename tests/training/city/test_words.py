"""Names of colours and types are read as what they name, and whatever is confused has a name."""

from __future__ import annotations

import pytest

from nlvr.engine.language import COLOURS, TYPES, read
from nlvr.training.city import words


def names(text):
    return [alternative.partition("×")[0].strip() for alternative in text.split("|")]


@pytest.mark.parametrize("colour", COLOURS)
def test_names_of_a_colour_are_read_as_it(colour):
    for name in names(words.COLOUR_NAMES[colour]):
        assert read(f"A {name} sedan turns left.").colour == colour, name


@pytest.mark.parametrize("kind", TYPES)
def test_names_of_a_type_are_read_as_it(kind):
    for name in names(words.KIND_NAMES[kind]):
        assert read(f"A blue {name} turns left.").type == kind, name
    for size in names(words.SIZES[kind]):
        assert read(f"A {size} blue {kind} turns left.").type == kind, size


def test_names_that_say_nothing_are_read_as_nothing():
    for name in names(words.UNNAMED_COLOURS):
        assert read(f"A {name} sedan turns left.").colour is None, name
    for name in names(words.UNNAMED_KINDS) + names(words.UNNAMED_BIG):
        assert read(f"A blue {name} turns left.").type is None, name


def test_what_is_confused_is_another_of_its_like():
    for confusions, known in ((words.COLOUR_CONFUSIONS, COLOURS), (words.KIND_CONFUSIONS, TYPES)):
        assert set(confusions) == set(known)
        for own, others in confusions.items():
            assert set(names(others)) <= set(known) - {own}
            assert len(names(others)) == len(set(names(others)))
    assert set(words.UNCLEAR_COLOUR) == set(words.SECOND_COLOURS) == set(COLOURS)
    assert set(words.UNCLEAR_KIND) == set(TYPES)


def test_a_colour_taken_for_another_is_named_as_that_other():
    for own, others in words.COLOUR_CONFUSIONS.items():
        for other in names(others):
            for name in names(words.colour_names(own, other)):
                read_colour = read(f"A {name} sedan turns left.").colour
                assert read_colour == other, (own, name)

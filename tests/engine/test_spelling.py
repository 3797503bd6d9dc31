from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine.spelling import clean
from nlvr.engine.vocabulary import COLOURS, TYPES


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("A  RED\tsedan.", "a red sedan"),
        ("A light\u2011coloured coup\u00e9 \u2014 it turns left!", "a light colored coupe, it turns left"),
        ("Behind a van , a bus stops...", "behind a van, a bus stops"),
        ("An S.U.V., e.g. a jeep", "an suv, a jeep"),
        ("It's the driver's pick-up & trailer", "it the driver pickup and trailer"),
        ("A lightgray mini-van", "a light gray minivan"),
        ("drak wihte hatckback", "dark white hatchback"),
        ("the truch stoped, the svu tuns rigth", "the truck stopped, the suv turns right"),
        ("A Cross-over goes straigth threw", "a crossover goes straight through"),
        ("Two vans cross over a bridge to pick up a parcel", "two vans cross over a bridge to pick up a parcel"),
        ("A white can follows the black track", "a white van follows the black truck"),
        ("", ""),
        ("...", ""),
    ],
)
def test_clean(sentence: str, expected: str) -> None:
    assert clean(sentence) == expected


@pytest.mark.parametrize(
    "word", ["while", "write", "back", "block", "couple", "track", "trunk", "steps", "shops", "driver", "greet", "brow"]
)
def test_english_words_are_no_misspellings(word: str) -> None:
    assert clean(f"the {word}") == f"the {word}"


@pytest.mark.parametrize("word", ["colored", "busy", "minivan", "vanish", "scared", "advance", "redo", "businesses"])
def test_only_whole_words_change(word: str) -> None:
    assert clean(word) == word


@given(st.sampled_from([*COLOURS, *TYPES]), st.data())
def test_a_swap_of_neighbours_is_mended_in_long_words(word: str, data: st.DataObject) -> None:
    if len(word) < 5:
        return
    i = data.draw(st.integers(1, len(word) - 2))
    assert clean(f"a {word[:i]}{word[i + 1]}{word[i]}{word[i + 2 :]} thing") == f"a {word} thing"


@given(st.text())
def test_clean_is_idempotent_and_plain(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert once == " ".join(once.split())
    assert set(once) <= set("abcdefghijklmnopqrstuvwxyz0123456789, ")


TRICKY = ["a", "to", "white", "cross", "over", "can", "track", "pick", "up", "mini", "van", "hatch", "back", "svu"]


@given(st.lists(st.sampled_from([*TRICKY, "e.g.", ",", "-", " - ", ".", "&", "'s"])))
def test_clean_is_idempotent_on_its_own_words(words: list[str]) -> None:
    once = clean(" ".join(words))
    assert clean(once) == once

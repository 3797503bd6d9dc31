"""The grammar of what vehicles do: whole, and inflected as English is."""

from __future__ import annotations

import re

import pytest

from nlvr.training.city.phrases import RULES, inflect

GIVEN = {"side", "other", "compass"}  # slots that a story fills


@pytest.mark.parametrize("place", RULES)
def test_every_slot_is_a_rule_or_given(place):
    slots = {slot for text in RULES[place].values() for slot in re.findall(r"\{([^}]+)\}", text)}
    assert slots - GIVEN <= RULES[place].keys()


@pytest.mark.parametrize("place", RULES)
def test_alternatives_are_told_apart(place):
    for name, text in RULES[place].items():
        alternatives = [alternative.partition("×")[0].strip() for alternative in text.split("|")]
        assert len(set(alternatives)) == len(alternatives), name


def test_there_are_more_than_forty_predicates():
    assert len({part for name in ("straight", "road", "turn", "stop", "cross") for part in _parts(name)}) > 100


def _parts(name):
    return RULES["intersection"][name].split("|")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("present", "runs down and stops"),
        ("progressive", "is running down and stopping"),
        ("participle", "running down and stopping"),
        ("past", "ran down and stopped"),
        ("base", "run down and stop"),
    ],
)
def test_verbs_are_inflected(form, text):
    assert inflect("[run] down and [stop]", form) == text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("present", "is parked"),
        ("progressive", "is parked"),
        ("participle", "parked"),
        ("past", "was parked"),
        ("base", "is parked"),
    ],
)
def test_being_is_no_verb_like_others(form, text):
    assert inflect("[be] parked", form) == text


def test_verbs_end_as_in_english():
    lemmas = sorted({lemma for text in RULES["intersection"].values() for lemma in re.findall(r"\[(\w+)\]", text)})
    for lemma in lemmas:
        third, participle = inflect(f"[{lemma}]", "present"), inflect(f"[{lemma}]", "participle")
        assert third.endswith("s")
        assert participle.endswith("ing") or lemma == "be"
        assert not re.search(r"(sh|ch|o)s$", third), third

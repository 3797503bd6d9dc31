from __future__ import annotations

from nlvr.engine import vocabulary as v


def test_every_meaning_is_canonical() -> None:
    assert set(v.COLOUR_WORDS.values()) == set(v.COLOURS)
    assert set(v.TYPE_WORDS.values()) == set(v.TYPES)


def test_no_word_is_a_noun_and_a_word_that_ends_its_phrase() -> None:
    enders = v.PREPOSITIONS | v.SUBORDINATORS | v.COORDINATORS | v.PRONOUNS | v.VERBS
    assert not (v.COLOUR_WORDS.keys() | v.ROAD_USERS | v.SHADES) & enders


def test_verbs_are_inflected() -> None:
    assert {"turn", "turns", "turned", "turning"} <= v.TURN_VERBS
    assert {"take", "takes", "taking", "makes", "making"} <= v.TAKE_VERBS
    assert {"stop", "stops", "stopped", "stopping", "idled"} <= v.STOP_VERBS
    assert {"goes", "drives", "driving"} <= v.GO_VERBS
    assert {"passes", "approaches", "approaching", "following", "running"} <= v.OTHER_VERBS

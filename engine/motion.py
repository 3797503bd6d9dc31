"""What the subject of a clean sentence does.

Each motion word belongs to the subject or to another road user. After another road user is named it is that one's,
until a coordination, a comma, a pronoun or the subject's own missing verb gives the word back.

One motion is kept. A turn says most about where a vehicle goes and straight least, so a turn outranks a stop and a stop
outranks straight: "stops, then turns left" and "goes straight, then turns left" are left. Only explicit words count:
"runs down the street" and "crosses the intersection" name no motion, and a change of lane is no turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .grammar import RELATIVES, is_adjective, word_at
from .vocabulary import (
    COMING_TO_A_STOP,
    COORDINATORS,
    DETERMINERS,
    FINITE,
    GO_VERBS,
    NEAR_AFTER_RIGHT,
    NEGATIONS,
    PLACE_AFTER_SIDE,
    PLACE_FILLERS,
    PREPOSITIONS,
    PRONOUNS,
    ROAD_USERS,
    SIDE_FILLERS,
    SIGNALS,
    STOP_NOUNS,
    STOP_VERBS,
    STRAIGHT,
    SUBORDINATORS,
    TAKE_VERBS,
    TURN_FILLERS,
    TURN_VERBS,
    VERBS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grammar import Subject


def find_motion(words: Sequence[str], subject: Subject) -> str | None:
    """The one motion (of `MOTIONS`) of the subject: its first turn, or else a stop, or else straight."""
    motions = [motion for i in _own(words, subject) if (motion := _motion_at(words, i))]
    turn = next((motion for motion in motions if motion in ("left", "right")), None)
    return turn or next((motion for motion in ("stop", "straight") if motion in motions), None)


def _own(words: Sequence[str], subject: Subject) -> list[int]:
    """The positions of the words, in order, that can tell the subject's motion."""
    own: list[int] = []
    stop = subject.named.stop
    mine = verb_is_mine = True  # whose clause this is, and whose the last verb was
    has_verb = has_finite = False  # what the subject has of its main verb
    clause = ""  # the word that opened a subordinate clause
    for i, word in enumerate(words):
        if i in subject.named or i in subject.told:
            mine = True
        elif word in COORDINATORS or (word in PRONOUNS and word not in RELATIVES):
            mine, clause = True, ""
        elif word in SUBORDINATORS or word in ("with", "without"):
            mine, clause = True, word
        elif word in RELATIVES:
            clause = "own relative" if mine and word_at(words, i - 1) not in PREPOSITIONS else word
        elif word in ROAD_USERS:
            mine = False
        elif is_adjective(words, i):
            continue
        elif word in VERBS:
            mine = mine or (i >= stop and not has_finite and _goes_back(words, i, clause, has_verb))
            verb_is_mine = mine
            if mine and i >= stop and not clause and word != "followed":
                has_verb, has_finite = True, has_finite or _is_finite(words, i)
        # "follows a truck straight ahead": the adverb goes with the verb
        if mine or (word in STRAIGHT and has_verb and verb_is_mine and not clause):
            own.append(i)
    return own


def _is_finite(words: Sequence[str], i: int) -> bool:
    return words[i] in FINITE and word_at(words, i - 1) != "to"


def _goes_back(words: Sequence[str], i: int, clause: str, has_verb: bool) -> bool:
    """Whether the verb at `i`, after another road user, is the one its subject still lacks."""
    if _is_finite(words, i):
        return clause in ("", "with", "without", "own relative")
    return not has_verb and not clause


def _motion_at(words: Sequence[str], i: int) -> str | None:
    word = words[i]
    if word in STRAIGHT or word == "ahead":
        return "straight" if _is_straight(words, i) else None
    if word in STOP_VERBS:
        return "stop" if _is_stop(words, i) else None
    return word if word in ("left", "right") and _is_turn(words, i) else None


def _is_straight(words: Sequence[str], i: int) -> bool:
    if words[i] == "ahead" and (words[i - 1 : i] == [] or words[i - 1] not in VERBS or word_at(words, i + 1) == "of"):
        return False
    return not _negated(words, i)


def _is_stop(words: Sequence[str], i: int) -> bool:
    """Not the noun of "approaches a stop" or "leaves the parking", but that of "comes to a complete stop"."""
    before, earlier = word_at(words, i - 1), word_at(words, i - 2)
    if words[i] == "parking" and (before in DETERMINERS or before in PREPOSITIONS):
        return False
    if words[i] in STOP_NOUNS and (before in DETERMINERS or (earlier in DETERMINERS and before not in ROAD_USERS)):
        return any(word in COMING_TO_A_STOP for word in words[max(0, i - 6) : i])
    return not _negated(words, i)


def _is_turn(words: Sequence[str], i: int) -> bool:
    """Whether the side at `i` is one that its vehicle turns to, not a place or a lane."""
    after = i + 2 if word_at(words, i + 1) == "hand" else i + 1
    noun = word_at(words, after)
    if noun in SIGNALS:
        return False
    if noun == "turn" or (noun == "turning" and word_at(words, i - 1) in ("a", "")):
        return not _negated(words, i)
    verb = _verb_before(words, i, TURN_FILLERS)
    if word_at(words, verb) in TURN_VERBS:
        in_place = noun in ("lane", "lanes") and any(word in PLACE_FILLERS for word in words[verb:i])
        return not in_place and not _negated(words, verb)
    return noun not in PLACE_AFTER_SIDE and _is_taken(words, i, noun)


def _is_taken(words: Sequence[str], i: int, noun: str) -> bool:
    """Whether the side at `i`, before `noun`, is one gone to or taken: "heads left", "takes the second right"."""
    if words[max(0, i - 2) : i] == ["to", "the"] and any(word in TURN_VERBS for word in words[max(0, i - 9) : i]):
        return True
    verb = _verb_before(words, i, SIDE_FILLERS)
    is_near = words[i] == "right" and noun in NEAR_AFTER_RIGHT
    if word_at(words, verb) in GO_VERBS and not is_near:
        return not _negated(words, verb)
    verb = next((j for j in range(i - 1, max(-1, i - 7), -1) if words[j] in VERBS or words[j] in PREPOSITIONS), -1)
    return word_at(words, verb) in TAKE_VERBS and not _negated(words, verb)


def _verb_before(words: Sequence[str], i: int, fillers: frozenset[str]) -> int:
    """The position of the first word before `i` that is none of `fillers`, -1 at the sentence's start."""
    return next((j for j in range(i - 1, -1, -1) if words[j] not in fillers), -1)


def _negated(words: Sequence[str], i: int) -> bool:
    return any(word in NEGATIONS for word in words[max(0, i - 2) : i])

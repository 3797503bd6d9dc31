"""Labels are what sentences say."""

from __future__ import annotations

import numpy as np

from nlvr.engine.cityflow import Track
from nlvr.engine.language import COLOURS, MOTIONS, TYPES
from nlvr.training.readings import SHOWN, mirrored_labels, said_labels, shown_labels


def track(*sentences, others=()):
    return Track("t", ("a.jpg",), np.ones((1, 4)), sentences, others)


def test_a_track_shows_what_most_of_its_sentences_say():
    labels = shown_labels(
        [track("A red sedan turns left.", "A maroon SUV turns left.", "A red sedan."), track("Something moves.")]
    )
    assert labels.tolist() == [[COLOURS.index("red"), TYPES.index("sedan"), MOTIONS.index("left")], [-1, -1, -1]]


def test_other_views_speak_for_colour_and_type_and_not_for_motion():
    others = ("A gray van stops.", "A gray SUV stops.", "A silver van stops.")
    labels = shown_labels([track("A vehicle.", others=others), track("A blue pickup turns left.", others=others)])
    gray_van = [COLOURS.index("gray"), TYPES.index("van")]
    assert labels.tolist() == [[*gray_van, -1], [*gray_van, MOTIONS.index("left")]]


def test_a_sentence_that_says_nothing_has_a_label_of_its_own():
    labels = said_labels(["A blue van stops.", "A van.", "It moves."])
    said = [COLOURS.index("blue"), TYPES.index("van"), MOTIONS.index("stop")]
    assert labels.tolist() == [said, [len(COLOURS), TYPES.index("van"), len(MOTIONS)], list(SHOWN)]


def test_no_tracks_and_no_sentences_have_no_labels():
    assert shown_labels([]).shape == said_labels([]).shape == (0, 3)


def test_a_mirrored_vehicle_turns_the_other_way_and_is_else_the_same():
    left, right, stop = (MOTIONS.index(name) for name in ("left", "right", "stop"))
    labels = np.array([[1, 2, left], [3, 4, right], [5, 6, stop], [7, 8, -1]])
    assert mirrored_labels(labels).tolist() == [[1, 2, right], [3, 4, left], [5, 6, stop], [7, 8, -1]]
    assert mirrored_labels(mirrored_labels(labels)).tolist() == labels.tolist()

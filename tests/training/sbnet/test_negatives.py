"""The laws of mismatched sentences, on random streets of vehicles whose attributes may be unknown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.training.readings import UNKNOWN
from nlvr.training.sbnet.negatives import NegativeSampler

VALUES = st.sampled_from([UNKNOWN, 0, 1, 2])


@st.composite
def streets(draw):
    """Colours and types of some tracks, and the rows of those that one frame shows; the first is the sample's own."""
    tracks = draw(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=9))
    present = draw(st.lists(st.integers(0, len(tracks) - 1), min_size=1, max_size=3, unique=True))
    return np.array(tracks), present


@given(streets())
def test_candidates_are_those_of_the_law_written_out(street):
    tracks, present = street
    own = present[0]
    expected = []
    for row, (colour, kind) in enumerate(tracks):
        shares = (colour == tracks[own][0] != UNKNOWN) or (kind == tracks[own][1] != UNKNOWN)
        describes = any(
            (colour == theirs or UNKNOWN in (colour, theirs)) and (kind == other or UNKNOWN in (kind, other))
            for theirs, other in tracks[present]
        )
        if shares and not describes:
            expected.append(row)
    assert NegativeSampler(*tracks.T).candidates(own, present).tolist() == expected
    assert own not in expected


@given(street=streets(), seed=st.integers(0, 99))
def test_a_draw_is_a_candidate_or_the_track_itself(street, seed):
    tracks, present = street
    sampler = NegativeSampler(*tracks.T, probability=1.0)
    candidates = sampler.candidates(present[0], present).tolist()
    drawn = sampler.draw(present[0], present, np.random.default_rng(seed))
    assert drawn in (candidates or [present[0]])
    assert (
        NegativeSampler(*tracks.T, probability=0.0).draw(present[0], present, np.random.default_rng(seed)) == present[0]
    )


def test_a_fifth_of_the_draws_are_negatives_and_every_candidate_comes():
    colours, types = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 3])
    sampler, generator = NegativeSampler(colours, types), np.random.default_rng(0)
    drawn = np.array([sampler.draw(0, [0, 2], generator) for _ in range(5000)])
    assert set(drawn) == {0, 1, 3}
    assert (drawn != 0).mean() == pytest.approx(0.2, abs=0.02)


def test_an_unknown_attribute_may_be_that_of_any_vehicle():
    # A red vehicle of unknown type may be the red sedan itself, so it is no negative; nor does it share the type.
    colours, types = np.array([0, 0, 1, 1]), np.array([0, UNKNOWN, UNKNOWN, 0])
    sampler = NegativeSampler(colours, types)
    assert sampler.candidates(0, [0]).tolist() == [3]
    assert sampler.candidates(3, [3]).tolist() == [0]

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine import rescoring
from nlvr.engine.rescoring import Pruning, best, mean_part

LAW = settings(deadline=None, max_examples=1200)


class Table:
    """A term whose values are written down: values[query][track] is float32 [parts of the track]."""

    name = "term"

    def __init__(self, values):
        self.values = values
        self.parts = np.array([len(own) for own in values[0]], np.int64)
        self.asked = []

    def evaluate(self, query, tracks, parts):
        self.asked += zip([query] * len(tracks), tracks.tolist(), parts.tolist(), strict=True)
        return np.array(
            [self.values[query][track][part] for track, part in zip(tracks, parts, strict=True)], np.float32
        )

    def totals(self, allowed=None, *, progress=None):
        return np.array([[np.cumsum(own.astype(np.float64))[-1] for own in query] for query in self.values])


def brute_force(base, term, query, k, allowed):
    values = mean_part(term.totals()[query], term.parts)
    scores = base + values
    rows = [row for row in range(len(base)) if allowed is None or allowed[row]]
    rows = sorted(rows, key=lambda row: (-scores[row], row))[:k]
    return rows, values[rows]


def draw(rng, *, tracks, longest, kind):
    """Return a problem. "few" plants ties: bases and values are of a handful, so equal scores abound."""
    parts = rng.integers(1, longest + 1, tracks)
    if kind == "few":
        base = (rng.integers(-2, 3, tracks) / 4).astype(np.float32)
        values = [rng.integers(0, 3, count).astype(np.float32) / 2 for count in parts]
    elif kind == "copies":  # tracks that are equal in all but the order of their parts
        base = np.full(tracks, rng.standard_normal(), np.float32)
        first = rng.random(longest).astype(np.float32)
        values = [rng.permutation(first) for _ in parts]
    elif kind == "ends":  # a sigmoid in float32 reaches both
        base = rng.standard_normal(tracks).astype(np.float32) * 2
        values = [
            rng.choice(np.array([0, 1, np.float32(1) - np.float32(2**-24)], np.float32), count) for count in parts
        ]
    else:
        base = rng.standard_normal(tracks).astype(np.float32) * np.float32(rng.choice([0.01, 0.3, 2]))
        values = [rng.random(count).astype(np.float32) ** int(rng.choice([1, 8])) for count in parts]
    return base, Table([values])


@given(
    seed=st.integers(0, 2**32),
    tracks=st.integers(1, 120),
    longest=st.integers(1, 12),
    k=st.integers(1, 30),
    kind=st.sampled_from(["few", "copies", "ends", "random"]),
    share=st.none() | st.floats(0, 1),
    at_once=st.sampled_from([1, 3, 64]),
)
@LAW
def test_the_best_are_those_of_brute_force(seed, tracks, longest, k, kind, share, at_once):
    rng = np.random.default_rng(seed)
    base, term = draw(rng, tracks=tracks, longest=longest, kind=kind)
    allowed = None if share is None else rng.random(tracks) < share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rescoring, "PARTS_AT_ONCE", at_once)
        rows, values, pruning = best(base, term, 0, k, allowed=allowed)
    expected, expected_values = brute_force(base, term, 0, k, allowed)
    assert rows.tolist() == expected
    assert values.dtype == np.float32
    assert values.tolist() == expected_values.tolist()
    considered = tracks if allowed is None else int(allowed.sum())
    assert pruning.pairs == pruning.unseen + pruning.dropped + pruning.complete == considered
    assert pruning.parts == len(term.asked) == len(set(term.asked)), "no part is looked at twice"
    assert pruning.all_parts == int(term.parts[allowed].sum() if allowed is not None else term.parts.sum())
    assert allowed is None or all(allowed[track] for _, track, _ in term.asked)


def test_a_track_too_far_behind_is_never_looked_at():
    base = np.array([0.0, 5.0, 3.9, 4.0, 5.0], np.float32)
    term = Table([[np.full(4, 0.5, np.float32)] * 4 + [np.zeros(4, np.float32)]])
    rows, values, pruning = best(base, term, 0, 1)
    assert (rows.tolist(), values.tolist()) == ([1], [0.5])
    seen = {track for _, track, _ in term.asked}
    assert seen == {1, 4, 3} or seen == {1, 4}
    assert pruning.unseen >= 2


def test_a_track_is_left_as_soon_as_its_bound_falls_behind(monkeypatch):
    monkeypatch.setattr(rescoring, "PARTS_AT_ONCE", 2)
    base = np.zeros(2, np.float32)
    term = Table([[np.ones(10, np.float32), np.zeros(10, np.float32)]])
    rows, _, pruning = best(base, term, 0, 1)
    assert rows.tolist() == [0]
    assert pruning.dropped == 1
    assert pruning.parts < 20


def test_equal_scores_of_unequal_parts_stand_in_order_of_row():
    base = np.array([0.5, 0.0, 0.25], np.float32)
    term = Table([[np.zeros(3, np.float32), np.full(2, 0.5, np.float32), np.full(1, 0.25, np.float32)]])
    assert best(base, term, 0, 2)[0].tolist() == [0, 1]


def test_rounding_to_float32_may_turn_a_bound_around(monkeypatch):
    """In float64 the first track's bound falls behind by a hair; in float32 they tie, and the first stands before."""
    monkeypatch.setattr(rescoring, "PARTS_AT_ONCE", 1)
    base, hair = np.ones(2, np.float32), np.float32(2**-24)
    term = Table([[np.array([0.5, 1.0], np.float32), np.array([0.5 + hair, 1.0], np.float32)]])
    sums = term.totals()[0]
    assert sums[1] > sums[0]
    assert len(set((base + mean_part(sums, term.parts)).tolist())) == 1
    assert best(base, term, 0, 1)[0].tolist() == [0]


@given(seed=st.integers(0, 2**32), tracks=st.integers(2, 8), parts=st.integers(1, 6), k=st.integers(1, 4))
@LAW
def test_scores_a_rounding_apart_keep_their_order(seed, tracks, parts, k):
    """Bases and values on a grid finer than float32 holds at the size of their sum."""
    rng = np.random.default_rng(seed)
    base = (np.float32(2) + rng.integers(0, 2, tracks) * np.float32(2**-22)).astype(np.float32)
    values = [np.append(0.5 + rng.integers(0, 3, parts) * 2**-24, 1.0).astype(np.float32) for _ in range(tracks)]
    term = Table([values])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rescoring, "PARTS_AT_ONCE", 1)
        rows, _, _ = best(base, term, 0, k)
    assert rows.tolist() == brute_force(base, term, 0, k, None)[0]


def test_no_allowed_track_gives_an_empty_list():
    rows, values, pruning = best(
        np.zeros(3, np.float32), Table([[np.zeros(1, np.float32)] * 3]), 0, 2, allowed=np.zeros(3, bool)
    )
    assert (len(rows), len(values), pruning) == (0, 0, Pruning())


def test_lists_are_counted_together():
    one = Pruning(pairs=5, unseen=2, dropped=1, complete=2, parts=9, all_parts=20)
    assert one + one == Pruning(pairs=10, unseen=4, dropped=2, complete=4, parts=18, all_parts=40)

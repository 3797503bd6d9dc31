"""Laws of the negatives: whose they never are, how many, where from; mining against a reference that spells it out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.errors import InputError
from nlvr.training.contrastive.negatives import NegativeSampler, mine_texts, within_batch


@st.composite
def collections(draw):
    """A collection of tracks: the texts of each, their cameras, embeddings of the texts."""
    tracks = draw(st.integers(2, 12))
    texts = draw(st.lists(st.integers(1, 4), min_size=tracks, max_size=tracks))
    cameras = draw(st.lists(st.sampled_from(["S01/c001", "S01/c002", "S02/c003"]), min_size=tracks, max_size=tracks))
    owners = np.repeat(np.arange(tracks), texts)
    generator = np.random.default_rng(draw(st.integers(0, 2**31)))
    embeddings = generator.normal(size=(len(owners), 3)).astype(np.float32)
    return owners, cameras, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def mined_by_the_letter(embeddings, owners, threshold, top):
    result = []
    for text, own in enumerate(owners):
        likeness = {}
        for track in set(owners.tolist()) - {own}:
            cosines = [float(embeddings[text] @ embeddings[other]) for other in np.flatnonzero(owners == track)]
            likeness[track] = 0.0 if max(cosines) > threshold else max(cosines)
        result.append(sorted(likeness, key=lambda track: (-likeness[track], track))[:top])
    return np.array(result)


@settings(max_examples=60, deadline=None)
@given(collections(), st.floats(-1, 1), st.integers(1, 8))
def test_mining_keeps_the_most_alike_tracks_under_the_threshold(collection, threshold, top):
    owners, _, embeddings = collection
    mined = mine_texts(embeddings, owners, threshold=threshold, top=top)
    np.testing.assert_array_equal(mined, mined_by_the_letter(embeddings, owners, threshold, top))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(0, 2**31))
def test_candidates_of_a_batch_are_its_own_anchor_and_every_other_track(owners, seed):
    owners = np.array(owners)
    places = within_batch(owners, np.random.default_rng(seed))
    assert places.shape == (len(owners), len(owners))
    for row, own in enumerate(places):
        assert own[0] == row
        foreign = set(np.flatnonzero(owners != owners[row]).tolist())
        if foreign:
            assert set(own[1:].tolist()) == foreign


def test_mining_drops_what_is_too_alike_and_ranks_the_rest():
    angles = np.radians([0, 5, 60, 100, 180])  # cosines with the first: 1, .996, .5, -.17, -1
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert mine_texts(embeddings, np.arange(5), top=4)[0].tolist() == [2, 1, 3, 4]


def test_mining_in_blocks_is_mining_at_once(monkeypatch):
    generator = np.random.default_rng(5)
    embeddings = generator.normal(size=(40, 8)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    owners = np.repeat(np.arange(20), 2)
    at_once = mine_texts(embeddings, owners, top=6)
    monkeypatch.setattr("nlvr.training.contrastive.negatives._BLOCK", 7)
    np.testing.assert_array_equal(mine_texts(embeddings, owners, top=6), at_once)


@settings(max_examples=100, deadline=None)
@given(collections(), st.integers(1, 6), st.booleans(), st.booleans(), st.integers(0, 2**31))
def test_laws_of_every_draw(collection, count, hard_texts, hard_vehicles, seed):
    owners, cameras, embeddings = collection
    mined = mine_texts(embeddings, owners, top=3) if hard_texts else None
    sampler = NegativeSampler(owners, cameras, count=count, hard_vehicles=hard_vehicles, mined=mined)
    for anchor, own in enumerate(owners):
        negatives = sampler.draw(anchor, np.random.default_rng((seed, anchor)))
        again = sampler.draw(anchor, np.random.default_rng((seed, anchor)))
        np.testing.assert_array_equal(negatives.texts, again.texts)
        np.testing.assert_array_equal(negatives.vehicles, again.vehicles)
        sources = owners[negatives.texts]
        for drawn in (sources, negatives.vehicles):
            assert own not in drawn
            assert len(set(drawn.tolist())) == len(drawn) == min(count, len(cameras) - 1)
        if hard_texts:
            allowed = set(mined[anchor].tolist())
            assert len(set(sources.tolist()) & allowed) == min(sampler.count, len(allowed))
        if hard_vehicles:
            companions = [row for row, camera in enumerate(cameras) if camera == cameras[own] and row != own]
            assert len(set(negatives.vehicles.tolist()) & set(companions)) == min(sampler.count, len(companions))
        else:
            np.testing.assert_array_equal(sources, negatives.vehicles)


def test_random_negatives_reach_every_other_track_and_text():
    owners = np.repeat(np.arange(4), 3)
    sampler = NegativeSampler(owners, ["c"] * 4, count=1)
    generator = np.random.default_rng(0)
    assert {int(sampler.draw(4, generator).texts[0]) for _ in range(300)} == {0, 1, 2, 6, 7, 8, 9, 10, 11}


def test_vehicle_mining_alone_leaves_the_texts_to_chance():
    owners, cameras = np.arange(8), ["a"] * 4 + ["b"] * 4
    sampler = NegativeSampler(owners, cameras, count=2, hard_vehicles=True)
    generator = np.random.default_rng(0)
    drawn = [sampler.draw(0, generator) for _ in range(200)]
    assert {int(row) for negatives in drawn for row in negatives.vehicles} == {1, 2, 3}
    assert {int(row) for negatives in drawn for row in negatives.texts} == {1, 2, 3, 4, 5, 6, 7}


def test_a_single_track_is_refused():
    with pytest.raises(InputError, match="at least two"):
        NegativeSampler(np.zeros(3, np.int64), ["c"])

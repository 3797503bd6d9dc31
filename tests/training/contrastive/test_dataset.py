"""Batches: what a sample holds, that nothing is in one twice, that the engine prepares the images, missing frames."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from nlvr.engine import geometry, preprocess
from nlvr.engine.cityflow import Track, load_tracks
from nlvr.engine.errors import FrameError, InputError
from nlvr.engine.frames import FrameStore
from nlvr.engine.preprocess import Recipe
from nlvr.engine.sampling import Shot
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training.contrastive.config import AugmentConfig, NegativesConfig, load_config
from nlvr.training.contrastive.dataset import ContrastiveDataset, Seen, read_vehicles
from nlvr.training.contrastive.looks import Look
from nlvr.training.contrastive.tokenizers import build_tokenizer
from nlvr.training.scenes import camera

RECIPE = Recipe(size=32, max_points=8)


def dataset(root, *, tracks=None, store=None, augment=None, negatives=None, seed=0, batch=5, embed=None):
    config = load_config("tiny")
    return ContrastiveDataset(
        load_tracks(root / "train-tracks.json") if tracks is None else tracks,
        store or FrameStore(root, decode_threads=2),
        Tokenizer(build_tokenizer(config), length=config.text.length),
        recipe=RECIPE,
        augment=augment or AugmentConfig(),
        negatives=negatives or NegativesConfig(count=3),
        batch=batch,
        seed=seed,
        embed=embed,
    )


def arrays(batch):
    vehicles = batch.vehicles
    images = (vehicles.background, vehicles.crop, vehicles.points, vehicles.lengths)
    return (*images, batch.wordings, batch.vehicle_rows, batch.text_rows)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))


@pytest.fixture(scope="module")
def owners(city):
    """Who is meant: the bytes of a sentence's ids → its track's row, the bytes of a background → its track's row."""
    tracks = load_tracks(city / "train-tracks.json")
    config = load_config("tiny")
    tokenizer = Tokenizer(build_tokenizer(config), length=config.text.length)
    texts = {ids.tobytes(): row for row, track in enumerate(tracks) for ids in tokenizer(track.nl).ids}
    looks = [Look(Shot(row, position)) for row, track in enumerate(tracks) for position in range(len(track.frames))]
    with FrameStore(city) as store:
        shown = {
            vehicle.background.tobytes(): look.shot.row for look, vehicle in read_vehicles(tracks, looks, store, RECIPE)
        }
    assert len(shown) == len(looks)
    return texts, shown


def decoded(samples, batch, owners):
    """Return the track rows that a batch's texts and vehicles belong to: two int [M, K]."""
    texts = np.array([owners[0][ids.tobytes()] for ids in samples.tokens.ids[batch.wordings]])
    vehicles = np.array([owners[1][image.tobytes()] for image in batch.vehicles.background])
    return texts[batch.text_rows], vehicles[batch.vehicle_rows]


def test_negatives_within_the_batch_are_its_other_anchors(city, owners):
    samples = dataset(city, negatives=NegativesConfig(within_batch=True), batch=4)
    for batch in samples.batches(0):
        texts, vehicles = decoded(samples, batch, owners)
        assert texts.shape == vehicles.shape == (len(texts), len(texts))
        assert (texts == vehicles).all()
        assert set(texts.ravel()) == set(texts[:, 0])
        assert len(batch.wordings) <= len(texts)


def test_no_track_is_an_anchor_twice_before_all_are_once(city):
    samples = dataset(city, batch=1000)
    (batch,) = samples.batches(3)
    tracks = samples._owners[samples._order(3)]
    counts = np.bincount(samples._owners)
    assert sorted(tracks[: len(counts)].tolist()) == list(range(len(counts)))
    assert len(batch.text_rows) == len(tracks)
    assert samples._order(3).tolist() != samples._order(4).tolist()


def test_an_epoch_has_every_sentence_as_an_anchor_once(city):
    samples = dataset(city)
    batches = list(samples.batches(0))
    assert [len(batch.text_rows) for batch in batches] == [5] * 6 + [6]
    assert samples.steps == len(batches)
    anchors = [batch.wordings[row] for batch in batches for row in batch.text_rows[:, 0]]
    assert len(set(anchors)) == len(anchors) == 36


@pytest.mark.parametrize("hard_vehicles", [False, True])
@pytest.mark.parametrize("hard_texts", [False, True])
def test_samples_hold_the_anchor_and_the_negatives(city, owners, hard_vehicles, hard_texts):
    negatives = NegativesConfig(count=3, hard_vehicles=hard_vehicles, hard_texts=hard_texts, top=3)
    # Only sentences of one colour are alike here.
    colours = ("red", "blue", "white", "yellow")
    vectors = {colour: row for colour, row in zip(colours, 0.8 * np.eye(4) + 0.1, strict=True)}

    def embed(sentences):
        rows = [vectors[colour] for text in sentences for colour in colours if colour in text]
        return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    samples = dataset(city, negatives=negatives, embed=embed)
    cameras = np.array([camera(track) for track in samples.tracks])
    painted = np.array([track.id.split("-")[0] for track in samples.tracks])
    for batch in samples.batches(2):
        texts, vehicles = decoded(samples, batch, owners)
        assert texts.shape == vehicles.shape == (len(texts), 4)
        assert (texts[:, 0] == vehicles[:, 0]).all()
        assert (texts[:, 1:] != texts[:, :1]).all()
        assert (vehicles[:, 1:] != vehicles[:, :1]).all()
        if hard_vehicles:
            assert (cameras[vehicles] == cameras[vehicles[:, :1]]).all()
        else:
            np.testing.assert_array_equal(texts, vehicles)
        if hard_texts:
            assert (painted[texts[:, 1:]] != painted[texts[:, :1]]).all()


def test_each_vehicle_and_text_of_a_batch_is_there_once(city, owners):
    samples = dataset(city, batch=12)
    for batch in samples.batches(0):
        _, shown = owners
        rows = [shown[image.tobytes()] for image in batch.vehicles.background]
        assert len(set(rows)) == len(rows) <= 12
        assert len(np.unique(samples.tokens.ids[batch.wordings], axis=0)) == len(batch.wordings)
        assert set(batch.vehicle_rows.flat) == set(range(len(rows)))
        assert set(batch.text_rows.flat) == set(range(len(batch.wordings)))


def test_batches_depend_on_seed_epoch_and_step_alone(city):
    samples, other = dataset(city), dataset(city, seed=1)
    first = list(samples.batches(1))
    assert all(same(a, b) for a, b in zip(first[3:], samples.batches(1, 3), strict=True))
    assert all(same(a, b) for a, b in zip(first, dataset(city).batches(1), strict=True))
    assert not same(first[0], samples.load(2, 0))
    assert not same(first[0], other.load(1, 0))


def test_training_shows_every_frame_sooner_or_later(city, owners):
    samples = dataset(city, batch=12)
    seen = {
        image.tobytes()
        for epoch in range(12)
        for batch in samples.batches(epoch)
        for image in batch.vehicles.background
    }
    assert seen == set(owners[1])


def test_the_engine_prepares_the_images(city):
    tracks = load_tracks(city / "train-tracks.json")
    looks = [Look(Shot(3, 1)), Look(Shot(0, 2)), Look(Shot(0, 3))]
    with FrameStore(city) as store:
        read = dict(read_vehicles(tracks, looks, store, RECIPE))
        assert read.keys() == set(looks)
        for look, vehicle in read.items():
            track, position = tracks[look.shot.row], look.shot.position
            image = store.read(track.frames[position])
            background = preprocess.background(image, track.boxes, position, RECIPE)
            np.testing.assert_array_equal(vehicle.background, background)
            np.testing.assert_array_equal(vehicle.crop, preprocess.crop(image, track.boxes[position], RECIPE))
            points, length = preprocess.points(track.boxes, 160, 96, RECIPE)
            np.testing.assert_array_equal(vehicle.points, points)
            assert vehicle.length == length == 4


def test_another_frame_stands_in_for_a_missing_one_and_both_are_counted(own_city):
    tracks = load_tracks(own_city / "train-tracks.json")
    for frame in tracks[0].frames[1:]:
        (own_city / frame).unlink()
    (own_city / tracks[1].frames[0]).write_bytes(b"")
    store = FrameStore(own_city, decode_threads=2)
    samples = dataset(own_city, store=store)
    with FrameStore(own_city) as other:
        shown = dict(read_vehicles(tracks, [Look(Shot(0, 0))], other, RECIPE))[Look(Shot(0, 0))].background
    batches = itertools.chain(*(samples.batches(epoch) for epoch in range(4)))
    assert shown.tobytes() in {image.tobytes() for batch in batches for image in batch.vehicles.background}
    assert store.notices.counts == {"frame missing": 3, "frame truncated or unreadable": 1}


def test_a_track_without_a_readable_frame_is_named(own_city):
    tracks = load_tracks(own_city / "train-tracks.json")
    for frame in tracks[5].frames:
        (own_city / frame).unlink()
    with pytest.raises(
        FrameError, match=f"track {tracks[5].id}: none of its 4 frames can be read; the first is train/"
    ):
        list(dataset(own_city).batches(0))


def test_a_track_without_descriptions_is_named(city):
    tracks = load_tracks(city / "train-tracks.json")
    tracks[2] = dataclasses.replace(tracks[2], nl=())
    with pytest.raises(InputError, match=f"track {tracks[2].id}: nl is empty or missing"):
        dataset(city, tracks=tracks)


def test_a_long_sentence_is_counted(city):
    tracks = load_tracks(city / "train-tracks.json")
    tracks[2] = dataclasses.replace(tracks[2], nl=("A red car " * 40,))
    store = FrameStore(city)
    dataset(city, tracks=tracks, store=store)
    assert store.notices.counts == {"text cut": 1}


def test_a_bare_crop_is_shown_as_the_engine_shows_an_image_of_it(city):
    tracks = load_tracks(city / "train-tracks.json")[:3]
    looks = [Look(Shot(row, 1), mirrored=bool(row), bare=True) for row in range(3)]
    with FrameStore(city) as store:
        for look, shown in read_vehicles(tracks, looks, store, RECIPE):
            track = tracks[look.shot.row]
            image = store.read(track.frames[1])
            x0, y0, x1, y1 = geometry.pixel_box(track.boxes[1], *image.shape[1::-1])
            cut = image[y0:y1, x0:x1][:, :: -1 if look.mirrored else 1]
            box = np.array([[0.0, 0.0, x1 - x0, y1 - y0]])
            wanted = preprocess.vehicle(np.ascontiguousarray(cut), Track("t", ("a",), box), 0, RECIPE)
            for name, value in wanted.feeds().items():
                np.testing.assert_array_equal(shown.feeds()[name], value)


def test_what_towers_saw_of_a_crop_is_shown_turned_as_often_as_asked(city):
    def see(vehicles):
        across = np.broadcast_to(np.arange(4), (len(vehicles), 1, 4, 4)).astype(np.float32)
        pixels = np.repeat(across.transpose(0, 2, 3, 1).astype(np.uint8), 3, axis=3)
        return Seen(*(np.zeros((len(vehicles), 2), np.float32),) * 2, pixels, across)

    for flip, least, most in ((0.0, 0.0, 0.0), (0.5, 0.2, 0.8)):
        samples = dataset(city, augment=AugmentConfig(flip=flip), batch=16)
        samples.seen = samples.freeze(2, see, lambda *_: None)
        batches = [samples.load(0, step).vehicles for step in range(samples.steps)]
        turned = np.concatenate([shown.grid[:, 0, 0, 0] == 3 for shown in batches])
        assert least <= turned.mean() <= most
        for shown in batches:
            np.testing.assert_array_equal(shown.patch[..., 0], shown.grid[:, 0])
    assert (samples.seen.seen.grid[..., 0] == 0).all()  # what is kept stays as it was


def test_frozen_towers_see_bare_crops_as_often_as_asked_and_their_path_is_a_point(city):
    def see(vehicles):
        return Seen(*(np.zeros((len(vehicles), 2), np.float32),) * 2, None)

    samples = dataset(city, augment=AugmentConfig(bare=0.5), batch=16)
    samples.seen = samples.freeze(6, see, lambda *_: None)
    assert 0.3 < samples.seen.bare.mean() < 0.7
    lengths = np.concatenate([samples.load(0, step).vehicles.lengths for step in range(samples.steps)])
    assert 0.2 < (lengths == 1).mean() < 0.8
    assert not dataset(city).freeze(2, see, lambda *_: None).bare.any()

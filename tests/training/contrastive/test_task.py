"""The contrastive task in the loop: it learns, it resumes bit for bit, and it measures what the paper defines."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from nlvr.engine.cityflow import load_tracks
from nlvr.engine.errors import InputError
from nlvr.engine.frames import FrameStore
from nlvr.engine.language import MOTIONS, TYPES
from nlvr.engine.metrics import ranking_metrics
from nlvr.engine.sampling import Shot, ShotPlan
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training import loop
from nlvr.training.contrastive.attributes import attribute_loss, slices
from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.dataset import Vehicles, read_vehicles
from nlvr.training.contrastive.looks import Look
from nlvr.training.contrastive.losses import contrastive_loss
from nlvr.training.contrastive.model import ContrastiveModel
from nlvr.training.contrastive.task import ContrastiveTask
from nlvr.training.contrastive.tokenizers import build_tokenizer
from nlvr.training.readings import SAID, SHOWN
from nlvr.training.scenes import split_by_scene

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ("text.length=40", "recipe.size=32", "recipe.max_points=8", "schedule.learning_rate=2e-3")


def make(root, *overrides, everything=False):
    """A task over the city: trained on S01 and measured on S02, or both on everything."""
    config = load_config("tiny", overrides=[*SMALL, *overrides])
    tracks = load_tracks(root / "train-tracks.json")
    training, validation = (tracks, tracks) if everything else split_by_scene(tracks, "S02")
    model = ContrastiveModel(config, pretrained=False)
    store = FrameStore(root, decode_threads=2)
    return ContrastiveTask(config, model, build_tokenizer(config), store, training=training, validation=validation)


def losses(output):
    lines = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if "seconds" not in name} for line in lines]


def test_the_tiny_model_learns_a_small_city_by_heart(city, tmp_path):
    task = make(city, "negatives.count=11", "schedule.epochs=30", everything=True)
    assert loop.train(task, task.config.schedule, tmp_path).best == 1.0
    last = losses(tmp_path)[-1]
    assert (last["mrr"], last["recall_5"], last["recall_10"]) == (1.0, 1.0, 1.0)
    assert last["mean_loss"] < 0.2


def test_a_resumed_run_is_an_uninterrupted_one_bit_for_bit(city, tmp_path, monkeypatch):
    settings = ("schedule.epochs=2", "schedule.batch=8", "negatives.hard_vehicles=true")
    whole = make(city, *settings)
    loop.train(whole, whole.config.schedule, tmp_path / "whole")
    cut = make(city, *settings)
    taken = []

    def loss(batch, inner=cut.loss):
        taken.append(batch)
        if len(taken) == 5:  # in the second epoch, of three batches each
            os.kill(os.getpid(), signal.SIGINT)
        return inner(batch)

    monkeypatch.setattr(cut, "loss", loss)
    with pytest.raises(KeyboardInterrupt):
        loop.train(cut, cut.config.schedule, tmp_path / "cut")
    assert len(losses(tmp_path / "cut")) == 6
    torch.manual_seed(99)
    resumed = make(city, *settings)
    loop.train(resumed, resumed.config.schedule, tmp_path / "cut", resume=True)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    for name in ("model.safetensors", "config.toml", "tokenizer.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("change", ["loss.kind=triplet", "schedule.seed=5"])
def test_other_settings_and_other_data_are_told_apart(city, change):
    task = make(city, "schedule.epochs=2")
    assert make(city, "schedule.epochs=3").identity == task.identity
    assert make(city, change).identity["settings"] != task.identity["settings"]
    assert make(city, everything=True).identity["tracks"] != task.identity["tracks"]


@pytest.mark.parametrize("settings", [(), ("loss.kind=triplet", "loss.direction=text_to_vehicle")])
def test_the_loss_is_that_of_encoding_every_candidate(city, settings):
    task = make(city, "schedule.batch=4", *settings)
    task.model.eval()
    batch = task.dataset.load(0, 1)
    images = batch.vehicles
    with torch.inference_mode():
        texts, vehicles = [], []
        for text, row in zip(batch.text_rows.flat, batch.vehicle_rows.flat, strict=True):
            tokens, row_of = task.dataset.tokens, batch.wordings[[text]]
            texts.append(task.model.encode_texts(*map(torch.tensor, (tokens.ids[row_of], tokens.mask[row_of])))[0])
            inputs = (images.background, images.crop, images.points, images.lengths)
            vehicles.append(task.model.encode_vehicles(*(torch.tensor(values[[row]]) for values in inputs))[0])
        shape = (*batch.text_rows.shape, -1)
        expected = contrastive_loss(torch.stack(texts).view(shape), torch.stack(vehicles).view(shape), task.config.loss)
        torch.testing.assert_close(task.loss(batch), expected)


def test_heads_learn_from_labels_beside_the_contrast(city):
    task, plain = make(city, "model.attributes=true", "schedule.batch=6"), make(city, "schedule.batch=6")
    task.model.eval()
    batch = task.dataset.load(0, 0)
    said = task.dataset.said[batch.wordings]
    with torch.inference_mode():
        vehicles, shown = task._tell_vehicles(batch.vehicles)
        texts, read = task._tell_wordings(batch.wordings)
        contrast = contrastive_loss(texts[batch.text_rows], vehicles[batch.vehicle_rows], task.config.loss)
        learned = attribute_loss(shown, torch.tensor(batch.labels), SHOWN)
        learned = learned + attribute_loss(read, torch.tensor(said), SAID)
        torch.testing.assert_close(task.loss(batch), contrast + learned)
        assert plain._tell_vehicles(plain.dataset.load(0, 0).vehicles)[1] is None


@pytest.mark.parametrize("settings", [(), ("schedule.copies=4", "schedule.frozen=['image', 'text']")])
def test_the_labels_are_those_of_each_vehicle_as_it_is_shown(own_city, settings):
    path = own_city / "train-tracks.json"
    records = json.loads(path.read_text())
    for name, record in records.items():
        record["nl"] = [f"A {name.split('-')[0]} sedan turns left."] * 2
    path.write_text(json.dumps(records))
    task = make(own_city, "augment.flip=0.5", "schedule.batch=6", *settings, everything=True)
    sides = set()
    for step in range(task.steps):
        batch = task.dataset.load(0, step)
        for text, row in zip(batch.text_rows[:, 0], batch.vehicle_rows[:, 0], strict=True):
            colour, kind, motion = batch.labels[row].tolist()
            # A text is told as its own vehicle is shown, so both name one colour and one side.
            assert [colour, kind, motion] == task.dataset.said[batch.wordings[text]].tolist()
            assert TYPES[kind] == "sedan"
            sides.add(MOTIONS[motion])
    assert sides == {"left", "right"}


def test_the_measure_is_the_mean_cosine_over_sentences_and_frames(city):
    task = make(city, "recipe.frames='2'", everything=True)
    task.model.eval()
    tracks, store = task.validation, task.store
    tokenizer = Tokenizer(build_tokenizer(task.config), length=task.config.text.length)
    with torch.inference_mode():
        texts = [
            task.model.encode_texts(*map(torch.tensor, (tokens.ids, tokens.mask))).numpy()
            for tokens in (tokenizer(track.nl) for track in tracks)
        ]
        shown = [[] for _ in tracks]
        looks = [Look(shot) for shot in ShotPlan(tracks, store, "2").shots]
        for look, vehicle in read_vehicles(tracks, looks, store, task.config.recipe):
            one = Vehicles.stack([vehicle])
            inputs = (one.background, one.crop, one.points, one.lengths)
            shown[look.shot.row].append(task.model.encode_vehicles(*map(torch.tensor, inputs))[0].numpy())
        measured = task.validate()
    assert {len(vectors) for vectors in shown} == {2}
    scores = np.array([[np.mean(text @ np.stack(vectors).T) for vectors in shown] for text in texts])
    metrics = ranking_metrics([1 + (row > row[own]).sum() for own, row in enumerate(scores)])
    assert measured["mrr"] == pytest.approx(metrics.mrr)
    assert measured["recall_5"] == pytest.approx(metrics.recall_5)


def test_the_measure_hears_of_other_views_as_the_engine_does(city):
    task = make(city, "model.attributes=true", everything=True)
    task.model.eval()
    others = ("A black van stops.", "A black van.")
    task.validation = [replace(track, nl_other_views=others) for track in task.validation]
    tokens = Tokenizer(build_tokenizer(task.config), length=task.config.text.length)
    parts = slices(task.config.model.width, attributes=True)
    assert [*parts.values()][-1][1] == task.config.model.width
    with torch.inference_mode():
        found = task._text_vectors(task.validation)
        for track, vector in zip(task.validation, found, strict=True):
            read = tokens(track.nl + others)
            told = task.model.encode_texts(torch.tensor(read.ids), torch.tensor(read.mask)).numpy()
            for name, (start, stop) in parts.items():
                expected = told if name in {"colour", "type"} else told[: len(track.nl)]
                np.testing.assert_allclose(vector[start:stop], expected.mean(axis=0)[start:stop], atol=1e-6)


FROZEN = ('schedule.frozen=["image", "text"]', "schedule.copies=3")


def test_what_frozen_towers_saw_stands_for_the_images(city):
    seen, shown = make(city, *FROZEN), make(city, FROZEN[0])
    batch, images = seen.dataset.load(0, 0), shown.dataset.load(0, 0)
    assert batch.vehicles.are_seen
    assert not images.vehicles.are_seen
    for one, other in zip((batch.wordings, batch.vehicle_rows), (images.wordings, images.vehicle_rows), strict=True):
        np.testing.assert_array_equal(one, other)
    with torch.inference_mode():
        tracks = seen.dataset.tracks
        looks = [Look(Shot(row, place)) for row, track in enumerate(tracks) for place in range(len(track.frames))]
        every = [vehicle for _, vehicle in read_vehicles(tracks, looks, seen.store, seen.config.recipe)]
        all_images = Vehicles.stack(every)
        features = seen.model.vehicle.look(*map(torch.tensor, (all_images.background, all_images.crop)))[0].numpy()
    # Each copy is one of the frames, to the precision it is kept in.
    nearest = np.abs(batch.vehicles.background[:, None].astype(np.float32) - features).max(axis=2).min(axis=1)
    assert nearest.max() < 2e-3 * np.abs(features).max()
    with torch.inference_mode():
        assert seen.validate() == pytest.approx(shown.validate())


LEARNING = (
    "model.patch=32",
    "model.grid=true",
    "model.attributes=true",
    "negatives.within_batch=true",
    "schedule.anneal=true",
)


@pytest.mark.parametrize("more", [(), LEARNING])
def test_a_run_on_features_resumes_as_if_it_had_never_stopped(city, tmp_path, monkeypatch, more):
    settings = (*FROZEN, "schedule.epochs=3", "augment.flip=0.5", "augment.photo=1", "augment.path=0.1", *more)
    whole = make(city, *settings)
    loop.train(whole, whole.config.schedule, tmp_path / "whole")
    cut = make(city, *settings)
    monkeypatch.setattr(cut, "validate", lambda inner=cut.validate: os.kill(os.getpid(), signal.SIGINT) or inner())
    with pytest.raises(KeyboardInterrupt):
        loop.train(cut, cut.config.schedule, tmp_path / "cut")
    resumed = make(city, *settings)
    loop.train(resumed, resumed.config.schedule, tmp_path / "cut", resume=True)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


def test_frozen_towers_see_another_frame_where_one_cannot_be_read(own_city):
    for track in load_tracks(own_city / "train-tracks.json"):
        content = (own_city / track.frames[1]).read_bytes()
        (own_city / track.frames[1]).write_bytes(content[:-60])
    task = make(own_city, FROZEN[0], "schedule.copies=8", everything=True)
    assert task.dataset.load(0, 0).vehicles.are_seen
    assert 6 <= task.store.notices.counts["frame truncated or unreadable"] <= 12


def test_validation_shows_another_frame_where_one_cannot_be_read(own_city):
    tracks = load_tracks(own_city / "train-tracks.json")
    for track in tracks:
        (own_city / track.frames[0]).unlink()
        content = (own_city / track.frames[1]).read_bytes()
        (own_city / track.frames[1]).write_bytes(content[:-60])
    task = make(own_city, everything=True)
    with torch.inference_mode():
        assert 0 < task.validate()["mrr"] <= 1
    assert task.store.notices.counts == {"frame missing": 12, "frame truncated or unreadable": 12}


def test_nothing_held_out_is_nothing_measured(city):
    task = make(city)
    task.validation = ()
    assert task.validate() == {}


def test_a_box_outside_its_image_is_refused(own_city):
    path = own_city / "train-tracks.json"
    records = json.loads(path.read_text())
    records["red-left"]["boxes"][2] = [500, 10, 20, 20]
    path.write_text(json.dumps(records))
    with pytest.raises(InputError, match=r"red-left: boxes\[2\] .* lies wholly outside the image of 160x96"):
        make(own_city)

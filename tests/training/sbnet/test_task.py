"""SBNet in the training loop: it learns a street by heart, resumes to the bit, and is measured as it is scored."""

from __future__ import annotations

import dataclasses
import json
import os
import signal

import numpy as np
import pytest
import torch

from nlvr.engine.cityflow import Query, load_tracks
from nlvr.engine.errors import ScoreError
from nlvr.engine.frames import FrameStore
from nlvr.engine.preprocess import Recipe, points, resize
from nlvr.engine.sampling import ShotPlan
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training import loop
from nlvr.training.readings import UNKNOWN
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.evaluation import score_matrix
from nlvr.training.sbnet.model import SBNet
from nlvr.training.sbnet.scoring import score_pair
from nlvr.training.sbnet.task import SBNetTask
from nlvr.training.sbnet.tokenizers import build_tokenizer
from nlvr.training.sbnet.views import View

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ("recipe.size=64", "text.length=16", "schedule.batch=40")
MODULES = ("classification", "substitution", "future")


def make(root, *overrides, tracks=None):
    """A task over the street, trained and measured on the same tracks."""
    config = load_config("tiny", overrides=[*SMALL, *overrides])
    tracks = load_tracks(root / "train-tracks.json") if tracks is None else tracks
    model = SBNet(config, pretrained=False)
    store = FrameStore(root, decode_threads=1)
    return SBNetTask(config, model, build_tokenizer(config), store, training=tracks, validation=tracks)


def without(*modules):
    return [f"modules.{name}=false" for name in modules]


FROZEN = ('schedule.frozen=["image", "language"]', "schedule.copies=2")
BESIDE = (*FROZEN, "model.grid=4", "schedule.beside=6", "augment.box=0.1")


def losses(output):
    lines = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if "seconds" not in name} for line in lines]


class LearnedError(Exception):
    """Ends a run that has nothing left to learn."""


@pytest.mark.parametrize("off", [(), *((name,) for name in MODULES), MODULES], ids="-".join)
def test_the_tiny_model_learns_twenty_tracks_by_heart(street, tmp_path, off):
    settings = ("recipe.frames='3'", "negatives.probability=0.3", "augment.crop=1.0", "schedule.epochs=150")
    rate = ("schedule.learning_rate=2e-3", "schedule.decay_epochs=[35]", "schedule.decay=0.3")
    task = make(street, *settings, *rate, *without(*off))

    def report(record):
        if record.get("mrr") == 1.0:
            raise LearnedError

    with pytest.raises(LearnedError):
        loop.train(task, task.config.schedule, tmp_path, report=report)


@pytest.mark.parametrize("more", [(), BESIDE])
def test_a_resumed_run_is_an_uninterrupted_one_bit_for_bit(street, tmp_path, monkeypatch, more):
    settings = ("schedule.epochs=3", "schedule.decay_epochs=[1, 2]", *more)
    whole = make(street, *settings)
    loop.train(whole, whole.config.schedule, tmp_path / "whole")
    cut = make(street, *settings)
    taken = []

    def loss(batch, inner=cut.loss):
        taken.append(batch)
        if len(taken) == 5:  # in the second epoch, of three or four batches each
            os.kill(os.getpid(), signal.SIGINT)
        return inner(batch)

    monkeypatch.setattr(cut, "loss", loss)
    with pytest.raises(KeyboardInterrupt):
        loop.train(cut, cut.config.schedule, tmp_path / "cut")
    torch.manual_seed(99)
    resumed = make(street, *settings)
    loop.train(resumed, resumed.config.schedule, tmp_path / "cut", resume=True)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    rates = [line["learning_rate"] for line in losses(tmp_path / "whole") if "step" in line]
    assert rates == pytest.approx(np.repeat([1e-3, 1e-4, 1e-5], whole.steps).tolist())
    for name in ("model.safetensors", "config.toml", "tokenizer.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_paper_s_schedule(street):
    paper = load_config("paper").schedule
    task = make(street)
    assert [task.learning_rate(epoch) / task.config.schedule.learning_rate for epoch in range(paper.epochs)] == (
        pytest.approx([1] * 5 + [0.1] * 3 + [0.01] * 2)
    )
    optimizer = task.optimizer()
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["weight_decay"] == paper.weight_decay == 3e-5
    assert optimizer.defaults["betas"] == (0.9, 0.999)
    frozen = make(street, "schedule.frozen=['image', 'language']")
    (group,) = frozen.optimizer().param_groups
    backbones = {
        id(weight) for part in (frozen.model.image, frozen.model.language) for weight in part.backbone.parameters()
    }
    assert backbones.isdisjoint(map(id, group["params"]))


@pytest.mark.parametrize("off", [(), *((name,) for name in MODULES), MODULES], ids="-".join)
def test_a_module_that_is_off_has_no_loss_and_every_one_that_is_on_has_gradients(street, off):
    task = make(street, *without(*off))
    batch = task.dataset.load(0, 0)
    task.loss(batch).backward()
    still = {name for name, weight in task.model.named_parameters() if weight.grad is None or not weight.grad.any()}
    # Bytes of no sentence, and biases that a batch norm or a softmax takes out again, learn nothing.
    assert all(name.endswith("bias") for name in still), still
    tokens = task.dataset.tokens
    out = task.model(
        *map(torch.from_numpy, (batch.images, tokens.ids[batch.wordings], tokens.mask[batch.wordings], batch.boxes)),
        frame_rows=torch.from_numpy(batch.frame_rows),
        text_rows=torch.from_numpy(batch.text_rows),
    )
    assert set(task._parts(out, batch)) == {"segmentation", *MODULES} - set(off)


def test_what_a_frozen_backbone_saw_stands_for_the_images(street):
    task = make(street, *FROZEN, "augment.zoom=0.5", "augment.mix=0.5", "augment.photo=1")
    batches = list(task.dataset.batches(0))
    assert len(batches) == task.steps
    assert all(batch.are_seen for batch in batches)
    rows = np.concatenate([task.dataset.load(0, step).image_labels for step in range(task.steps)])
    assert len(rows) >= 2 * len(task.dataset.tracks)
    losses = [task.loss(batch) for batch in batches]
    assert all(loss.isfinite() for loss in losses)
    sum(losses).backward()
    assert all(weight.grad is None for weight in task.model.image.backbone.parameters())
    assert task.model.multimodal.coattention.b.weight.grad.any()


def test_boxes_beside_a_batch_teach_colour_and_type_alone(street):
    task = make(street, *BESIDE, "loss.label_smoothing=0")
    task.model.eval()  # dropout and statistics would tell two calls apart
    batch = task.dataset.load(0, 0)
    unlabelled = np.full_like(batch.image_labels, UNKNOWN)
    batch = dataclasses.replace(batch, image_labels=unlabelled, text_labels=unlabelled[:, :2])

    def gradients(batch):
        task.model.zero_grad()
        loss = task.loss(batch)
        loss.backward()
        return loss.item(), {name: weight.grad for name, weight in task.model.named_parameters()}

    alone, without_them = gradients(dataclasses.replace(batch, beside=None))
    loss, with_them = gradients(batch)
    learning = {
        name for name, grad in with_them.items() if grad is not None and not torch.equal(grad, without_them[name])
    }
    assert "image_attributes.head.layers.2.weight" in learning
    assert all(name.startswith("image_attributes.") for name in learning)
    logits = task._beside(batch.beside)
    wanted = sum(
        torch.nn.functional.cross_entropy(found, torch.from_numpy(labels))
        for found, labels in zip((logits.colour, logits.type), batch.beside.labels.T, strict=True)
    )
    assert (batch.beside.labels != UNKNOWN).all()
    assert loss - alone == pytest.approx(task.config.loss.classification * wanted.item(), rel=1e-3)


def test_features_are_what_the_backbone_makes_of_the_frames(street):
    task = make(street, *FROZEN, "augment.crop=1.0", "augment.flip=0.0")
    batch = task.dataset.load(0, 0)
    images = np.stack([resize(image, Recipe(size=task.config.recipe.size)) for image in frames_of(street)])
    with torch.inference_mode():
        features = task.model.image.see(torch.from_numpy(images)).numpy()
    off = np.abs(batch.images[:, None] - features[None]).max(axis=(2, 3, 4)).min(axis=1)
    assert off.max() <= np.ptp(features) / 255


def frames_of(root):
    with FrameStore(root) as store:
        frames = {frame for track in load_tracks(root / "train-tracks.json") for frame in track.frames}
        return [store.read(frame) for frame in sorted(frames)]


def test_fewer_tracks_and_frames_are_enough_to_choose_by(street):
    task = make(street, *FROZEN, "schedule.validation_tracks=2", "schedule.validation_frames=1")
    task.model.eval()
    assert len(task.validation) == 2
    first = task.validate()
    assert first["mrr"] >= 0.5
    assert task.validate() == first  # from what the backbone saw the first time


def test_the_mask_of_a_negative_is_empty_and_counts(street):
    task = make(street, "negatives.probability=1.0", *without(*MODULES))
    batch = task.dataset.load(0, 0)
    assert not batch.positive.any()
    for weight in task.model.multimodal.head.parameters():
        torch.nn.init.zeros_(weight)
    # M = 1/2 everywhere: each cell costs (1/2)² · log 2, and no cell is positive to divide by.
    assert task.loss(batch).item() == pytest.approx(batch.boxes.size * 0.25 * np.log(2), rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        without("classification"),
        without(*MODULES),
        ["model.figt=box", "recipe.resize=bicubic"],
        ["model.figt=box", "recipe.around=2.5"],
        ["model.grid=3", "modules.motion=true"],
        ["modules.motion=true", "score.match=log"],
    ],
)
def test_the_measure_scores_as_pair_by_pair(street, settings):
    task = make(street, "recipe.frames='2'", *settings)
    task.model.eval()
    config, tracks = task.config, task.validation[:4]
    tokenizer = Tokenizer(build_tokenizer(config), length=config.text.length)
    queries = [Query(track.id, (*track.nl[:2], "a thing")) for track in tracks[:3]]
    queries += [Query("nothing said", ("a thing",)), Query("moved", ("it turns left",))]
    scores = score_matrix(task.model, queries, tracks, task.store, tokenizer)
    shots = ShotPlan(tracks, task.store, "2").shots
    recipe = Recipe(size=64, resize=config.recipe.resize, around=config.recipe.around)
    for column, track in enumerate(tracks):
        positions = [shot.position for shot in shots if shot.row == column]
        assert len(positions) == 2
        frames = [task.store.read(track.frames[position]) for position in positions]
        views = [View.scored(track.boxes[position : position + 1], recipe) for position in positions]
        images = torch.tensor(np.stack([view.shown(frame, recipe) for view, frame in zip(views, frames, strict=True)]))
        boxes = torch.tensor(np.concatenate([view.masks(64, 64, config.cells) for view in views]))
        line, length = points(track.boxes, *frames[0].shape[1::-1], Recipe())
        for row, query in enumerate(queries):
            tokens = tokenizer(query.nl)
            ids, mask = torch.tensor(tokens.ids), torch.tensor(tokens.mask)
            pair = score_pair(
                task.model,
                query,
                track.id,
                ids=ids,
                mask=mask,
                images=images,
                boxes=boxes,
                points=torch.tensor(line[None]),
                lengths=torch.tensor([length]),
            )
            assert scores[row, column] == pytest.approx(pair.prob, abs=2e-6)


def test_a_path_is_learned_from_what_is_said_of_motion(street):
    tracks = [
        dataclasses.replace(track, nl=("It turns left.",) if row % 2 else ("A thing.",))
        for row, track in enumerate(load_tracks(street / "train-tracks.json"))
    ]
    task = make(street, "modules.motion=true", "augment.path=0.1", tracks=tracks)
    batch = task.dataset.load(0, 0)
    assert {len(batch.points), len(batch.lengths)} == {len(batch.boxes)}
    task.loss(batch).backward()
    assert all(weight.grad.any() for weight in task.model.motion.head.parameters())


def test_a_score_that_is_no_number_names_the_track(street):
    task = make(street)
    task.model.eval()
    torch.nn.init.constant_(task.model.multimodal.head.layers[-1].bias, torch.nan)
    with pytest.raises(ScoreError, match=f"track {task.validation[0].id}: its score is not a number"):
        task.validate()


def test_the_measure_shows_another_frame_where_one_cannot_be_read(own_street):
    tracks = load_tracks(own_street / "train-tracks.json")
    for track in tracks[:3]:
        (own_street / track.frames[0]).write_bytes(b"")
    task = make(own_street, tracks=tracks)
    task.model.eval()
    assert 0 < task.validate()["mrr"] <= 1
    assert task.store.notices.counts == {
        "frame truncated or unreadable": len({track.frames[0] for track in tracks[:3]})
    }


def test_nothing_held_out_is_nothing_measured(street):
    task = make(street)
    task.validation = ()
    assert task.validate() == {}


def test_other_settings_and_other_data_are_told_apart(street):
    task = make(street)
    assert make(street, "schedule.epochs=3").identity == task.identity
    assert make(street, "loss.mask=bce").identity["settings"] != task.identity["settings"]
    assert make(street, tracks=task.validation[:5]).identity["tracks"] != task.identity["tracks"]

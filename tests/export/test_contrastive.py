from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nlvr.engine.cityflow import load_tracks
from nlvr.engine.errors import FrameError, InputError
from nlvr.export import contrastive
from nlvr.export.samples import Samples
from nlvr.training.checkpoint import save_checkpoint
from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.model import ContrastiveModel


@pytest.fixture
def own_checkpoint(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "checkpoint")


def test_a_model_counts_as_trained_from_its_first_step_on(own_checkpoint):
    config = (own_checkpoint / "config.toml").read_text()
    tokenizer = (own_checkpoint / "tokenizer.json").read_text()
    model = ContrastiveModel(load_config("tiny"), pretrained=False)
    for steps, trained in ((0, False), (1, True), (500, True)):
        save_checkpoint(own_checkpoint, model, config=config, tokenizer=tokenizer, steps=steps)
        assert contrastive.read_checkpoint(own_checkpoint, precision="fp32").trained is trained


def test_half_precision_leaves_the_reference_as_it_was(checkpoint):
    half, full = (contrastive.read_checkpoint(checkpoint, precision=precision) for precision in ("fp16", "fp32"))
    for name in ("vehicle", "text"):
        weights = half.graphs[name].reference.state_dict()
        assert {key: value.dtype for key, value in weights.items() if value.is_floating_point()} == {
            key: torch.float32 for key, value in weights.items() if value.is_floating_point()
        }
        for key, value in full.graphs[name].reference.state_dict().items():
            assert torch.equal(weights[key], value)
        assert full.graphs[name].module is full.graphs[name].reference
    assert half.graphs["text"].module.projection.linear.weight.dtype == torch.float32
    assert next(half.graphs["text"].module.tower.parameters()).dtype == torch.float16


def test_settings_keep_the_place_of_local_weights_to_themselves(source):
    assert source.settings["backbone"] == "tiny"
    assert "weights" not in source.settings


def test_what_is_no_checkpoint_is_refused(own_checkpoint):
    (own_checkpoint / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"is no checkpoint, it has no tokenizer\.json"):
        contrastive.read_checkpoint(own_checkpoint, precision="fp32")
    (own_checkpoint / "config.toml").unlink()
    with pytest.raises(InputError, match=r"is no checkpoint, it has no config\.toml"):
        contrastive.read_checkpoint(own_checkpoint, precision="fp32")


def test_damaged_weights_are_refused(own_checkpoint):
    weights = own_checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        contrastive.read_checkpoint(own_checkpoint, precision="fp32")


@pytest.fixture
def footage(tmp_path):
    """One track over three frames, the last of them damaged, and its sentence."""
    images = tmp_path / "cam" / "img1"
    images.mkdir(parents=True)
    frames = []
    for number in (1, 2, 3):
        path = images / f"{number:06}.jpg"
        cv2.imwrite(str(path), np.full((60, 80, 3), 40 * number, np.uint8))
        frames.append(str(path.relative_to(tmp_path)))
    Path(tmp_path / frames[2]).write_bytes(b"no picture")
    record = {"track": {"frames": frames, "boxes": [[5 + 10 * place, 8, 20, 20] for place in range(3)]}}
    (tmp_path / "tracks.json").write_text(json.dumps(record))
    return Samples(tmp_path, tuple(load_tracks(tmp_path / "tracks.json")), ("A red car.",))


def test_a_row_is_the_last_frame_with_the_whole_trajectory(footage, source):
    track = footage.tracks[0]
    whole = replace(footage, tracks=(replace(track, frames=track.frames[:2], boxes=track.boxes[:2]),))
    (row,) = contrastive.vehicle_rows(source.recipe, whole)
    assert row["crop"].shape == row["background"].shape == (64, 64, 3)
    assert row["crop"].mean() == pytest.approx(80, abs=2)
    assert row["lengths"] == 2
    np.testing.assert_allclose(row["points"][:3], [[5 / 80, 8 / 60], [15 / 80, 8 / 60], [0, 0]], rtol=1e-6)


def test_a_frame_that_cannot_be_read_is_named(footage, source):
    with pytest.raises(FrameError, match=r"000003\.jpg: the frame cannot be read"):
        contrastive.vehicle_rows(source.recipe, footage)

"""Checkpoints: what is written is read back, equal weights are equal bytes, and each fault is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nlvr.engine.errors import InputError, OutputError
from nlvr.training.checkpoint import checkpoint_file, load_state, load_weights, save_checkpoint, save_state


def model(seed=0, width=4):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))


@pytest.fixture
def saved(tmp_path):
    save_checkpoint(tmp_path / "a" / "b", model(), config="[model]\n", tokenizer="{}", steps=7)
    return tmp_path / "a" / "b"


def test_weights_come_back_as_they_were(saved):
    loaded = model(seed=1)
    load_weights(loaded, saved)
    for name, tensor in model().state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert (saved / "config.toml").read_text() == "[model]\n"
    assert sorted(path.name for path in saved.iterdir()) == ["config.toml", "model.safetensors", "tokenizer.json"]


def test_equal_weights_are_equal_bytes(saved, tmp_path):
    save_checkpoint(tmp_path / "again", model(), config="", tokenizer="", steps=7)
    assert (tmp_path / "again/model.safetensors").read_bytes() == (saved / "model.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "config.toml", "tokenizer.json"])
def test_a_missing_file_is_named(saved, name):
    assert checkpoint_file(saved, name) == saved / name
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"is no checkpoint, it has no {name}"):
        checkpoint_file(saved, name)


def test_another_shape_is_named(saved):
    with pytest.raises(InputError, match=r"tensor 0\.bias is of shape \[4\], config\.toml wants it of shape \[5\]"):
        load_weights(model(width=5), saved)


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        (
            nn.Sequential(nn.Linear(3, 4)),
            r"tensor 1\.bias is of shape \[4\], config\.toml wants it absent",
        ),
        (nn.Sequential(*model(), nn.Linear(4, 2)), r"tensor 2\.bias is absent, config\.toml wants it of shape \[2\]"),
    ],
)
def test_a_tensor_too_many_or_too_few_is_named(saved, other, fact):
    with pytest.raises(InputError, match=fact):
        load_weights(other, saved)


def test_a_damaged_file_is_refused(saved):
    content = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(content[:-10])
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        load_weights(model(), saved)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_checkpoint(tmp_path / "file" / "checkpoint", model(), config="", tokenizer="", steps=0)


def test_a_state_comes_back_as_it_was(tmp_path):
    save_state(tmp_path, {"position": {"step": 3}, "random": torch.get_rng_state(), "nothing": None})
    state = load_state(tmp_path)
    assert state["position"] == {"step": 3}
    assert state["nothing"] is None
    assert torch.equal(state["random"], torch.get_rng_state())

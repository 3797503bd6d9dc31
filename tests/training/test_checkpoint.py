"""Checkpoints: what is written is read back, equal weights are equal bytes, and each fault is named."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save as save_tensors
from torch import nn

from nlvr.engine.errors import InputError, OutputError
from nlvr.training.backbones.weights import PackagedFile, PackagedWeights
from nlvr.training.checkpoint import (
    checkpoint_file,
    load_state,
    load_weights,
    save_checkpoint,
    save_state,
    trained_steps,
)


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


class Published(nn.Module):
    """A linear layer that a package has weights of, and one that is trained."""

    def __init__(self, source):
        super().__init__()
        self.backbone, self.head = nn.Linear(3, 2), nn.Linear(2, 1)
        self.backbone.packaged = source


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A package that publishes the weights of a backbone. Returns its folder and what a network says of it."""
    folder = tmp_path / "site" / "some_published_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    torch.manual_seed(9)
    torch.save(nn.Linear(3, 2).state_dict(), folder / "w.pth")
    monkeypatch.syspath_prepend(folder.parent)
    sha256 = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest()
    file = PackagedFile("some_published_weights", "w.pth", sha256)
    return folder, PackagedWeights(file, lambda path, _: torch.load(path, weights_only=True))


def published(source, *, seed, pretrained):
    torch.manual_seed(seed)
    made = Published(source)
    if pretrained:
        made.backbone.load_state_dict(source.tensors(made.backbone))
    return made


def save(directory, made):
    save_checkpoint(directory, made, config="", tokenizer="", steps=3)
    with safe_open(directory / "model.safetensors", framework="pt") as weights:
        return sorted(weights.keys()), weights.metadata()


def test_a_network_that_is_as_published_is_named_and_comes_back(package, tmp_path):
    made = published(package[1], seed=1, pretrained=True)
    names, metadata = save(tmp_path / "a", made)
    assert names == ["head.bias", "head.weight"]
    file = {"package": "some_published_weights", "name": "w.pth", "sha256": package[1].file.sha256}
    assert json.loads(metadata["packaged"]) == [{"network": "backbone", **file}]
    assert trained_steps(tmp_path / "a") == 3
    loaded = published(package[1], seed=2, pretrained=False)
    load_weights(loaded, tmp_path / "a")
    for name, tensor in made.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_a_network_that_is_random_or_trained_is_stored_whole(package, tmp_path):
    whole = ["backbone.bias", "backbone.weight", "head.bias", "head.weight"]
    random = published(package[1], seed=1, pretrained=False)
    trained = published(package[1], seed=1, pretrained=True)
    with torch.no_grad():
        trained.backbone.bias[0] += 1e-6
    for made in (random, trained):
        names, metadata = save(tmp_path / "a", made)
        assert names == whole
        assert metadata == {"steps": "3"}
        loaded = published(package[1], seed=2, pretrained=False)
        load_weights(loaded, tmp_path / "a")
        assert torch.equal(loaded.backbone.bias, made.backbone.bias)


def test_without_the_package_everything_is_stored(package, tmp_path):
    made = published(package[1], seed=1, pretrained=True)
    (package[0] / "w.pth").unlink()
    assert "backbone.weight" in save(tmp_path / "a", made)[0]


def test_equal_weights_are_equal_bytes_in_every_process(tmp_path):
    code = (
        "import sys, torch; from nlvr.training.checkpoint import _serialised; "
        "sys.stdout.buffer.write(_serialised({'w': torch.ones(2)}, dict.fromkeys('sptqr', 'ä')))"
    )
    first, *others = (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in range(3)
    )
    assert others == [first, first]
    (tmp_path / "w.safetensors").write_bytes(first)
    with safe_open(tmp_path / "w.safetensors", framework="pt") as weights:
        assert weights.metadata() == dict.fromkeys("sptqr", "ä")
        assert torch.equal(weights.get_tensor("w"), torch.ones(2))


def test_a_package_that_is_missing_or_of_another_version_is_named(package, tmp_path, monkeypatch):
    save(tmp_path / "a", published(package[1], seed=1, pretrained=True))
    random = published(package[1], seed=2, pretrained=False)
    (package[0] / "w.pth").write_bytes(b"another version")
    with pytest.raises(InputError, match=r"model\.safetensors: backbone: .*w\.pth: is not the published file .*pip"):
        load_weights(random, tmp_path / "a")
    monkeypatch.undo()
    with pytest.raises(
        InputError, match=r"model\.safetensors: backbone: some_published_weights: this package is not installed; pip"
    ):
        load_weights(random, tmp_path / "a")


def test_a_package_that_the_model_does_not_know_is_refused(package, tmp_path):
    save(tmp_path / "a", published(package[1], seed=1, pretrained=True))
    other = PackagedWeights(replace(package[1].file, sha256="0" * 64), package[1].read)
    for source in (other, None):
        with pytest.raises(InputError, match=r"model\.safetensors: leaves backbone to .* does not know; install"):
            load_weights(published(source, seed=2, pretrained=False), tmp_path / "a")


@pytest.mark.parametrize("value", ["no JSON", "3", "[3]", "[{}]"])
def test_damaged_metadata_is_refused(tmp_path, value):
    save_checkpoint(tmp_path, model(), config="", tokenizer="", steps=0)
    weights = {name: tensor.contiguous() for name, tensor in model().state_dict().items()}
    (tmp_path / "model.safetensors").write_bytes(save_tensors(weights, {"packaged": value}))
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        load_weights(model(), tmp_path)

"""Published networks from a local copy of their files; what cannot be loaded whole is refused."""

from __future__ import annotations

import pytest
import torch

from nlvr.engine.errors import InputError
from nlvr.training.backbones import hub
from nlvr.training.torchvision_schemas import declare_missing_operators


@pytest.fixture(scope="module")
def electra_folder(tmp_path_factory):
    """Write a discriminator as it is published, its own head included."""
    declare_missing_operators()
    from transformers import ElectraConfig, ElectraForPreTraining

    folder = tmp_path_factory.mktemp("electra")
    ElectraForPreTraining(ElectraConfig()).save_pretrained(folder)
    return folder


def test_electra_takes_the_discriminators_weights_and_leaves_its_head(electra_folder):
    from safetensors.torch import load_file

    network = hub.electra(pretrained=True, weights=str(electra_folder))
    published = load_file(electra_folder / "model.safetensors")
    assert network.config.hidden_size == 256
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, published[f"electra.{name}"])


def test_an_electra_that_lacks_a_weight_is_refused(electra_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(electra_folder / "model.safetensors")
    del weights["electra.embeddings.word_embeddings.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text((electra_folder / "config.json").read_text())
    with pytest.raises(InputError, match=r"electra-small.*it lacks .*word_embeddings.*set model\.weights"):
        hub.electra(pretrained=True, weights=str(tmp_path))


def test_a_resnet_takes_the_weights_of_its_local_file(tmp_path):
    declare_missing_operators()
    from torchvision import models

    file = models.ResNet18_Weights.IMAGENET1K_V1.url.rsplit("/", 1)[-1]
    written = models.resnet18().state_dict()
    torch.save(written, tmp_path / file)
    found = hub.resnet("ResNet18", pretrained=True, weights=str(tmp_path)).state_dict()
    assert all(torch.equal(found[name], written[name]) for name in written)


def test_a_resnet_whose_file_is_absent_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"resnet18-\w+\.pth: cannot be loaded .*; set model\.weights to a folder"):
        hub.resnet("ResNet18", pretrained=True, weights=str(tmp_path))

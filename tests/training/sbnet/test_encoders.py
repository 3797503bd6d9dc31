"""The image and the language module: their sizes, their stride, what normalises, and weights that cannot be had."""

from __future__ import annotations

import pytest
import torch

from nlvr.engine.errors import InputError
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.encoders import ImageModule, LanguageModule

IDS = torch.tensor([[1, 7, 9, 2, 0, 0], [1, 5, 2, 0, 0, 0]])
MASK = (IDS > 0).long()


@pytest.mark.parametrize("preset", ["paper", "released", "compact", "tiny"])
def test_features_have_the_configured_channels_at_stride_16(preset):
    config = load_config(preset)
    size, width = config.recipe.size, config.model.width
    with torch.device("meta"):
        module = ImageModule(config, pretrained=False).eval()
        features = module(torch.zeros(2, size, size, 3, dtype=torch.uint8))
    assert features.shape == (2, width, config.cells, config.cells)


def test_only_the_last_stage_of_the_resnet_loses_its_stride():
    with torch.device("meta"):
        network = ImageModule(load_config("paper"), pretrained=False).backbone
    strides = {name: layer.stride for name, layer in network.named_modules() if isinstance(layer, torch.nn.Conv2d)}
    moving = [name for name, stride in strides.items() if stride == (2, 2)]
    assert moving == ["0", "5.0.conv2", "5.0.downsample.0", "6.0.conv2", "6.0.downsample.0"]
    assert {layer.dilation for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)} == {(1, 1)}


def test_the_backbone_sees_normalised_planes():
    config = load_config("tiny", overrides=["recipe.mean=[0.1, 0.2, 0.3]", "recipe.std=[0.4, 0.5, 0.6]"])
    module = ImageModule(config, pretrained=False).eval()
    seen = []
    module.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module(torch.full((1, 96, 96, 3), 51, dtype=torch.uint8))
    expected = torch.tensor([(0.2 - 0.1) / 0.4, 0.0, (0.2 - 0.3) / 0.6])[None, :, None, None].expand(1, 3, 96, 96)
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_each_block_of_mixing_tells_a_cell_of_those_one_further_away(blocks):
    module = ImageModule(load_config("tiny", overrides=[f"model.mixing={blocks}"]), pretrained=False).eval()
    seen = torch.rand(1, 64, 9, 9, generator=torch.Generator().manual_seed(0))
    other = seen.clone()
    other[..., 4, 4] += 1
    changed = (module.project(other) != module.project(seen)).any(1)[0]
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[4 - blocks : 5 + blocks, 4 - blocks : 5 + blocks] = True
    assert torch.equal(changed, expected)


@torch.no_grad()
@pytest.mark.parametrize("language", ["electra", "minilm", "tiny"])
def test_padding_does_not_change_the_real_tokens(language):
    module = LanguageModule(load_config("tiny", overrides=[f"model.language={language}"]), pretrained=False).eval()
    tokens = module(IDS, MASK)
    assert tokens.shape == (2, 6, 64)
    torch.testing.assert_close(tokens[1, :3], module(IDS[1:, :3], MASK[1:, :3])[0], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_published_weights_are_those_of_the_packages():
    config = load_config("compact")
    image, language = ImageModule(config, pretrained=True), LanguageModule(config, pretrained=True)
    assert image.backbone.stem[1].weight.norm() > 1
    assert language.backbone.encoder.embeddings.word_embeddings.weight.std() > 0.03


def test_weights_that_are_not_there_are_named_with_a_remedy(tmp_path):
    config = load_config("paper", overrides=[f"model.weights={tmp_path}"])
    with pytest.raises(InputError, match=r"electra-small-discriminator: cannot be loaded .*; set model\.weights to"):
        LanguageModule(config, pretrained=True)
    with pytest.raises(InputError, match=r"resnet50-\w+\.pth: cannot be loaded .*; set model\.weights to .*electra"):
        ImageModule(config, pretrained=True)

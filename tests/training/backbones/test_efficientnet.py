"""EfficientNet-Lite0: timm's network at stride 32, and the same cells among more of them at stride 16."""

from __future__ import annotations

import pytest
import torch

from nlvr.training.backbones.efficientnet import EfficientNetLite0
from nlvr.training.backbones.weights import EFFICIENTNET_LITE0
from nlvr.training.torchvision_schemas import declare_missing_operators


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_lite0_equals_timms_network_of_the_same_weights(images):
    declare_missing_operators()
    import timm

    weights = torch.load(EFFICIENTNET_LITE0.path(), weights_only=True)
    reference = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    reference.load_state_dict(dict(zip(reference.state_dict(), weights.values(), strict=True)))
    network = EfficientNetLite0().eval().load_published()
    torch.testing.assert_close(network(images), reference.forward_features(images), rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("stride", [32, 16])
def test_what_comes_before_the_head_is_one_map_of_cells(images, stride):
    network = EfficientNetLite0(stride=stride).eval().load_published()
    fine, coarse, last, _ = levels = network.levels(images)
    found = network.early_map(images, levels)
    assert found.shape == (2, network.early_width, 4, 6)
    pixels, finer, *rest = found.split((3, fine.shape[1], coarse.shape[1], last.shape[1]), dim=1)
    torch.testing.assert_close(pixels[1, :, 2, 5], images[1, :, 32:48, 80:].mean((1, 2)))
    torch.testing.assert_close(finer[0, :, 3, 1], fine[0, :, 6:8, 2:4].mean((1, 2)))
    assert all(torch.equal(*pair) for pair in zip(rest, (coarse, last), strict=True))


@torch.no_grad()
def test_every_second_cell_at_stride_16_is_one_of_the_published_network(images):
    coarse, fine = (EfficientNetLite0(stride=stride).eval().load_published()(images) for stride in (32, 16))
    assert fine.shape == (2, 1280, 4, 6)
    torch.testing.assert_close(fine[:, :, 1::2, 1::2], coarse, rtol=1e-5, atol=1e-5)

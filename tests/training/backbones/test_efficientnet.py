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
def test_every_second_cell_at_stride_16_is_one_of_the_published_network(images):
    coarse, fine = (EfficientNetLite0(stride=stride).eval().load_published()(images) for stride in (32, 16))
    assert fine.shape == (2, 1280, 4, 6)
    torch.testing.assert_close(fine[:, :, 1::2, 1::2], coarse, rtol=1e-5, atol=1e-5)

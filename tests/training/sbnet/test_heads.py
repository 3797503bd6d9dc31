"""The convolutional heads: the paper's channels, sizes kept, values unbounded."""

from __future__ import annotations

import pytest
import torch

from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.heads import FuturePrediction, MaskHead

MASK_CHANNELS = [(2048, 1024), (1024, 512), (512, 256), (256, 1)]
FUTURE_CHANNELS = [(2048, 512), (512, 128), (128, 3)]


@pytest.mark.parametrize(("head", "channels"), [(MaskHead, MASK_CHANNELS), (FuturePrediction, FUTURE_CHANNELS)])
def test_the_paper_size_has_the_papers_channels(head, channels):
    with torch.device("meta"):
        layers = head(load_config("paper").model).layers
    convolutions = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels) for layer in convolutions] == channels
    assert {(layer.kernel_size, layer.padding) for layer in convolutions} == {((3, 3), (1, 1))}
    between = [type(layer).__name__ for layer in layers if not isinstance(layer, torch.nn.Conv2d)]
    assert between == ["BatchNorm2d", "ReLU"] * (len(channels) - 1)


@torch.no_grad()
def test_heads_keep_the_cells():
    model = load_config("tiny").model
    features = torch.randn(2, 64, 5, 7)
    assert MaskHead(model)(features).shape == (2, 5, 7)
    assert FuturePrediction(model)(features).shape == (2, 3, 5, 7)

"""The substitution module: its targets, and what is generated from the other side."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.substitution import Substitution

WIDTH, SIDE = 16, 5


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, WIDTH, SIDE, SIDE, generator=generator, dtype=torch.float64)
    tokens = torch.randn(2, 4, WIDTH, generator=generator, dtype=torch.float64)
    boxes = torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    boxes[0, 0, 4] = boxes[1, 1:4, 0:2] = True
    return features, boxes, tokens, torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def build(figt="frame"):
    return Substitution(load_config("tiny", overrides=[f"model.width={WIDTH}", f"model.figt={figt}"]).model).double()


@torch.no_grad()
def test_the_targets_are_means_over_frame_or_box_and_over_real_tokens(samples):
    features, boxes, tokens, _ = samples
    frame, box = (build(figt)(*samples) for figt in ("frame", "box"))
    torch.testing.assert_close(frame.figt, features.mean((2, 3)))
    torch.testing.assert_close(box.figt[0], features[0, :, 0, 4])
    torch.testing.assert_close(box.figt[1], features[1][:, boxes[1]].mean(1))
    torch.testing.assert_close(frame.fngt, torch.stack([tokens[0].mean(0), tokens[1, :2].mean(0)]))


@torch.no_grad()
def test_the_image_feature_comes_from_the_mean_of_the_real_tokens(samples):
    module = build()
    first, activation, second = module.image_from_text.mlp
    expected = second(functional.leaky_relu(first(module(*samples).fngt), 0.01))
    assert isinstance(activation, torch.nn.LeakyReLU)
    torch.testing.assert_close(module(*samples).fig, expected)


@torch.no_grad()
def test_the_text_feature_is_nine_shifted_box_means_through_the_last_kernel(samples):
    """The last convolution is linear before a mean: it collapses to one product with nine means of its input."""
    features, boxes, *_ = samples
    module = build()
    network = module.text_from_image
    hidden = network.first(torch.cat([features, boxes[:, None]], dim=1)).relu()
    assert hidden.shape == (2, WIDTH // 4, SIDE, SIDE)
    bordered = functional.pad(hidden, (1, 1, 1, 1))
    expected = network.second.bias.expand(2, -1).clone()
    for dy in range(3):
        for dx in range(3):
            shifted = bordered[:, :, dy : dy + SIDE, dx : dx + SIDE]
            means = torch.stack([shifted[n][:, boxes[n]].mean(1) for n in range(2)])
            expected += means @ network.second.weight[:, :, dy, dx].T
    torch.testing.assert_close(module(*samples).fng, expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_the_box_itself_reaches_the_text_feature(samples):
    features, boxes, tokens, mask = samples
    flat = torch.ones_like(features)  # the same everywhere, so that only the box's channel can tell
    inner, whole = boxes.clone(), torch.ones_like(boxes)
    inner[:] = False
    inner[:, 1:4, 1:4] = True
    module = build()
    found = [module(flat, chosen, tokens, mask).fng for chosen in (inner, whole)]
    module.text_from_image.first.weight[:, -1] = 0
    blind = [module(flat, chosen, tokens, mask).fng for chosen in (inner, inner)]
    assert not torch.allclose(found[0], found[1], atol=1e-3)
    assert not torch.allclose(found[0], blind[0], atol=1e-3)

"""Co-attention, channel modulation and self-attention against loops over tokens, cells and channels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nlvr.training.sbnet.attention import ChannelModulation, CoAttention, SpatialSelfAttention
from nlvr.training.sbnet.config import load_config

SIDE, LENGTH, REAL, WIDTH = 3, 4, 3, 16


def model(*overrides):
    return load_config("tiny", overrides=[f"model.width={WIDTH}", *overrides]).model


def draw(seed=0):
    """Return FI, FN and the mask of two samples, the second with one row of padding."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, WIDTH, SIDE, SIDE, dtype=torch.float64, generator=generator)
    tokens = torch.randn(2, LENGTH, WIDTH, dtype=torch.float64, generator=generator)
    return features, tokens, torch.tensor([[1] * LENGTH, [1] * REAL + [0] * (LENGTH - REAL)])


def linear(layer, vector):
    weight = layer.weight.detach().numpy().reshape(len(layer.weight), -1)
    return weight @ vector + layer.bias.detach().numpy()


def softmax(values):
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def coattention_by_loops(module, cells, words, *, scale, parallel):
    """cells: the vectors of one image.  words: those of one sentence's real tokens."""
    affinity = [[linear(module.a, word) @ linear(module.b, cell) / scale for cell in cells] for word in words]
    enhanced_cells = []
    for place, cell in enumerate(cells):
        weights = softmax([row[place] for row in affinity])
        enhanced_cells.append(cell + sum(w * linear(module.c, word) for w, word in zip(weights, words, strict=True)))
    values = [linear(module.d, cell) for cell in (cells if parallel else enhanced_cells)]
    enhanced_words = [
        word + sum(w * value for w, value in zip(softmax(row), values, strict=True))
        for word, row in zip(words, affinity, strict=True)
    ]
    return enhanced_cells, enhanced_words


@torch.no_grad()
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("order", ["sequential", "parallel"])
def test_coattention_equals_a_loop_over_tokens_and_cells(scaled, order):
    overrides = [f"model.attention_scale={str(scaled).lower()}", f"model.attention_order={order}"]
    module = CoAttention(model(*overrides)).double()
    features, tokens, mask = draw()
    found_image, found_text = module(features, tokens, mask)
    for sample in range(2):
        cells = list(features[sample].flatten(1).T.numpy())
        words = list(tokens[sample, : mask[sample].sum()].numpy())
        scale = math.sqrt(WIDTH) if scaled else 1.0
        image, text = coattention_by_loops(module, cells, words, scale=scale, parallel=order == "parallel")
        np.testing.assert_allclose(found_image[sample].flatten(1).T, image, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found_text[sample, : len(words)], text, rtol=0, atol=1e-12)


@torch.no_grad()
def test_what_stands_in_the_padding_does_not_matter():
    features, tokens, mask = draw()
    other = tokens.clone()
    other[1, REAL:] = 100.0
    coattention, modulation = CoAttention(model()).double(), ChannelModulation(model()).double()
    outputs = []
    for words in (tokens, other):
        image, text = coattention(features, words, mask)
        outputs.append(modulation(image, text, mask))
    assert torch.equal(*outputs)


@torch.no_grad()
def test_modulation_scales_each_channel_by_a_gate_of_the_sentence():
    module = ChannelModulation(model()).double()
    features, tokens, mask = draw()
    found = module(features, tokens, mask)
    for sample in range(2):
        mean = tokens[sample, : mask[sample].sum()].numpy().mean(axis=0)
        gate = 1 / (1 + np.exp(-linear(module.mlp[2], np.maximum(linear(module.mlp[0], mean), 0))))
        np.testing.assert_allclose(found[sample], features[sample].numpy() * gate[:, None, None], rtol=0, atol=1e-12)
    assert module.mlp[0].weight.shape == (WIDTH // 16, WIDTH)


@torch.no_grad()
def test_self_attention_equals_a_loop_over_cells():
    module = SpatialSelfAttention(model()).double()
    features = draw()[0]
    found = module(features)
    for sample in range(2):
        cells = list(features[sample].flatten(1).T.numpy())
        queries = [linear(module.query, cell) for cell in cells]
        for place, cell in enumerate(cells):
            weights = softmax([queries[place] @ key for key in queries])
            expected = cell + sum(w * linear(module.value, other) for w, other in zip(weights, cells, strict=True))
            np.testing.assert_allclose(found[sample].flatten(1).T[place], expected, rtol=0, atol=1e-12)
    assert len(queries[0]) == WIDTH // 4

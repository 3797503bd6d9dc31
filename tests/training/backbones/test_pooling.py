"""Pooling over tokens."""

from __future__ import annotations

import torch

from nlvr.training.backbones.pooling import masked_mean


def test_masked_mean_averages_the_real_tokens():
    tokens = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert masked_mean(tokens, mask).tolist() == [[1.0, 2.0], [6.0, 7.0]]

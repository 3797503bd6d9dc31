"""Heads that read logits from features of different scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

_DROPOUT = 0.1
LOOKS_DROPOUT = 0.3  # where small networks learn what is read, of few vehicles


class Standardise(nn.BatchNorm1d):
    """Features, float [B, D], brought to mean 0 and variance 1 over the training set; of one row, by what is known."""

    def __init__(self, features: int) -> None:
        super().__init__(features, affine=False)

    def forward(self, features: Tensor) -> Tensor:
        if not self.training or len(features) > 1:
            return super().forward(features)
        return functional.batch_norm(features, self.running_mean, self.running_var, eps=self.eps)


class Head(nn.Module):
    """Parts of features, float [B, …], joined and standardised → logits, float32 [B, classes].

    dropout: share of the features that training leaves out.
    """

    def __init__(self, inputs: int, classes: int, *, dropout: float = _DROPOUT) -> None:
        super().__init__()
        self.layers = nn.Sequential(Standardise(inputs), nn.Dropout(dropout), nn.Linear(inputs, classes))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        joined = torch.cat([part.float() for part in features], dim=1)
        with torch.autocast(joined.device.type, enabled=False):
            return self.layers(joined)

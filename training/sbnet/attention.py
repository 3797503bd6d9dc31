"""The multimodal module (P1, section 4.6): co-attention, channel modulation, spatial self-attention.

The equations' names of image and text are swapped in P1 (12, 16); shapes decide which is meant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn

from ..backbones.pooling import masked_mean

if TYPE_CHECKING:
    from .config import ModelConfig


class CoAttention(nn.Module):
    """What each token is told by the cells, and each cell by the tokens (eqs. 12-15).

    A = a(FN)·b(FI)ᵀ / √c; FIe = FI + softmax over the tokens (A)ᵀ·c(FN); FNe = FN + softmax over the cells (A)·d(FIe).
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        width = model.width
        self.a = nn.Linear(width, width)
        self.b = nn.Conv2d(width, width, 1)
        self.c = nn.Linear(width, width)
        self.d = nn.Conv2d(width, width, 1)
        self.scale = math.sqrt(width) if model.attention_scale else 1.0
        self.parallel = model.attention_order == "parallel"

    def forward(self, features: Tensor, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """features: FI, float [N, c, h, w].  tokens: FN, float [N, l, e].  mask: int64 [N, l], 1 on real tokens.

        Returns FIe, float [N, c, h, w], and FNe, float [N, l, e], of which rows of padding mean nothing.
        """
        affinity = self.a(tokens) @ self.b(features).flatten(2) / self.scale  # A, [N, l, h·w], eqs. 12-13
        padding = (mask == 0)[:, :, None]
        over_tokens = affinity.masked_fill(padding, -math.inf).softmax(dim=1)
        told = self.c(tokens).transpose(1, 2) @ over_tokens
        enhanced = features + told.unflatten(2, features.shape[2:])  # eq. 15
        over_cells = affinity.softmax(dim=2)
        value = self.d(features if self.parallel else enhanced)
        return enhanced, tokens + over_cells @ value.flatten(2).transpose(1, 2)  # eq. 14


class ChannelModulation(nn.Module):
    """FIm = FIe · σ(W2 relu(W1 mean FNe)) (eq. 16): the sentence opens and closes channels of the image."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        width = model.width
        self.mlp = nn.Sequential(nn.Linear(width, width // 16), nn.ReLU(), nn.Linear(width // 16, width), nn.Sigmoid())

    def forward(self, features: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """features: FIe, float [N, c, h, w].  tokens: FNe, float [N, l, e].  mask: int64 [N, l].  Returns FIm."""
        return features * self.mlp(masked_mean(tokens, mask))[:, :, None, None]


class SpatialSelfAttention(nn.Module):
    """FIm + softmax over the cells (q(FIm)ᵀ·q(FIm))·v(FIm): every cell looks at all the others (section 4.6, text)."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        width = model.width
        self.query = nn.Conv2d(width, width // 4, 1)
        self.value = nn.Conv2d(width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """features: FIm, float [N, c, h, w].  Returns the same shape."""
        query = self.query(features).flatten(2)
        attention = (query.transpose(1, 2) @ query).softmax(dim=2)  # [N, h·w, h·w], each row over its keys
        seen = self.value(features).flatten(2) @ attention.transpose(1, 2)
        return features + seen.unflatten(2, features.shape[2:])

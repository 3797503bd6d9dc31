"""The convolutional heads: the mask (P1, section 4.7) and the next frame (section 4.8)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import ModelConfig


class MaskHead(nn.Module):
    """M = G(FNm) (eq. 17), as logits: conv 3×3 c → c/2 → c/4 → c/8, each with BN and ReLU, and conv 3×3 → 1."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        width = model.width
        self.layers = _convolutions((width, width // 2, width // 4, width // 8), 1)

    def forward(self, features: Tensor) -> Tensor:
        """features: float [N, c, h, w].  Returns M before its sigmoid, float [N, h, w]."""
        return self.layers(features)[:, 0]


class FuturePrediction(nn.Module):
    """U = B(FI) (eq. 18): conv 3×3 c → c/4 → c/16, each with BN and ReLU, and conv 3×3 → 3."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        width = model.width
        self.layers = _convolutions((width, width // 4, width // 16), 3)

    def forward(self, features: Tensor) -> Tensor:
        """features: FI, float [F, c, h, w].  Returns U, float [F, 3, h, w], the next frame's RGB at a cell's scale."""
        return self.layers(features)


def _convolutions(channels: Sequence[int], outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], outputs, 3, padding=1))

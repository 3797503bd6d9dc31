"""Pixels as networks take them. It happens inside the graph, so that bytes and not floats cross the bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Normalise(nn.Module):
    """(value / 255 − mean) / std, with one mean and one std a colour plane."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        for name, statistic in (("mean", mean), ("std", std)):
            planes = torch.tensor(statistic, dtype=torch.float32)[:, None, None]
            self.register_buffer(name, planes, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """images: uint8 [B, S, S, 3] RGB.  Returns [B, 3, S, S] of the statistics' precision."""
        return (images.permute(0, 3, 1, 2).to(self.mean.dtype) / 255 - self.mean) / self.std

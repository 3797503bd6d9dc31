"""A small network that sees a crop reduced to a few pixels, and learns what frozen towers do not tell."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (32, 64, 128, 192)  # of its levels, each half as fine as the one before


class PatchNetwork(nn.Module):
    """Crops, uint8 [B, s, s, 3] RGB → features float32 [B, 384]: means and maxima over the picture."""

    width = 2 * _WIDTHS[-1]

    def __init__(self, side: int) -> None:
        """side: s, pixels."""
        super().__init__()
        self.side = side
        layers: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            layers += _convolution(channels, width, stride=2)
            channels = width
        layers[6:6] = _convolution(_WIDTHS[1], _WIDTHS[1], stride=1)
        self.layers = nn.Sequential(*layers)

    def reduce(self, crop: Tensor) -> Tensor:
        """Return what it sees of crops: uint8 [B, S, S, 3], S a multiple of s → uint8 [B, s, s, 3]."""
        means = functional.avg_pool2d(crop.permute(0, 3, 1, 2).float(), crop.shape[1] // self.side)
        return (means + 0.5).to(torch.uint8).permute(0, 2, 3, 1)

    def forward(self, patches: Tensor) -> Tensor:
        maps = self.layers(patches.permute(0, 3, 1, 2).float() / 127.5 - 1)
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)


def _convolution(channels: int, width: int, *, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]

"""Small networks that learn what the means of frozen towers do not tell: from a crop reduced, from the tower's map."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (32, 64, 128, 192)  # of the levels of PatchNetwork, each half as fine as the one before
_INNER, _COARSE = 96, (160, 192)  # of GridNetwork: at the map's own scale, and each half as fine as the one before


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
        return _summary(maps)


class GridNetwork(nn.Module):
    """A tower's map of a crop, float [B, C, h, w] → features float32 [B, 384]: means and maxima over what it sees."""

    width = 2 * _COARSE[-1]
    cells_width = _INNER

    def __init__(self, channels: int) -> None:
        """channels: C."""
        super().__init__()
        self.cells = _Cells(nn.BatchNorm2d(channels), *_convolution(channels, _INNER, stride=1, kernel=1))
        layers = _convolution(_INNER, _INNER, stride=1)
        for before, width in pairwise((_INNER, *_COARSE)):
            layers += _convolution(before, width, stride=2)
        self.layers = nn.Sequential(*layers)

    def forward(self, grid: Tensor) -> Tensor:
        return self.look(self.by_cell(grid))

    def by_cell(self, grid: Tensor) -> Tensor:
        """Return what is read of each cell by itself, float32 [B, 96, h, w], of which `look` takes any part.

        grid: float [B, D, h, w], of which the first C channels are read.
        """
        return self.cells(grid)

    def look(self, cells: Tensor) -> Tensor:
        """Return the features of maps, float32 [B, 96, h, w]."""
        return _summary(self.layers(cells))


class _Cells(nn.Sequential):
    """Reads the first channels of maps, as many as its first layer takes, in float32."""

    def forward(self, grid: Tensor) -> Tensor:
        return super().forward(grid[:, : self[0].num_features].float())


def _summary(maps: Tensor) -> Tensor:
    return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)


def _convolution(channels: int, width: int, *, stride: int, kernel: int = 3) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU()]

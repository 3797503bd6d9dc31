"""Where a cell is: the fixed code that FI carries into the co-attention. P1 has none; its authors' code does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LONGEST = 10_000.0  # wavelength of the slowest wave over 2π, in cells


class PositionCode(nn.Module):
    """FI + P: sines and cosines of the column in the first half of the channels, of the row in the second.

    P[2k, y, x] = sin(x·r_k), P[2k+1, y, x] = cos(x·r_k), P[c/2 + 2k, y, x] = sin(y·r_k), … with r_k = 10000^(−4k/c).
    """

    code: Tensor

    def __init__(self, width: int, cells: int) -> None:
        """width: c, a multiple of 4.  cells: h = w."""
        super().__init__()
        rates = _LONGEST ** (-4 * torch.arange(width // 4, dtype=torch.float64) / width)
        angles = torch.arange(cells, dtype=torch.float64) * rates[:, None]
        waves = torch.stack([angles.sin(), angles.cos()], dim=1).flatten(0, 1)  # [c/2, cells]
        columns = waves[:, None, :].expand(-1, cells, -1)
        rows = waves[:, :, None].expand(-1, -1, cells)
        self.register_buffer("code", torch.cat([columns, rows]).float(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """features: FI, float [N, c, h, w].  Returns the same shape."""
        return features + self.code

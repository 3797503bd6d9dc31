"""Colour and type of a vehicle, from its sentence and from its box (P1, section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nlvr.engine.language import COLOURS, TYPES

from ..backbones.patch import GridNetwork

if TYPE_CHECKING:
    from .config import ModelConfig


@dataclass(frozen=True, slots=True)
class Attributes:
    """Logits over `language.COLOURS`, float [N, 12], and over `language.TYPES`, float [N, 10]."""

    colour: Tensor
    type: Tensor


def box_mean(features: Tensor, boxes: Tensor) -> Tensor:
    """Return FIcls = Σ FI·b / Σ b (eq. 6).

    features: FI, float [N, c, h, w].  boxes: b, bool [N, h, w], none empty.  Returns float [N, c].
    """
    b = boxes[:, None].to(features.dtype)
    return (features * b).sum((2, 3)) / b.sum((2, 3))


def box_corners(boxes: Tensor) -> Tensor:
    """Return the boxes' corners, int64 [N, 4], x0, y0, x1, y1 in cells, half-open. boxes: b, bool [N, h, w]."""
    columns, rows = boxes.any(1), boxes.any(2)
    left, top = (cells.int().argmax(1) for cells in (columns, rows))
    return torch.stack([left, top, left + columns.sum(1), top + rows.sum(1)], dim=1)


def box_map(features: Tensor, corners: Tensor, side: int) -> Tensor:
    """Return what FI is at the middles of side × side equal parts of each box, between cells linearly.

    features: FI, float [N, c, h, w].  corners: int64 [N, 4], as of `box_corners`; nothing beyond them is read.
    Returns float [N, c, side, side].
    """
    left, top, right, bottom = corners.t()
    across = _read_at(left, right, side, features.shape[3])
    down = _read_at(top, bottom, side, features.shape[2])
    return down[:, None] @ features @ across[:, None].transpose(2, 3)


def _read_at(first: Tensor, end: Tensor, side: int, cells: int) -> Tensor:
    """Return how much of each cell is read at each place: float [N, side, cells]."""
    parts = (torch.arange(side, device=first.device) + 0.5) / side
    place = first[:, None] + parts * (end - first)[:, None] - 0.5
    place = torch.minimum(torch.maximum(place, first[:, None]), end[:, None] - 1.0)
    return (1 - (place[:, :, None] - torch.arange(cells, device=first.device)).abs()).clamp(min=0)


class TextAttributes(nn.Module):
    """Cn, Tn = Ln(FNcls) (eq. 5), FNcls the first token, CLS."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        self.colours = nn.Linear(model.width, len(COLOURS))
        self.types = nn.Linear(model.width, len(TYPES))

    def forward(self, tokens: Tensor) -> Attributes:
        """tokens: FN, float [U, l, e].  Returns logits of the U sentences."""
        cls = tokens[:, 0]
        return Attributes(self.colours(cls), self.types(cls))


class ImageAttributes(nn.Module):
    """Ci, Ti = MLPi(FIcls) (eq. 7); with a grid also of the box's own map, which a mean leaves nothing of."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        self.side = model.grid
        self.grid = GridNetwork(model.width) if model.grid else None
        inputs = model.width + (self.grid.width if self.grid else 0)
        self.colours = _mlp(model, inputs, len(COLOURS))
        self.types = _mlp(model, inputs, len(TYPES))

    def forward(self, pooled: Tensor, features: Tensor, corners: Tensor) -> Attributes:
        """pooled: FIcls, float [N, c].  features: FI, float [N, c, h, w].  corners: int64 [N, 4] (`box_corners`).

        Two boxes at least in training, where statistics are taken over them.
        """
        if self.grid:
            pooled = torch.cat([pooled, self.grid(box_map(features, corners, self.side))], dim=1)
        return Attributes(self.colours(pooled), self.types(pooled))


def _mlp(model: ModelConfig, inputs: int, classes: int) -> nn.Sequential:
    hidden = model.width // 2
    norm = [nn.BatchNorm1d(hidden)] if model.head_norm else []
    return nn.Sequential(nn.Linear(inputs, hidden), *norm, nn.ReLU(), nn.Linear(hidden, classes))

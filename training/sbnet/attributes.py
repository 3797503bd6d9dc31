"""Colour and type of a vehicle, from its sentence and from its box (P1, section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nlvr.engine.language import COLOURS, TYPES

from ..backbones.heads import LOOKS_DROPOUT, Head
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


def moved(corners: Tensor, moves: Tensor, side: int) -> Tensor:
    """Return boxes with their sides moved: float [N, 4], within the map, a cell wide and high at least.

    corners: int64 [N, 4], as of `box_corners`.  moves: float [N, 4], as shares of the box.  side: cells of the map's.
    """
    size = (corners[:, 2:] - corners[:, :2]).repeat(1, 2)
    first, end = (corners + moves * size).split(2, dim=1)
    first = first.clamp(0, side - 1)
    return torch.cat([first, torch.maximum(end.clamp(max=side), first + 1)], dim=1)


def box_map(features: Tensor, corners: Tensor, side: int) -> Tensor:
    """Return what maps hold at the middles of side × side equal parts of each box, between cells linearly.

    features: float [N, c, h, w].  corners: [N, 4], as of `box_corners`, or between cells, a cell apart at least;
    nothing beyond them is read.
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
    """Ci, Ti = MLPi(FIcls) (eq. 7)."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        self.colours = _mlp(model, len(COLOURS))
        self.types = _mlp(model, len(TYPES))

    def forward(self, pooled: Tensor) -> Attributes:
        """pooled: FIcls, float [N, c].  Returns logits of the N boxes."""
        return Attributes(self.colours(pooled), self.types(pooled))


class GridAttributes(nn.Module):
    """Ci, Ti read in a box's own part of what the backbone sees, in the place of eq. 7: a mean keeps no shapes."""

    def __init__(self, model: ModelConfig, channels: int) -> None:
        """channels: of the backbone's map that are read, the first so many."""
        super().__init__()
        self.side = model.grid
        self.network = GridNetwork(channels)
        self.head = Head(self.network.width, len(COLOURS) + len(TYPES), dropout=LOOKS_DROPOUT)

    def by_cell(self, seen: Tensor) -> Tensor:
        """Return what is read of each cell by itself, float [N, 96, h, w]. seen: by a backbone, float [N, D, h, w]."""
        return self.network.by_cell(seen)

    def forward(self, cells: Tensor, corners: Tensor) -> Attributes:
        """cells: as `by_cell` gives them, of the view of each box.  corners: [N, 4], as `box_map` takes them.

        Returns logits of the N boxes, two at least in training, where statistics are taken over them.
        """
        logits = self.head([self.network.look(box_map(cells, corners, self.side))])
        return Attributes(*logits.split((len(COLOURS), len(TYPES)), dim=1))


def _mlp(model: ModelConfig, classes: int) -> nn.Sequential:
    hidden = model.width // 2
    norm = [nn.BatchNorm1d(hidden)] if model.head_norm else []
    return nn.Sequential(nn.Linear(model.width, hidden), *norm, nn.ReLU(), nn.Linear(hidden, classes))

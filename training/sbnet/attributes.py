"""Colour and type of a vehicle, from its sentence and from its box (P1, section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from nlvr.engine.language import COLOURS, TYPES

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
        """pooled: FIcls, float [N, c]; two at least in training, where statistics are taken over them."""
        return Attributes(self.colours(pooled), self.types(pooled))


def _mlp(model: ModelConfig, classes: int) -> nn.Sequential:
    hidden = model.width // 2
    norm = [nn.BatchNorm1d(hidden)] if model.head_norm else []
    return nn.Sequential(nn.Linear(model.width, hidden), *norm, nn.ReLU(), nn.Linear(hidden, classes))

"""The substitution module (P1, section 4.5): an image feature from the text, and a text feature from the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..backbones.pooling import masked_mean
from .attributes import box_mean

if TYPE_CHECKING:
    from .config import ModelConfig


@dataclass(frozen=True, slots=True)
class Substitutes:
    """Targets and what is generated to be like them: FIgt and FIg float [N, c], FNgt and FNg float [N, e]."""

    figt: Tensor
    fig: Tensor
    fngt: Tensor
    fng: Tensor


class ImageFromText(nn.Module):
    """FIg = MLP(FN) (eq. 10), of the mean of FN over the real tokens, for the result is one vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(), nn.Linear(width, width))

    def forward(self, text: Tensor) -> Tensor:
        """text: FNgt, float [U, e].  Returns FIg, float [U, c]."""
        return self.mlp(text)


class TextFromImage(nn.Module):
    """FNg = CNN(FI, b) (eq. 11): b is one more channel, and the result is averaged over the cells of b."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width + 1, width // 4, 3, padding=1)
        self.second = nn.Conv2d(width // 4, width, 3, padding=1)

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        """features: FI, float [N, c, h, w].  boxes: b, bool [N, h, w].  Returns FNg, float [N, e]."""
        channels = torch.cat([features, boxes[:, None].to(features.dtype)], dim=1)
        return box_mean(self.second(functional.relu(self.first(channels))), boxes)


class Substitution(nn.Module):
    """FIgt and FNgt (eqs. 8-9) beside FIg and FNg (eqs. 10-11)."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        self.of_box = model.figt == "box"
        self.image_from_text = ImageFromText(model.width)
        self.text_from_image = TextFromImage(model.width)

    def forward(self, features: Tensor, boxes: Tensor, tokens: Tensor, mask: Tensor) -> Substitutes:
        """features: FI, float [N, c, h, w].  boxes: b, bool [N, h, w].

        tokens: FN, float [N, l, e].  mask: int64 [N, l], 1 on real tokens.
        """
        figt = box_mean(features, boxes) if self.of_box else features.mean((2, 3))
        fngt = masked_mean(tokens, mask)
        return Substitutes(figt, self.image_from_text(fngt), fngt, self.text_from_image(features, boxes))

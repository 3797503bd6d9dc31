"""SBNet whole, dense and literal: the reference that every faster evaluation is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .attention import ChannelModulation, CoAttention, SpatialSelfAttention
from .attributes import Attributes, GridAttributes, ImageAttributes, TextAttributes, box_corners, box_mean
from .encoders import ImageModule, LanguageModule
from .heads import FuturePrediction, MaskHead
from .motion import PathMotion
from .position import PositionCode
from .substitution import Substitutes, Substitution

if TYPE_CHECKING:
    from typing import Self

    from .config import ModelConfig, SBNetConfig


@dataclass(frozen=True, slots=True)
class Output:
    """What SBNet says of N samples over F frames. A module that is switched off gives None.

    mask: M before its sigmoid, float [N, h, w].
    text, image: colour and type logits of the N sentences and the N boxes.
    substitutes: FIgt, FIg, FNgt and FNg of the N samples.
    future: U, float [F, 3, h, w].
    """

    mask: Tensor
    text: Attributes | None
    image: Attributes | None
    substitutes: Substitutes | None
    future: Tensor | None


class Multimodal(nn.Module):
    """FI and FN → M (P1, sections 4.6 and 4.7)."""

    def __init__(self, model: ModelConfig, cells: int) -> None:
        super().__init__()
        self.position = PositionCode(model.width, cells) if model.pos2d else nn.Identity()
        self.coattention = CoAttention(model)
        self.modulation = ChannelModulation(model)
        self.selfattention = SpatialSelfAttention(model)
        self.head = MaskHead(model)

    def forward(self, features: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """features: FI, float [N, c, h, w].  tokens: FN, float [N, l, e].  mask: int64 [N, l], 1 on real tokens.

        Returns M before its sigmoid, float [N, h, w].
        """
        image, text = self.coattention(self.position(features), tokens, mask)
        return self.head(self.selfattention(self.modulation(image, text, mask)))


class SBNet(nn.Module):
    """The whole network.

    `motion` reads a track's path, which no frame shows, and stands beside what `forward` does. The same
    `config.schedule.seed` gives the same weights where they are not pretrained. Backbones named in
    `config.schedule.frozen` take no gradient and stay in evaluation mode.
    """

    def __init__(self, config: SBNetConfig, *, pretrained: bool) -> None:
        """pretrained: start from the backbones' published weights.

        Raises InputError when pretrained weights cannot be had.
        """
        super().__init__()
        self.config = config
        model, modules = config.model, config.modules
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.schedule.seed)
            self.image = ImageModule(config, pretrained=pretrained)
            self.language = LanguageModule(config, pretrained=pretrained)
            self.multimodal = Multimodal(model, config.cells)
            self.text_attributes = TextAttributes(model) if modules.classification else None
            self.image_attributes = None
            if modules.classification:
                channels = self.image.early_channels
                self.image_attributes = GridAttributes(model, channels) if model.grid else ImageAttributes(model)
            self.substitution = Substitution(model) if modules.substitution else None
            self.future = FuturePrediction(model) if modules.future else None
            self.motion = PathMotion() if modules.motion else None
        for backbone in self.frozen_towers():
            backbone.requires_grad_(requires_grad=False)
        self.train()

    def forward(
        self, images: Tensor, ids: Tensor, mask: Tensor, boxes: Tensor, *, frame_rows: Tensor, text_rows: Tensor
    ) -> Output:
        """Look at N samples, a box in a frame and a sentence each; each distinct frame and sentence is encoded once.

        images: uint8 [F, S, S, 3] RGB.  ids, mask: int64 [U, l], mask 1 on real tokens.
        boxes: b, bool [N, h, w], none empty (`nlvr.engine.geometry.box_cells`).
        frame_rows, text_rows: int64 [N], each sample's row of `images` and of `ids`.
        """
        seen, sentences = self.image.see(images), self.language(ids, mask)
        return self.compare(seen, sentences, mask, boxes, frame_rows=frame_rows, text_rows=text_rows)

    def compare(
        self, seen: Tensor, sentences: Tensor, mask: Tensor, boxes: Tensor, *, frame_rows: Tensor, text_rows: Tensor
    ) -> Output:
        """Look at N samples over frames as the backbone sees them, float [F, D, h, w], and FN, float [U, l, e]."""
        frames, cells = self.image.project(seen), self.by_cell(seen)
        features, tokens, real = frames[frame_rows], sentences[text_rows], mask[text_rows]
        return Output(
            mask=self.multimodal(features, tokens, real),
            text=self.text_attributes(tokens) if self.text_attributes else None,
            image=self.see_attributes(features, None if cells is None else cells[frame_rows], boxes),
            substitutes=self.substitution(features, boxes, tokens, real) if self.substitution else None,
            future=self.future(frames) if self.future else None,
        )

    def by_cell(self, seen: Tensor) -> Tensor | None:
        """Return what a grid reads of each cell, float [N, 96, h, w], if there is one; see GridAttributes."""
        return self.image_attributes.by_cell(seen) if isinstance(self.image_attributes, GridAttributes) else None

    def see_attributes(self, features: Tensor, cells: Tensor | None, boxes: Tensor) -> Attributes | None:
        """Return colour and type logits of boxes, if they are told.

        features: FI, float [N, c, h, w].  cells: as `by_cell` gives them.  boxes: b, bool [N, h, w].
        """
        if self.image_attributes is None:
            return None
        if cells is None:
            return self.image_attributes(box_mean(features, boxes))
        return self.image_attributes(cells, box_corners(boxes))

    def frozen_towers(self) -> list[nn.Module]:
        """Return the backbones that stay as they are."""
        return [getattr(self, name).backbone for name in self.config.schedule.frozen]

    def half_towers(self) -> Self:
        """Convert the backbones to float16 and leave everything behind them in float32."""
        self.image.half()
        self.language.half()
        return self

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for backbone in self.frozen_towers():
            backbone.eval()
        return self

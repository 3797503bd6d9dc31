"""The dual-stream model of P2: vehicles and sentences as unit vectors of one space, g(s, v) their inner product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..backbones.heads import LOOKS_DROPOUT, Head, Standardise
from ..backbones.motion import Course, MotionEncoder
from ..backbones.patch import GridNetwork, PatchNetwork
from ..backbones.pixels import Normalise
from ..readings import SAID, SHOWN
from .attributes import said_vector, shown_vector
from .towers import build_towers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from .config import ContrastiveConfig
    from .towers import Tower


_TOLD = 0.85  # share of a score that attributes have, chosen on the city's held-out scene


class Projection(nn.Module):
    """The last linear map (W_v or W_s), the L2 norm and what is told beside it, in float32 whatever comes before them.

    standardise: features are brought to mean 0 and variance 1 over the training set first.
    dropout: share of the features that training leaves out.
    told: size of a unit vector that is given beside the features and is part of the result as it is.
    """

    def __init__(
        self, inputs: int, outputs: int, *, standardise: bool = False, dropout: float = 0.0, told: int = 0
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = Standardise(inputs) if standardise else nn.Identity()
        self.linear = nn.Linear(inputs, outputs - told, bias=False)

    def forward(self, features: Sequence[Tensor], told: Tensor | None = None) -> Tensor:
        """Return float32 [B, outputs], unit.

        features: float [B, …], joined along the last axis.  told: float [B, told], unit.
        """
        joined = torch.cat([part.float() for part in features], dim=1)
        with torch.autocast(joined.device.type, enabled=False):
            seen = functional.normalize(self.linear(self.dropout(self.norm(joined))), dim=1)
            if told is None:
                return seen
            return torch.cat([(1 - _TOLD) ** 0.5 * seen, _TOLD**0.5 * told], dim=1)


class VehicleEncoder(nn.Module):
    """v = W_v [background | crop | motion], unit.

    With a patch network and a grid network, what they see follows, and then, if asked for, the course of the path. With
    heads for attributes a part of v is what they tell: colour and type, read from the crop's means or grid and from its
    patch, and motion, from the points.
    """

    def __init__(self, config: ContrastiveConfig, image: Tower, crop: Tower | None) -> None:
        super().__init__()
        self.image = image.module
        self.crop = crop.module if crop else None
        self.motion = MotionEncoder(config.model.motion_width)
        self.patch = PatchNetwork(config.model.patch) if config.model.patch else None
        self.grid = GridNetwork((crop or image).grid) if config.model.grid else None
        small = sum(network.width for network in (self.patch, self.grid) if network)
        self.course = Course(config.model.motion_width) if config.model.course else None
        cut = (crop or image).width
        path = self.motion.width + (self.course.width if self.course else 0)
        self.looks_head = self.path_head = None
        if config.model.attributes:
            self.looks_head = Head(small + (0 if self.grid else cut), sum(SHOWN[:2]), dropout=LOOKS_DROPOUT)
            self.path_head = Head(path, SHOWN[2])
        # The levels of EfficientNet differ in their scales.
        self.projection = Projection(
            image.width + cut + small + path,
            config.model.width,
            standardise=config.model.backbone == "compact",
            dropout=config.model.dropout,
            told=sum(SAID) if config.model.attributes else 0,
        )
        self.normalise = Normalise(config.recipe.mean, config.recipe.std)

    def forward(self, background: Tensor, crop: Tensor, points: Tensor, lengths: Tensor) -> Tensor:
        """background, crop: uint8 [B, S, S, 3] RGB.  points: float32 [B, T, 2].  lengths: int64 [B], 1 to T.

        Returns float32 [B, width], unit.
        """
        return self.tell(*self.see(background, crop, points, lengths))[0]

    def see(
        self, background: Tensor, crop: Tensor, points: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, tuple[Tensor | None, Tensor | None]]:
        """Return what `tell` takes of vehicles as `forward` takes them."""
        shown, cut, grid = self.look(background, crop)
        return shown, cut, points, lengths, (self.reduce(crop), grid)

    def reduce(self, crop: Tensor) -> Tensor | None:
        """Return crops, uint8 [B, S, S, 3], as the patch network takes them, if there is one."""
        return self.patch.reduce(crop) if self.patch else None

    def look(self, background: Tensor, crop: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the towers' features of both images, float [B, D] each, and the crop's map, if it is read."""
        if self.crop is not None:
            shown, images = self.image(self._normalise(background)), self._normalise(crop)
            return shown, *(self.crop.see(images) if self.grid else (self.crop(images), None))
        images = self._normalise(torch.cat([background, crop]))
        features, grids = self.image.see(images) if self.grid else (self.image(images), None)
        shown, cut = features.unflatten(0, (2, background.shape[0])).unbind()
        return shown, cut, None if grids is None else grids.unflatten(0, (2, background.shape[0]))[1]

    def tell(
        self,
        background: Tensor,
        crop: Tensor,
        points: Tensor,
        lengths: Tensor,
        small: tuple[Tensor | None, Tensor | None] = (None, None),
    ) -> tuple[Tensor, Tensor | None]:
        """Return the vectors of vehicles whose images the towers have seen, float32 [B, width], unit.

        With them come the logits of attributes, float32 [B, sum(SHOWN)], if there are heads for these.
        background, crop: float [B, D].  small: uint8 [B, s, s, 3], the crops reduced, and float [B, C, h, w], their
        maps, where there are networks for them.
        """
        read = [network(seen) for network, seen in zip((self.patch, self.grid), small, strict=True) if network]
        motion, course = self.motion(points, lengths), [self.course(points, lengths)] if self.course else []
        parts = [background, crop, motion, *read, *course]
        if self.looks_head is None:
            return self.projection(parts), None
        looks = read if self.grid else [crop, *read]
        logits = torch.cat([self.looks_head(looks), self.path_head([motion, *course])], dim=1)
        return self.projection(parts, shown_vector(logits)), logits

    def _normalise(self, images: Tensor) -> Tensor:
        """uint8 [B, S, S, 3] → [B, 3, S, S] of the tower's own precision."""
        return self.normalise(images).to(next(self.image.parameters()).dtype)


class TextEncoder(nn.Module):
    """s = W_s t, unit; with a head for attributes, a part of s is what it tells."""

    def __init__(self, config: ContrastiveConfig, text: Tower) -> None:
        super().__init__()
        self.tower = text.module
        dropout = config.model.dropout
        self.head = Head(text.width, sum(SAID)) if config.model.attributes else None
        told = sum(SAID) if self.head else 0
        self.projection = Projection(text.width, config.model.width, dropout=dropout, told=told)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids, mask: int64 [B, L], mask 1 on real tokens.  Returns float32 [B, width], unit."""
        return self.tell(self.tower(ids, mask))[0]

    def tell(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the vectors of sentences that the tower has read, float32 [B, width], unit.

        With them come the logits of what they say, float32 [B, sum(SAID)], if there is a head for it.
        features: float [B, D].
        """
        if self.head is None:
            return self.projection([features]), None
        logits = self.head([features])
        return self.projection([features], said_vector(logits)), logits


class ContrastiveModel(nn.Module):
    """Both streams. `vehicle` and `text` are the two graphs that are exported.

    The same `config.schedule.seed` gives the same weights where they are not pretrained. Towers named in
    `config.schedule.frozen` take no gradient and stay in evaluation mode.
    """

    def __init__(self, config: ContrastiveConfig, *, pretrained: bool) -> None:
        """pretrained: start from the backbones' published weights.

        Raises InputError when pretrained weights cannot be had.
        """
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.schedule.seed)
            towers = build_towers(config, pretrained=pretrained)
            self.vehicle = VehicleEncoder(config, towers.image, towers.crop)
            self.text = TextEncoder(config, towers.text)
        self._frozen = config.schedule.frozen
        for tower in self.frozen_towers():
            tower.requires_grad_(requires_grad=False)
        self.train()

    def encode_vehicles(self, background: Tensor, crop: Tensor, points: Tensor, lengths: Tensor) -> Tensor:
        """Return the vectors of B vehicles; see VehicleEncoder."""
        return self.vehicle(background, crop, points, lengths)

    def encode_texts(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the vectors of B sentences; see TextEncoder."""
        return self.text(ids, mask)

    def towers(self) -> list[nn.Module]:
        """Return the backbones: image, the crop's own if there is one, text."""
        return [tower for tower in (self.vehicle.image, self.vehicle.crop, self.text.tower) if tower is not None]

    def frozen_towers(self) -> list[nn.Module]:
        """Return the backbones that stay as they are."""
        *images, text = self.towers()
        return [*(images if "image" in self._frozen else []), *([text] if "text" in self._frozen else [])]

    def half_towers(self) -> Self:
        """Convert the backbones to float16 and leave motion, projections and norms in float32."""
        for tower in self.towers():
            tower.half()
        return self

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for tower in self.frozen_towers():
            tower.eval()
        return self

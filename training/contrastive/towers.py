"""The backbones: an image tower (one, or one each for background and crop) and a text tower per preset.

An image tower takes normalised images, float [B, 3, S, S]; a text tower takes ids and mask, int64 [B, L]. Both return
features, float [B, width]. Pretrained weights come from the loaders of open_clip, torchvision and transformers, or from
packages.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..backbones import hub
from ..backbones.efficientnet import LEVEL_WIDTHS, EfficientNetLite0
from ..backbones.pooling import masked_mean
from ..backbones.tiny import TINY_VOCABULARY, TinyImageEncoder, TinyTextEncoder
from ..backbones.weights import CLIP_NAME, loading
from ..torchvision_schemas import declare_missing_operators

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .config import ContrastiveConfig


@dataclass(frozen=True, slots=True)
class Tower:
    """A backbone, the size of its features, and the channels of the map that its `see` gives too, 0 if it has none."""

    module: nn.Module
    width: int
    grid: int = 0


@dataclass(frozen=True, slots=True)
class Towers:
    """The backbones of one model. `crop` is None where one image tower is shared."""

    image: Tower
    crop: Tower | None
    text: Tower


def build_towers(config: ContrastiveConfig, *, pretrained: bool) -> Towers:
    """Build the towers that `config.model` names.

    pretrained: start from published weights (the tiny preset has none) rather than from random ones.
    Raises InputError naming the weights, and where a local copy would go, when they cannot be had.
    """
    return _BUILDERS[config.model.backbone](config, pretrained)


class ClipTextTower(nn.Module):
    """CLIP's text transformer, read at the end-of-text token and projected."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.transformer = transformer
        # It then returns every token: the mask, and not the largest id, says where a sentence ends.
        self.transformer.pool_type = "none"

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        tokens = self.transformer(ids)
        return tokens[torch.arange(ids.shape[0], device=ids.device), mask.sum(1) - 1]


class BertTower(nn.Module):
    """A BERT encoder, read at its CLS token or averaged over the real tokens."""

    def __init__(self, encoder: nn.Module, *, pooling: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        encoded = self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=torch.zeros_like(ids))
        return self.pooling(encoded.last_hidden_state, mask)


class EfficientNetTower(EfficientNetLite0):
    """EfficientNet-Lite0, the head and some earlier stages, averaged over the image."""

    width = EfficientNetLite0.width + sum(LEVEL_WIDTHS)
    grid = EfficientNetLite0.early_width

    def forward(self, images: Tensor) -> Tensor:
        return self._averages(self.levels(images))

    def see(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the averages, and the map of what is seen before the head: float [B, 235, S/16, S/16]."""
        levels = self.levels(images)
        return self._averages(levels), self.early_map(images, levels)

    @staticmethod
    def _averages(levels: Sequence[Tensor]) -> Tensor:
        return torch.cat([level.mean((2, 3)) for level in levels], dim=1)


class TinyImageTower(TinyImageEncoder):
    """The tiny image network, averaged over the image."""

    def forward(self, images: Tensor) -> Tensor:
        return self.see(images)[0]

    def see(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the averages, and the map: float [B, 64, S/16, S/16]."""
        grid = super().forward(images)
        return grid.mean((2, 3)), grid


class TinyTextTower(TinyTextEncoder):
    """The tiny text transformer, averaged over the real tokens."""

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return masked_mean(super().forward(ids, mask), mask)


def _clip(config: ContrastiveConfig, pretrained: bool) -> Towers:
    declare_missing_operators()
    import open_clip

    if pretrained:
        weights = config.model.weights or "openai"
        with loading(f"{CLIP_NAME} ({weights})", "a checkpoint file of that model"):
            clip = open_clip.create_model(
                CLIP_NAME,
                pretrained=weights,
                require_pretrained=True,
                force_custom_text=True,
                force_context_length=config.text.length,
            )
    else:
        shape = open_clip.get_model_config(CLIP_NAME)
        shape["text_cfg"]["context_length"] = config.text.length
        clip = open_clip.CustomTextCLIP(**shape)
    image = Tower(clip.visual, clip.visual.output_dim)
    return Towers(image, _second(config, image), Tower(ClipTextTower(clip.text), clip.text.output_dim))


def _baseline(config: ContrastiveConfig, pretrained: bool) -> Towers:
    bert = hub.bert(pretrained=pretrained, weights=config.model.weights)
    text = Tower(BertTower(bert, pooling=_first), bert.config.hidden_size)
    image = _resnet("ResNet50", config, pretrained)
    return Towers(image, None if config.model.shared else _resnet("ResNet34", config, pretrained), text)


def _resnet(name: str, config: ContrastiveConfig, pretrained: bool) -> Tower:
    resnet = hub.resnet(name, pretrained=pretrained, weights=config.model.weights)
    width = resnet.fc.in_features
    resnet.fc = nn.Identity()
    return Tower(resnet, width)


def _compact(config: ContrastiveConfig, pretrained: bool) -> Towers:
    image = EfficientNetTower()
    bert = hub.minilm(pretrained=pretrained)
    if pretrained:
        image.load_published()
    tower = Tower(image, image.width, image.grid)
    text = Tower(BertTower(bert, pooling=masked_mean), bert.config.hidden_size)
    return Towers(tower, _second(config, tower), text)


def _tiny(config: ContrastiveConfig, pretrained: bool) -> Towers:
    image, text = TinyImageTower(), TinyTextTower(TINY_VOCABULARY, config.text.length)
    tower = Tower(image, image.width, image.width)
    return Towers(tower, _second(config, tower), Tower(text, text.width))


_BUILDERS = {"clip": _clip, "baseline": _baseline, "compact": _compact, "tiny": _tiny}


def _second(config: ContrastiveConfig, image: Tower) -> Tower | None:
    """Return the crop's own tower, of the same kind and from the same weights, unless one is shared."""
    return None if config.model.shared else copy.deepcopy(image)


def _first(tokens: Tensor, mask: Tensor) -> Tensor:
    return tokens[:, 0]

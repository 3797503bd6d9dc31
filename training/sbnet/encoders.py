"""The image processing module (IPM) and the language module (NLM) of P1, sections 4.2 and 4.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..backbones import hub
from ..backbones.efficientnet import EfficientNetLite0
from ..backbones.pixels import Normalise
from ..backbones.tiny import TINY_VOCABULARY, TinyImageEncoder, TinyTextEncoder
from ..backbones.weights import ELECTRA_NAME
from .config import STRIDE

if TYPE_CHECKING:
    from typing import Self

    from .config import SBNetConfig


class ImageModule(nn.Module):
    """FI = IPM(i), i normalised (P1, eq. 4).

    early_channels: how many of the channels that the backbone sees, the first, are of what comes before its last layer.
    """

    is_half = False  # whether the backbone is in float16

    def __init__(self, config: SBNetConfig, *, pretrained: bool) -> None:
        super().__init__()
        self.normalise = Normalise(config.recipe.mean, config.recipe.std)
        self.backbone, channels, self.early_channels = _IMAGE[config.model.image](config, pretrained)
        width = config.model.width
        self.projection: nn.Module = nn.Identity() if channels == width else nn.Conv2d(channels, width, 1)
        if config.model.image == "efficientnet-lite0":  # whose levels differ in their scales
            self.projection = nn.Sequential(nn.BatchNorm2d(channels, affine=False), self.projection)
        if config.model.mixing:
            mixing = [_Mixing(width) for _ in range(config.model.mixing)]
            self.projection = nn.Sequential(self.projection, *mixing)

    def forward(self, images: Tensor) -> Tensor:
        """images: uint8 [F, S, S, 3] RGB.  Returns FI, float [F, c, h, w]."""
        return self.project(self.see(images))

    def see(self, images: Tensor) -> Tensor:
        """Return what the backbone makes of images, float [F, D, h, w]."""
        return self.backbone(self.normalise(images))

    def project(self, seen: Tensor) -> Tensor:
        """Return FI of what the backbone made of images."""
        return self.projection(seen.float() if self.is_half else seen)

    def half(self) -> Self:
        """Convert the backbone to float16 and leave the projection in float32."""
        self.normalise.half()
        self.backbone.half()
        self.is_half = True
        return self


class _Mixing(nn.Module):
    """Adds to each cell of maps, float [F, c, h, w], what lies around it: by channel 3 × 3, then across channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class LanguageModule(nn.Module):
    """FN = NLM(n) (P1, eq. 3): the last hidden states of a text transformer and a linear layer to e."""

    is_half = False  # whether the backbone is in float16

    def __init__(self, config: SBNetConfig, *, pretrained: bool) -> None:
        super().__init__()
        self.backbone, hidden = _LANGUAGE[config.model.language](config, pretrained)
        self.projection = nn.Linear(hidden, config.model.width)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids, mask: int64 [U, l], mask 1 on real tokens.

        Returns FN, float [U, l, e], of which rows of padding mean nothing.
        """
        states = self.backbone(ids, mask)
        return self.projection(states.float() if self.is_half else states)

    def half(self) -> Self:
        """Convert the backbone to float16 and leave the projection in float32."""
        self.backbone.half()
        self.is_half = True
        return self


class HiddenStates(nn.Module):
    """A transformers encoder, read at every token."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=torch.zeros_like(ids)).last_hidden_state


# Each returns a backbone, its channels, and how many of them are early ones: all where they are not told apart.
def _resnet50(config: SBNetConfig, pretrained: bool) -> tuple[nn.Module, int, int]:
    """ResNet-50 whose last stage keeps its resolution: output stride 16."""
    network = hub.resnet("ResNet50", pretrained=pretrained, weights=config.model.weights, beside=ELECTRA_NAME)
    first = network.layer4[0]
    for convolution in (first.conv2, first.downsample[0]):
        convolution.stride = (1, 1)
    channels = network.fc.in_features
    stem = (network.conv1, network.bn1, network.relu, network.maxpool)
    return nn.Sequential(*stem, network.layer1, network.layer2, network.layer3, network.layer4), channels, channels


class EfficientNetMaps(EfficientNetLite0):
    """EfficientNet-Lite0 at stride 16: what it sees before the head, and the head."""

    width = EfficientNetLite0.early_width + EfficientNetLite0.width

    def forward(self, images: Tensor) -> Tensor:
        levels = self.levels(images)
        return torch.cat([self.early_map(images, levels), levels[-1]], dim=1)


def _lite0(config: SBNetConfig, pretrained: bool) -> tuple[nn.Module, int, int]:
    network = EfficientNetMaps(stride=STRIDE)
    return network.load_published() if pretrained else network, network.width, network.early_width


def _tiny_image(config: SBNetConfig, pretrained: bool) -> tuple[nn.Module, int, int]:
    network = TinyImageEncoder()
    return network, network.width, network.width


def _electra(config: SBNetConfig, pretrained: bool) -> tuple[nn.Module, int]:
    network = hub.electra(pretrained=pretrained, weights=config.model.weights)
    return HiddenStates(network), network.config.hidden_size


def _minilm(config: SBNetConfig, pretrained: bool) -> tuple[nn.Module, int]:
    network = hub.minilm(pretrained=pretrained)
    return HiddenStates(network), network.config.hidden_size


def _tiny_text(config: SBNetConfig, pretrained: bool) -> tuple[nn.Module, int]:
    network = TinyTextEncoder(TINY_VOCABULARY, config.text.length)
    return network, network.width


_IMAGE = {"resnet50": _resnet50, "efficientnet-lite0": _lite0, "tiny": _tiny_image}
_LANGUAGE = {"electra": _electra, "minilm": _minilm, "tiny": _tiny_text}

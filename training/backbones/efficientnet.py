"""EfficientNet-Lite0: the image network of the compact presets.

Layer for layer the published network ("EfficientNet", Tan and Le 2019, without squeeze-and-excitation and with ReLU6),
in the order of its checkpoint, so that the weights are read by position. Convolutions pad as TensorFlow's "SAME" does,
which for strided layers is one pixel less on the left and top; the weights were trained that way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from .weights import EFFICIENTNET_LITE0, PackagedWeights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

# repeats, kernel, stride of the first, expansion, channels out
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LEVELS = (2, 3, 4)  # stages whose outputs are read beside the head's: 40 channels at stride 8, 80 and 112 at stride 16
_ENDS = [sum(repeats for repeats, *_ in _STAGES[: stage + 1]) - 1 for stage in LEVELS]
LEVEL_WIDTHS = tuple(_STAGES[stage][-1] for stage in LEVELS)
_CELL = 16  # pixels a side of a cell of `early_map`: the stride of the last of LEVELS


def _published(path: Path, names: Sequence[str]) -> dict[str, Tensor]:
    """Read the published checkpoint, its classifier left out."""
    weights = torch.load(path, map_location="cpu", weights_only=True)
    tensors = [tensor for name, tensor in weights.items() if not name.startswith("_fc.")]
    return dict(zip(names, tensors, strict=True))


class EfficientNetLite0(nn.Module):
    """Images float [B, 3, S, S], normalised, S a multiple of `stride` → features float [B, 1280, S/stride, S/stride].

    stride: 32 as published, or 16: the last strided stage then moves by single cells and what follows it is dilated, so
    that every second cell is one of the published network's, and its weights mean what they meant.
    """

    width = 1280
    early_width = 3 + sum(LEVEL_WIDTHS)
    packaged = PackagedWeights(EFFICIENTNET_LITE0, _published)

    def __init__(self, *, stride: int = 32) -> None:
        super().__init__()
        self.stem = _convolution(3, 32, kernel=3, stride=2)
        blocks: list[nn.Module] = []
        channels, reached, dilation = 32, 2, 1
        for repeats, kernel, first_stride, expansion, out in _STAGES:
            moves = first_stride if reached * first_stride <= stride else 1
            for repeat in range(repeats):
                blocks.append(
                    _Block(channels, out, kernel, expansion, stride=moves if repeat == 0 else 1, dilation=dilation)
                )
                channels = out
                if repeat == 0 and moves < first_stride:
                    dilation = first_stride
            reached *= moves
        self.blocks = nn.Sequential(*blocks)
        self.head = _convolution(channels, EfficientNetLite0.width, kernel=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.levels(images)[-1]

    def levels(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of the stages of `LEVELS`, and of the head: what is seen early on is nearer to colour."""
        x, outputs = self.stem(images), []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _ENDS:
                outputs.append(x)
        return [*outputs, self.head(x)]

    @staticmethod
    def early_map(images: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Return what is seen before the head, at stride 16: float [B, early_width, S/16, S/16].

        images: as the network takes them, averaged over cells.  levels: what it made of them.
        The head tells kinds of objects apart and has given up much of their colours.
        """
        fine, *coarse = levels[:-1]
        return torch.cat([functional.avg_pool2d(images, _CELL), functional.avg_pool2d(fine, 2), *coarse], dim=1)

    def load_published(self) -> Self:
        """Take the published checkpoint's tensors. Raises InputError when it is not there."""
        self.load_state_dict(self.packaged.tensors(self))
        return self


class _Block(nn.Module):
    """An inverted residual: expand, convolve each channel by itself, project."""

    def __init__(self, channels: int, out: int, kernel: int, expansion: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        inner = channels * expansion
        layers = [_convolution(channels, inner, kernel=1)] if expansion > 1 else []
        layers.append(_convolution(inner, inner, kernel=kernel, stride=stride, groups=inner, dilation=dilation))
        layers.append(_convolution(inner, out, kernel=1, activation=False))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def _convolution(
    channels: int,
    out: int,
    *,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
    activation: bool = True,
) -> nn.Sequential:
    after = kernel // 2 * dilation
    before = after if stride == 1 else after - 1
    padding = [nn.ZeroPad2d((before, after, before, after))] if before != after else []
    convolution = nn.Conv2d(
        channels, out, kernel, stride, padding=0 if padding else after, dilation=dilation, groups=groups, bias=False
    )
    norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)
    return nn.Sequential(*padding, convolution, norm, *([nn.ReLU6()] if activation else []))

"""EfficientNet-Lite0: the image tower of the compact preset.

Layer for layer the published network ("EfficientNet", Tan and Le 2019, without squeeze-and-excitation and with ReLU6),
in the order of its checkpoint, so that the weights are read by position. Convolutions pad as TensorFlow's "SAME" does,
which for strided layers is one pixel less on the left and top; the weights were trained that way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class EfficientNetLite0(nn.Module):
    """Images float [B, 3, S, S], normalised, S a multiple of 32 → features float [B, 1280]."""

    width = 1280

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, 32, kernel=3, stride=2)
        blocks: list[nn.Module] = []
        channels = 32
        for repeats, kernel, stride, expansion, out in _STAGES:
            for repeat in range(repeats):
                blocks.append(_Block(channels, out, kernel, stride if repeat == 0 else 1, expansion))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.head = _convolution(channels, self.width, kernel=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(images))).mean((2, 3))

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Take the published checkpoint's tensors, its classifier left out."""
        published = [tensor for name, tensor in weights.items() if not name.startswith("_fc.")]
        self.load_state_dict(dict(zip(self.state_dict(), published, strict=True)))


class _Block(nn.Module):
    """An inverted residual: expand, convolve each channel by itself, project."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        layers = [_convolution(channels, inner, kernel=1)] if expansion > 1 else []
        layers.append(_convolution(inner, inner, kernel=kernel, stride=stride, groups=inner))
        layers.append(_convolution(inner, out, kernel=1, activation=False))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def _convolution(
    channels: int, out: int, *, kernel: int, stride: int = 1, groups: int = 1, activation: bool = True
) -> nn.Sequential:
    after = kernel // 2
    before = after if stride == 1 else after - 1
    padding = [nn.ZeroPad2d((before, after, before, after))] if before != after else []
    convolution = nn.Conv2d(channels, out, kernel, stride, padding=0 if padding else after, groups=groups, bias=False)
    norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)
    return nn.Sequential(*padding, convolution, norm, *([nn.ReLU6()] if activation else []))

"""The backbones of the tiny presets: small enough to build, train and export within a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

TINY_VOCABULARY = 3 + 256  # padding, start and end, then every byte


class TinyImageEncoder(nn.Module):
    """Four strided convolutions: images float [B, 3, S, S] → features float [B, 64, S/16, S/16]."""

    def __init__(self, channels: Sequence[int] = (16, 32, 48, 64)) -> None:
        super().__init__()
        self.width = channels[-1]
        layers: list[nn.Module] = []
        for before, after in zip((3, *channels), channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        # Without the last rectifier features keep their sign, and random vectors do not all point the same way.
        self.layers = nn.Sequential(*layers[:-1])
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class TinyTextEncoder(nn.Module):
    """A text transformer: ids and mask int64 [B, L] → tokens float [B, L, width]; padding reaches no real token."""

    def __init__(self, vocabulary: int, length: int, *, width: int = 64, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.width = width
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        attended = mask.bool()[:, None, None, :]
        for layer in self.layers:
            x = layer(x, attended)
        return self.norm(x)


class _Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        q, k, v = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=attended)
        x = x + self.merge(mixed.transpose(1, 2).flatten(2))
        return x + self.feed(x)

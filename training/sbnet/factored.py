"""SBNet's score at a fraction of its cost, exactly: the dense modules rearranged, with the same weights.

What depends on a frame alone, on a sentence alone and on both is computed apart, and the last only where it is read:

- b folds into the text: a(FN)·b(FI)ᵀ = (a(FN)·W_b)·FIᵀ + a(FN)·b_b, so no image is projected per sentence.
- eq. 15 is an update of rank l, and of eq. 14 only the mean over the tokens is used (eq. 16), so that d is one
  matrix-vector product.
- The mask is read on the cells of a box. Behind the self-attention everything is local: four 3×3 convolutions reach
  four cells, so they run on a window of the box and four cells around it, each layer on what the next still needs.
  Cells outside the image are zero before every layer, as the padding of the dense ones is.
- FNg is a mean over the box of a linear layer: nine shifted means of its input and one matrix-vector product.

Each module is one graph of the exported bundle.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..backbones.pooling import masked_mean
from .attributes import GridAttributes

if TYPE_CHECKING:
    from .model import SBNet

MASK_HALO = 4  # cells around a box that its mask depends on: one for each 3×3 convolution behind the self-attention
SUBSTITUTION_HALO = 2  # cells around a box that FNg depends on


class ImageSide(nn.Module):
    """A frame → FI, and FIgt where it is the mean over the frame (eqs. 4 and 8), and the grid where one is read.

    half: FI is returned in float16, which is how its maps are then kept.
    """

    def __init__(self, model: SBNet, *, half: bool = False) -> None:
        super().__init__()
        self.image = model.image
        self.half_features = half
        self.outputs = ("features",)
        if model.substitution and not model.substitution.of_box:
            self.outputs += ("figt",)
        self.grid = None
        if isinstance(model.image_attributes, GridAttributes):
            self.outputs += ("grid",)
            self.grid = model.image_attributes.network.cells

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what `outputs` names. images: uint8 [F, S, S, 3] RGB.

        Returns FI, [F, c, h, w], FIgt of unit length, float [F, c], and the grid, float [F, 96, h, w].
        """
        seen = self.image.see(images)
        features = self.image.project(seen).float()
        found = [features.half() if self.half_features else features]
        if "figt" in self.outputs:
            found.append(functional.normalize(features.mean((2, 3)), dim=1))
        if self.grid:
            found.append(self.grid(seen))
        return tuple(found)


class TrackSide(nn.Module):
    """What a frame shows in a box: colour and type logits, FNg, and FIgt where it is the mean over the box."""

    def __init__(self, model: SBNet) -> None:
        super().__init__()
        self.attributes = model.image_attributes
        self.substitution = model.substitution.text_from_image if model.substitution else None
        self.of_box = bool(model.substitution and model.substitution.of_box)
        self.cells = model.config.cells
        self.outputs: tuple[str, ...] = ()
        if self.attributes:
            self.outputs += ("colour", "type")
        if self.of_box:
            self.outputs += ("figt",)
        if self.substitution:
            self.outputs += ("fng",)

    def forward(  # noqa: PLR0917  a graph's inputs
        self,
        pooled: Tensor,
        features: Tensor,
        box: Tensor,
        rows: Tensor,
        columns: Tensor,
        grid: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Return what `outputs` names.

        pooled: FIcls, float [N, c] (eq. 6).  features: FI, [N, c, h, w].  box: int64 [N, 4], x0, y0, x1, y1 in cells,
        half-open.  rows, columns: int64 [N, ·], those of the box and at least SUBSTITUTION_HALO beyond, also where they
        leave the image.  grid: float [N, 96, h, w], where colour and type are read in it.
        Returns logits float [N, 12] and [N, 10] (eq. 7), FIgt (8) and FNg (11) of unit length, float [N, c] and [N, e].
        """
        found: list[Tensor] = []
        if self.attributes:
            seen = self.attributes(pooled) if grid is None else self.attributes(grid, box)
            found += [seen.colour, seen.type]
        if self.of_box:
            found.append(functional.normalize(pooled, dim=1))
        if self.substitution:
            found.append(functional.normalize(self._fng(features.float(), box, rows, columns), dim=1))
        return tuple(found)

    def _fng(self, features: Tensor, box: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        inside = _inside(rows, columns, self.cells)[:, None]
        here = _window(features.flatten(2), rows, columns, self.cells) * inside
        window = torch.cat([here, _in_box(rows, columns, box)[:, None].to(here.dtype)], dim=1)
        first, second = self.substitution.first, self.substitution.second
        hidden = functional.relu(functional.conv2d(window, first.weight, first.bias)) * inside[:, :, 1:-1, 1:-1]
        means = hidden.flatten(2) @ self._shifted_means(rows[:, 1:-1], columns[:, 1:-1], box)
        return functional.linear(means.flatten(1), second.weight.flatten(1), second.bias)

    @staticmethod
    def _shifted_means(rows: Tensor, columns: Tensor, box: Tensor) -> Tensor:
        """Return the weights of the nine means that a 3×3 kernel takes over the box: float [N, cells, 9]."""
        shifted = [_in_box(rows - down, columns - right, box).flatten(1) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
        return torch.stack(shifted, dim=2).float() / area[:, None, None].float()


class PathSide(nn.Module):
    """A track's path → motion logits."""

    outputs = ("motion",)

    def __init__(self, model: SBNet) -> None:
        super().__init__()
        self.motion = model.motion

    def forward(self, points: Tensor, lengths: Tensor) -> tuple[Tensor]:
        """points: float32 [N, T, 2].  lengths: int64 [N], 1 to T.  Returns float [N, 4]."""
        return (self.motion(points, lengths),)


class TextSide(nn.Module):
    """A sentence → what a mask needs of it, FIg and FNgt, and its own colour and type logits."""

    def __init__(self, model: SBNet) -> None:
        super().__init__()
        self.language = model.language
        self.coattention = model.multimodal.coattention
        self.attributes = model.text_attributes
        self.fig = model.substitution.image_from_text if model.substitution else None
        self.outputs: tuple[str, ...] = ("affinity", "offset", "told", "told_gate")
        if self.attributes:
            self.outputs += ("colour", "type")
        if self.fig:
            self.outputs += ("fig", "fngt")

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """ids, mask: int64 [U, l], mask 1 on real tokens.  Returns what `outputs` names.

        affinity: a(FN)·W_b/√c, float [U, l, c].  offset: a(FN)·b_b/√c, float [U, l].  told: c(FN), float [U, l, c].
        told_gate: the mean of FN and d's bias, float [U, c].
        colour, type: logits, float [U, 12] and [U, 10] (eq. 5).
        fig, fngt: FIg and FNgt of unit length, float [U, c] and [U, e] (eqs. 9 and 10).
        """
        tokens = self.language(ids, mask).float()
        co = self.coattention
        asked = co.a(tokens) / co.scale
        fngt = masked_mean(tokens, mask)
        found = [asked @ co.b.weight.flatten(1), asked @ co.b.bias, co.c(tokens), fngt + co.d.bias]
        if self.attributes:
            said = self.attributes(tokens)
            found += [said.colour, said.type]
        if self.fig:
            found += [functional.normalize(vector, dim=1) for vector in (self.fig(fngt), fngt)]
        return tuple(found)


class MaskWindow(nn.Module):
    """M on a window of a frame for a sentence (eqs. 12-17)."""

    outputs = ("mask",)

    def __init__(self, model: SBNet) -> None:
        super().__init__()
        multimodal = model.multimodal
        self.position = multimodal.position
        self.coattention = multimodal.coattention
        self.gate = multimodal.modulation.mlp
        self.attention = multimodal.selfattention
        self.head = multimodal.head.layers
        self.cells = model.config.cells

    def forward(  # noqa: PLR0917  a graph's inputs
        self,
        features: Tensor,
        affinity: Tensor,
        offset: Tensor,
        told: Tensor,
        told_gate: Tensor,
        tokens: Tensor,
        rows: Tensor,
        columns: Tensor,
    ) -> Tensor:
        """Return M on the window without its outer MASK_HALO cells: float [N, H − 8, W − 8].

        features: FI, [N, c, h, w].  affinity, offset, told, told_gate: what TextSide returns.
        tokens: int64 [N, l], 1 on real ones.  rows: int64 [N, H], columns: int64 [N, W], also outside the image.
        """
        modulated = self._modulated(features.float(), affinity, offset, told, told_gate, tokens)
        inside = _inside(rows, columns, self.cells)[:, None]
        keys = _pointwise(self.attention.query, modulated)
        asked = _window(keys, rows, columns, self.cells).flatten(2)
        weights = (asked.transpose(1, 2) @ keys).softmax(dim=2)  # [N, H·W, h·w]
        seen = _pointwise(self.attention.value, modulated @ weights.transpose(1, 2))
        here = _window(modulated, rows, columns, self.cells)
        x = (here + seen.unflatten(2, here.shape[2:])) * inside
        for layer in self.head:
            if isinstance(layer, nn.Conv2d):
                x = functional.conv2d(x, layer.weight, layer.bias)
                inside = inside[:, :, 1:-1, 1:-1]
            elif isinstance(layer, nn.ReLU):
                x = layer(x) * inside
            else:
                x = layer(x)
        return x[:, 0].sigmoid()

    def _modulated(  # noqa: PLR0917
        self, features: Tensor, affinity: Tensor, offset: Tensor, told: Tensor, told_gate: Tensor, tokens: Tensor
    ) -> Tensor:
        """Return FIm (eqs. 12-16), float [N, c, h·w]."""
        coded = self.position(features).flatten(2)
        scores = affinity @ coded + offset[:, :, None]
        real = (tokens != 0)[:, :, None]
        enhanced = coded + told.transpose(1, 2) @ scores.masked_fill(~real, -math.inf).softmax(dim=1)
        counts = real.to(scores.dtype)
        over_cells = (scores.softmax(dim=2) * counts).sum(1) / counts.sum(1)  # [N, h·w]
        pooled = (coded if self.coattention.parallel else enhanced) @ over_cells[:, :, None]
        gate = self.gate(told_gate + functional.linear(pooled[:, :, 0], self.coattention.d.weight.flatten(1)))
        return enhanced * gate[:, :, None]


def _pointwise(layer: nn.Conv2d, features: Tensor) -> Tensor:
    """Apply a 1×1 convolution to float [N, c, cells]."""
    return layer.weight.flatten(1) @ features + layer.bias[:, None]


def _grid(rows: Tensor, columns: Tensor) -> Tensor:
    """Return where both hold: bool [N, H], [N, W] → [N, H, W]."""
    return rows[:, :, None] & columns[:, None, :]


def _in_box(rows: Tensor, columns: Tensor, box: Tensor) -> Tensor:
    """Tell which cells of a window lie in the box: bool [N, H, W]."""
    x0, y0, x1, y1 = box.t()[:, :, None]
    return _grid((rows >= y0) & (rows < y1), (columns >= x0) & (columns < x1))


def _inside(rows: Tensor, columns: Tensor, cells: int) -> Tensor:
    """Tell which cells of a window lie in the image: bool [N, H, W]."""
    return _grid((rows >= 0) & (rows < cells), (columns >= 0) & (columns < cells))


def _window(features: Tensor, rows: Tensor, columns: Tensor, cells: int) -> Tensor:
    """Cut windows out of float [N, c, h·w]; cells outside the image repeat its edge: [N, c, H, W]."""
    limit = cells - 1
    places = rows.clamp(0, limit)[:, :, None] * cells + columns.clamp(0, limit)[:, None, :]
    index = places.flatten(1)[:, None, :].expand(-1, features.shape[1], -1)
    return features.gather(2, index).unflatten(2, (rows.shape[1], columns.shape[1]))

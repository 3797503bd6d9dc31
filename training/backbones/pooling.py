"""From the tokens of a sentence to one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Average float [B, L, D] over where mask, int64 [B, L], is 1: float [B, D]. Each row has one at least."""
    real = mask[:, :, None].to(tokens.dtype)
    return (tokens * real).sum(1) / real.sum(1)

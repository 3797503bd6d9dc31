"""Colour, type and motion as a vehicle shows them and as a sentence says them: heads, their loss, and what they tell.

Heads that learn attributes bring the features that tell vehicles apart into both streams sooner than contrast alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..readings import SAID, SHOWN, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

_SMOOTHING = 0.1  # annotators disagree
_FLATTENED = 1.2  # heads are surer of vehicles that they learned from than of others; chosen on the held-out scene


def shown_vector(logits: Tensor) -> Tensor:
    """Return what is told of vehicles: float [B, sum(SAID)], unit. logits: float [B, sum(SHOWN)].

    The inner product with `said_vector` is the mean over attributes of Σ √(p q), p and q the probabilities of each
    value on both sides, p flattened. Nothing is shown in the place of what is not said. No gradient flows back.
    """
    parts = [functional.pad(_amplitudes(part / _FLATTENED), (0, 1)) for part in logits.split(SHOWN, dim=1)]
    return torch.cat(parts, dim=1) / len(SHOWN) ** 0.5


def said_vector(logits: Tensor) -> Tensor:
    """Return what sentences tell: float [B, sum(SAID)], unit. logits: float [B, sum(SAID)]. No gradient flows back."""
    return torch.cat([_amplitudes(part) for part in logits.split(SAID, dim=1)], dim=1) / len(SAID) ** 0.5


def _amplitudes(logits: Tensor) -> Tensor:
    # Labels alone teach the heads: contrast would make them surer than they are right, and the slope of a root at 0,
    # which a sure head reaches, is infinite.
    return logits.detach().softmax(1).sqrt()


def slices(width: int, *, attributes: bool) -> dict[str, tuple[int, int]]:
    """Return what the parts of a vector of so many numbers tell, name → (start, stop), one after the other.

    attributes: whether heads tell these.
    """
    if not attributes:
        return {"cosine": (0, width)}
    ends = np.cumsum([width - sum(SAID), *SAID]).tolist()
    return dict(zip(("likeness", "colour", "type", "motion"), pairwise([0, *ends]), strict=True))


def attribute_loss(logits: Tensor, labels: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the mean over attributes of the cross-entropy of their known labels.

    logits: float [B, sum(sizes)].  labels: int64 [B, 3], −1 where unknown.  Returns a scalar.
    """
    parts = [
        functional.cross_entropy(part, label, ignore_index=UNKNOWN, label_smoothing=_SMOOTHING, reduction="sum")
        / (label != UNKNOWN).sum().clamp(min=1)
        for part, label in zip(logits.split(tuple(sizes), dim=1), labels.T, strict=True)
    ]
    return torch.stack(parts).mean()

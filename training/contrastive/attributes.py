"""Colour, type and motion as a vehicle shows them and as a sentence says them.

Labels cost nothing: they are what `nlvr.engine.language` reads in the training sentences. Heads that learn them bring
the features that tell vehicles apart into both streams sooner than contrast alone does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nlvr.engine.language import COLOURS, MOTIONS, TYPES, read, vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nlvr.engine.cityflow import Track

SHOWN = (len(COLOURS), len(TYPES), len(MOTIONS))
SAID = tuple(count + 1 for count in SHOWN)  # or nothing of the kind
_UNKNOWN = -1
_LEFT, _RIGHT = MOTIONS.index("left"), MOTIONS.index("right")
_SMOOTHING = 0.1  # annotators disagree
_FLATTENED = 1.5  # heads are surer of vehicles that they learned from than of others; chosen on the held-out scene
_DROPOUT = 0.1


class Head(nn.Module):
    """Features, float [B, D] → logits, float32 [B, classes]; each feature is brought to variance 1 first."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(inputs, affine=False), nn.Dropout(_DROPOUT), nn.Linear(inputs, classes)
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        joined = torch.cat([part.float() for part in features], dim=1)
        with torch.autocast(joined.device.type, enabled=False):
            return self.layers(joined)


def shown_vector(logits: Tensor) -> Tensor:
    """Return what is told of vehicles: float [B, sum(SAID)], unit. logits: float [B, sum(SHOWN)].

    The inner product with `said_vector` is the mean over attributes of Σ √(p q), p and q the probabilities of each
    value on both sides. Nothing is shown in the place of what is not said.
    """
    parts = [functional.pad(_amplitudes(part / _FLATTENED), (0, 1)) for part in logits.split(SHOWN, dim=1)]
    return torch.cat(parts, dim=1) / len(SHOWN) ** 0.5


def said_vector(logits: Tensor) -> Tensor:
    """Return what sentences tell: float [B, sum(SAID)], unit. logits: float [B, sum(SAID)]."""
    return torch.cat([_amplitudes(part) for part in logits.split(SAID, dim=1)], dim=1) / len(SAID) ** 0.5


def _amplitudes(logits: Tensor) -> Tensor:
    return logits.softmax(1).sqrt()


def attribute_loss(logits: Tensor, labels: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the mean over attributes of the cross-entropy of their known labels.

    logits: float [B, sum(sizes)].  labels: int64 [B, 3], −1 where unknown.  Returns a scalar.
    """
    parts = [
        functional.cross_entropy(part, label, ignore_index=_UNKNOWN, label_smoothing=_SMOOTHING, reduction="sum")
        / (label != _UNKNOWN).sum().clamp(min=1)
        for part, label in zip(logits.split(tuple(sizes), dim=1), labels.T, strict=True)
    ]
    return torch.stack(parts).mean()


def shown_labels(tracks: Iterable[Track]) -> np.ndarray:
    """Return what most sentences of each track say of it: int64 [T, 3], −1 where none says anything."""
    return np.array([_numbers(vote(map(read, track.nl))) for track in tracks], np.int64).reshape(-1, 3)


def said_labels(sentences: Iterable[str]) -> np.ndarray:
    """Return what each sentence says: int64 [N, 3], the number of values where it says nothing."""
    labels = np.array([_numbers(read(sentence)) for sentence in sentences], np.int64).reshape(-1, 3)
    return np.where(labels == _UNKNOWN, SHOWN, labels)


def mirrored_labels(labels: np.ndarray) -> np.ndarray:
    """Return the labels, int64 [N, 3], of mirrored vehicles."""
    motion = labels[:, 2]
    other = np.where(motion == _LEFT, _RIGHT, np.where(motion == _RIGHT, _LEFT, motion))
    return np.column_stack([labels[:, :2], other])


def _numbers(named: object) -> tuple[int, int, int]:
    return tuple(
        _UNKNOWN if value is None else values.index(value)
        for values, value in zip((COLOURS, TYPES, MOTIONS), (named.colour, named.type, named.motion), strict=True)
    )

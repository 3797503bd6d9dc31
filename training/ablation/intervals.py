"""Means over seeds, and how sure they are: 95 % confidence intervals of Student's t distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and half the width of its 95 % confidence interval, infinite where one value says nothing of spread."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """values: one at least, taken to be independent and normal."""
        count, mean = len(values), float(np.mean(values))
        if count == 1:
            return cls(mean, math.inf)
        return cls(mean, student_t(count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count))

    def overlaps(self, other: Interval) -> bool:
        """Tell whether the intervals have a value in common."""
        return abs(self.mean - other.mean) <= self.half + other.half


def student_t(freedom: int) -> float:
    """Return t with P(−t < T < t) = 95 %, T of Student's distribution with `freedom` degrees of freedom, 1 or more."""
    low, high = 0.0, math.pi / 2
    while (angle := (low + high) / 2) not in (low, high):
        low, high = (angle, high) if _within(angle, freedom) < _CONFIDENCE else (low, angle)
    return math.sqrt(freedom) * math.tan(angle)


def _within(angle: float, freedom: int) -> float:
    """Return P(|T| < √freedom · tan(angle)), the finite sum for whole degrees of freedom."""
    odd = freedom % 2
    cosine = math.cos(angle)
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for step in range(1 + odd, freedom, 2):
        total += term
        term *= cosine * cosine * step / (step + 1)
    return (angle + math.sin(angle) * total) * 2 / math.pi if odd else math.sin(angle) * total

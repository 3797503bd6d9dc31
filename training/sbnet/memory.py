"""What frozen backbones need to see only once, though several runs learn from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from .dataset import Views
    from .evaluation import SeenFrames


@dataclass(slots=True)
class Memory:
    """What the first of several tasks works out for the others; each part is empty until it is needed.

    The tasks share tracks, frozen backbones, recipe, text and augment settings, and the number of copies; one that
    predicts the next frame needs views that were drawn by such a one.

    views: of the training tracks.  states: float16 [U, l, D], of the dataset's `tokens`.
    held_frames: of the held-out tracks.
    """

    views: Views | None = None
    states: Tensor | None = None
    held_frames: SeenFrames = field(default_factory=dict)

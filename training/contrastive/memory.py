"""What frozen towers need to see only once, though several runs learn from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from .dataset import Copies, Vehicles


@dataclass(slots=True)
class Memory:
    """What the first of several tasks works out for the others; each part is None until it is needed.

    The tasks share tracks, frozen towers, recipe, text and augment settings, `model.patch`, `model.grid` and the number
    of copies.

    copies: of the training tracks.  texts: float [U, D], of the dataset's `tokens`.
    embeddings: float32 [N, E], of the training sentences, for hard text mining.
    held_texts: float [H, D], of the held-out tracks' sentences, then, with attributes, of those of their other views.
    held_vehicles: the row of the track that each of their shots shows, and the shots in blocks.
    """

    copies: Copies | None = None
    texts: Tensor | None = None
    embeddings: np.ndarray | None = None
    held_texts: Tensor | None = None
    held_vehicles: tuple[list[int], list[Vehicles]] | None = None

"""What training does to the path of a track's boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine import preprocess

from .augment import mirrored_boxes

if TYPE_CHECKING:
    from nlvr.engine.preprocess import Recipe

_LEAST = 2  # boxes that are left of a path
_FEWEST = 6  # points that a path is sampled to


@dataclass(frozen=True, slots=True)
class Path:
    """A change of a track's box points.

    start, end: shares that are cut off.  count: to how many points the rest is sampled, evenly and between the boxes
    too, 0 for one a box.  stretch, move: of x and y as shares of the image.
    """

    start: float = 0.0
    end: float = 0.0
    count: int = 0
    stretch: tuple[float, float] = (1.0, 1.0)
    move: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def draw(cls, strength: float, most: int, generator: np.random.Generator) -> Path:
        """Return a change at random, none at strength 0.

        strength: the most that is cut off at one end, and the others' deviation.  most: points.
        """
        start, end = (strength * generator.random(2)).tolist()
        x, y, right, down = (strength * generator.standard_normal(4)).tolist()
        # Cameras differ in their rates, and recordings in how many of their frames are used.
        count = round(_FEWEST * (most / _FEWEST) ** generator.random()) if strength and most > _FEWEST else 0
        return cls(start, end, count, (float(np.exp(x)), float(np.exp(y))), (right, down))

    def points(
        self, boxes: np.ndarray, width: int, height: int, recipe: Recipe, *, mirrored: bool
    ) -> tuple[np.ndarray, int]:
        """Return the changed box points of a track, as `preprocess.points` does. boxes: float64 [T, 4], pixels."""
        first = min(int(self.start * len(boxes)), max(0, len(boxes) - _LEAST))
        last = max(len(boxes) - int(self.end * len(boxes)), min(first + _LEAST, len(boxes)))
        shown = (mirrored_boxes(boxes, width) if mirrored else boxes)[first:last]
        if self.count:
            places = np.linspace(0, len(shown) - 1, self.count)
            shown = np.stack([np.interp(places, np.arange(len(shown)), side) for side in shown.T], axis=1)
        points, length = preprocess.points(shown, width, height, recipe)
        points[:length] = (points[:length] - 0.5) * np.float32(self.stretch) + 0.5 + np.float32(self.move)
        return points, length

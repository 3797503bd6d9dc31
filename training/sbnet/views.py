"""What training does to a frame and its sentence: a random crop that keeps the boxes, and mirroring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine import geometry, preprocess

from ..augment import Photo

if TYPE_CHECKING:
    from nlvr.engine.preprocess import Recipe

    from .config import AugmentConfig


_WIDER = 1.3  # times as much, or as little, of what is around a box


@dataclass(frozen=True, slots=True)
class View:
    """One way of showing a frame, drawn at random.

    boxes: float64 [N, 4], x, y, w, h in pixels, N ≥ 1; the window holds all of them.
    crop: the window's sides as a share of the image's; they are longer where the boxes need it.
    place: where the window lies between its bounds, across and down, in [0, 1); None for its boxes in the middle.
    mirrored: left and right are swapped.  photo: the change of its light, colours and sharpness.
    around: above 0 the window's sides in lengths of the longer side of its one box, whatever `crop` says.
    """

    boxes: np.ndarray
    crop: float
    place: tuple[float, float] | None
    mirrored: bool
    photo: Photo | None = None
    around: float = 0.0

    @classmethod
    def draw(
        cls,
        boxes: np.ndarray,
        augment: AugmentConfig,
        recipe: Recipe,
        generator: np.random.Generator,
        *,
        zoomed: bool,
    ) -> View:
        """Return a view at random.  zoomed: its window is smaller than `augment.crop` and the recipe have it."""
        across, down, side, share = generator.random(4).tolist()
        crop = augment.crop * share**2 if zoomed else augment.crop  # a vehicle's box is a small part of its frame
        around = 1 + (recipe.around - 1) * share if zoomed else recipe.around * _WIDER ** (2 * share - 1)
        photo = Photo.draw(augment.photo, recipe.size, generator) if augment.photo else None
        return cls(boxes, crop, (across, down), side < augment.flip, photo, around if recipe.around else 0.0)

    @classmethod
    def scored(cls, boxes: np.ndarray, recipe: Recipe) -> View:
        """Return the view that scoring has of a frame."""
        return cls(boxes, crop=1.0, place=None, mirrored=False, around=recipe.around)

    @property
    def coloured(self) -> View:
        """The view as its light and colours alone change it."""
        return replace(self, photo=self.photo.colours if self.photo else None)

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the part of an image that is shown: x0, y0, x1, y1 in pixels, half-open."""
        if self.around:
            return geometry.surroundings(self.boxes[0], width, height, self.around, self.place)
        return geometry.part(self.boxes, width, height, (self.crop * width, self.crop * height), self.place)

    def shown(self, image: np.ndarray, recipe: Recipe) -> np.ndarray:
        """Return what is seen of an image. image: uint8 [H, W, 3]. Returns uint8 [size, size, 3]."""
        x0, y0, x1, y1 = self.window(image.shape[1], image.shape[0])
        resized = preprocess.resize(image[y0:y1, x0:x1], recipe)
        resized = resized[:, ::-1] if self.mirrored else resized
        return self.photo.apply(resized) if self.photo else resized

    def masks(self, width: int, height: int, cells: int) -> np.ndarray:
        """Return b, the cells of each box in what is seen of an image of width × height: bool [N, cells, cells]."""
        corners = geometry.part_cells(self.boxes, self.window(width, height), cells)
        left, top, right, bottom = corners.T[:, :, None]
        place = np.arange(cells)
        masks = ((top <= place) & (place < bottom))[:, :, None] & ((left <= place) & (place < right))[:, None, :]
        return masks[:, :, ::-1] if self.mirrored else masks

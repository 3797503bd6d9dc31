"""How a track is shown once: in which of its frames, and changed in which ways."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine import geometry, preprocess
from nlvr.engine.preprocess import Vehicle

from ..augment import Photo
from ..paths import Path

if TYPE_CHECKING:
    from nlvr.engine.cityflow import Track
    from nlvr.engine.preprocess import Recipe
    from nlvr.engine.sampling import Shot

    from .config import AugmentConfig

WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])  # a path that starts and ends in an image's corner


@dataclass(frozen=True, slots=True)
class Look:
    """One way of showing a track; by default as scoring does.

    shot: the track and its frame.  mirrored: left and right are swapped.
    grown: how far the left, top, right and bottom edges of the crop move outward, as shares of its sides.
    photos: the changes of background and crop.  path: that of the box points.
    bare: the crop stands for the frame as well, and its own edges are all there is of a path.
    """

    shot: Shot
    mirrored: bool = False
    grown: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    photos: tuple[Photo, Photo] | None = None
    path: Path = field(default_factory=Path)
    bare: bool = False

    @classmethod
    def draw(cls, shot: Shot, augment: AugmentConfig, recipe: Recipe, generator: np.random.Generator) -> Look:
        """Return a look at random."""
        size, points = recipe.size, recipe.max_points
        left, top, right, bottom = generator.uniform(-augment.box / 2, augment.box, 4).tolist()
        photos = Photo.draw(augment.photo, size, generator), Photo.draw(augment.photo, size, generator)
        return cls(
            shot,
            mirrored=bool(generator.random() < augment.flip),
            grown=(left, top, right, bottom),
            photos=photos if augment.photo else None,
            path=Path.draw(augment.path, points, generator),
            bare=bool(augment.bare) and bool(generator.random() < augment.bare),
        )

    def at(self, image: np.ndarray, track: Track, recipe: Recipe) -> Vehicle:
        """Return what is seen of a track. image: uint8 [H, W, 3], the look's frame.

        Raises InputError when the track's box there is wholly outside the image.
        """
        if self == Look(self.shot):
            return preprocess.vehicle(image, track, self.shot.position, recipe)
        if self.bare:
            return self._alone(image, track, recipe)
        height, width = image.shape[:2]
        boxes, position = track.boxes, self.shot.position
        points, length = self.path.points(boxes, width, height, recipe, mirrored=self.mirrored)
        crop = preprocess.crop(image, self._grown(boxes[position], width, height), recipe)
        if self.mirrored:
            # What is a corner on the right here is one on the left there.
            boxes = boxes + boxes[:, 2:3] * (1, 0, 0, 0)
        background = preprocess.background(image, boxes, position, recipe)
        if self.mirrored:
            background, crop = background[:, ::-1], crop[:, ::-1]
        if self.photos:
            background, crop = self.photos[0].apply(background), self.photos[1].apply(crop)
        return Vehicle(background, crop, points, length)

    def _alone(self, image: np.ndarray, track: Track, recipe: Recipe) -> Vehicle:
        """Return what is seen of a track of whose frame nothing but the crop was kept."""
        height, width = image.shape[:2]
        x0, y0, x1, y1 = geometry.pixel_box(self._grown(track.boxes[self.shot.position], width, height), width, height)
        cut = image[y0:y1, x0:x1]
        cut = np.ascontiguousarray(cut[:, ::-1]) if self.mirrored else cut
        background, crop = preprocess.background(cut, WHOLE, 0, recipe), preprocess.resize(cut, recipe)
        if self.photos:
            background, crop = self.photos[1].apply(background), self.photos[1].apply(crop)
        return Vehicle(background, crop, *preprocess.points(WHOLE, x1 - x0, y1 - y0, recipe))

    def _grown(self, box: np.ndarray, width: int, height: int) -> np.ndarray:
        """Return a box inside the image with its edges moved, float64 [4]."""
        x, y, w, h = geometry.clip_boxes(box[None], width, height)[0]
        left, top, right, bottom = self.grown
        return np.array([x - left * w, y - top * h, w * (1 + left + right), h * (1 + top + bottom)])

"""The bundle's recipe: from a decoded frame to what a graph takes. Training and serving both call this code.

Images leave here as uint8; normalisation happens inside the graph, so that bytes and not floats cross the bus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from . import geometry
from .sampling import is_rule, outside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .cityflow import Track

GREEN = (0, 255, 0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a track's frames become a graph's inputs.

    size: side of both square images, pixels.  resize: `area` (OpenCV) or `bicubic` (Pillow, antialiased).
    frames: which show the track: `last`, `largest` (box clear of the edge), `released` (first 64), `all`, or a number.
    trajectory: the polyline covers the whole `track` or only up to the `shown` frame.
    line_width: of the polyline, as a share of the image's height, at least one pixel.
    around: sides of the part of a frame in which SBNet sees a box, in lengths of its longer side; 0 for all of it.
    max_points: longer trajectories are sampled evenly to this many points.
    mean, std: of RGB in [0, 1]; applied inside the graph, kept here for the record.
    """

    size: int = 224
    resize: Literal["area", "bicubic"] = "area"
    frames: str = "largest"
    trajectory: Literal["track", "shown"] = "track"
    line_width: float = 0.01
    around: float = 0.0
    max_points: int = 128
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        """Raise ValueError for a recipe that this code cannot follow."""
        wanted = {
            "size": (_is_count(self.size), "a number of pixels above 0"),
            "max_points": (_is_count(self.max_points), "a number of points above 0"),
            "resize": (self.resize in ("area", "bicubic"), "area or bicubic"),
            "trajectory": (self.trajectory in ("track", "shown"), "track or shown"),
            "frames": (is_rule(self.frames), "last, largest, released, all or a number of frames, as text"),
            "around": (_is_reach(self.around), "0, or 1 and more"),
            "line_width": (_are_shares([self.line_width]), "a share of the image's height in [0, 1]"),
            "mean": (len(self.mean) == 3 and _are_shares(self.mean), "three numbers in [0, 1]"),
            "std": (len(self.std) == 3 and _are_shares(self.std) and all(self.std), "three numbers in (0, 1]"),
        }
        for name, (good, description) in wanted.items():
            if not good:
                message = f"{name} is {getattr(self, name)!r}, wanted {description}"
                raise ValueError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Vehicle:
    """One track as one of its frames shows it: what a vehicle graph takes.

    background, crop: uint8 [size, size, 3] RGB.  points: float32 [max_points, 2], of which the first `length` are real.
    """

    background: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    points: NDArray[np.float32]
    length: int

    def feeds(self) -> dict[str, NDArray[np.generic]]:
        """Return the graph's inputs by name."""
        lengths = np.asarray(self.length, np.int64)
        return {"background": self.background, "crop": self.crop, "points": self.points, "lengths": lengths}


def vehicle(image: NDArray[np.uint8], track: Track, position: int, recipe: Recipe) -> Vehicle:
    """Prepare one track as the frame at `position` shows it.

    image: uint8 [H, W, 3] RGB, that frame.  Raises InputError when the track's box there is wholly outside the image.
    """
    height, width = image.shape[:2]
    try:
        cut = crop(image, track.boxes[position], recipe)
    except ValueError as error:
        raise outside(track, position, width, height) from error
    line, length = points(track.boxes, width, height, recipe)
    return Vehicle(background(image, track.boxes, position, recipe), cut, line, length)


def background(
    image: NDArray[np.uint8], boxes: NDArray[np.float64], position: int, recipe: Recipe
) -> NDArray[np.uint8]:
    """Draw the track's trajectory on a frame and resize it (P2, 3.1 and Figure 1).

    image: uint8 [H, W, 3] RGB, left as it is.  boxes: float64 [T, 4], pixels.  position: the shown frame's row.
    Returns uint8 [size, size, 3].
    """
    import cv2

    shown = boxes if recipe.trajectory == "track" else boxes[: position + 1]
    corners = shown[:, :2].round().astype(np.int32)
    width = max(1, round(image.shape[0] * recipe.line_width))
    drawn = image.copy()
    if len(corners) > 1:
        cv2.polylines(drawn, [corners[:, None]], isClosed=False, color=GREEN, thickness=width)
    else:
        cv2.circle(drawn, tuple(corners[0].tolist()), width, GREEN, thickness=-1)
    return resize(drawn, recipe)


def crop(image: NDArray[np.uint8], box: NDArray[np.float64], recipe: Recipe) -> NDArray[np.uint8]:
    """Cut the vehicle out of a frame and resize it (P2, 3.1).

    image: uint8 [H, W, 3] RGB.  box: float64 [4], x, y, w, h in pixels, clipped to the image.
    Returns uint8 [size, size, 3].  Raises ValueError when the box is wholly outside.
    """
    x0, y0, x1, y1 = geometry.pixel_box(box, image.shape[1], image.shape[0])
    return resize(image[y0:y1, x0:x1], recipe)


def points(boxes: NDArray[np.float64], width: int, height: int, recipe: Recipe) -> tuple[NDArray[np.float32], int]:
    """Return the trajectory the BiLSTM reads: float32 [max_points, 2] padded with zeros, and its real length."""
    line = geometry.trajectory(boxes, width, height, recipe.max_points)
    padded = np.zeros((recipe.max_points, 2), np.float32)
    padded[: len(line)] = line
    return padded, len(line)


def resize(image: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    """Resize to the recipe's square. image: uint8 [H, W, 3]. Returns uint8 [size, size, 3]."""
    side = (recipe.size, recipe.size)
    if recipe.resize == "bicubic":
        from PIL import Image

        return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(side, Image.Resampling.BICUBIC))
    import cv2

    return np.asarray(cv2.resize(image, side, interpolation=cv2.INTER_AREA), np.uint8)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_reach(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and (value == 0 or 1 <= value < math.inf)


def _are_shares(values: Iterable[object]) -> bool:
    return all(isinstance(value, int | float) and 0 <= value <= 1 for value in values)

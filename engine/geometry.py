"""Boxes and trajectories, in pixels or in the cells of a feature map. Knows nothing of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def clip_boxes(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Clip boxes to their image.

    boxes: float64 [N, 4], x, y, w, h in pixels.  Returns float64 [N, 4]; a box wholly outside gets no width or height.
    """
    low, high = _corners(boxes, width, height)
    return np.concatenate([low, high - low], axis=1)


def touches_edge(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """Tell which boxes come within a pixel of their image's edge. boxes: float64 [N, 4]. Returns bool [N]."""
    far = boxes[:, :2] + boxes[:, 2:]
    near = np.any(boxes[:, :2] < 1, axis=1)
    touched: NDArray[np.bool_] = np.logical_or(near, np.any(far > np.array([width - 1, height - 1]), axis=1))
    return touched


def box_cells(boxes: NDArray[np.float64], width: int, height: int, cells: int) -> NDArray[np.int32]:
    """Map clipped boxes to the cells of a square feature map; never empty (SBNet's box mask b, eqs. 1-2).

    x0 = min(cells-1, floor(x·cells/W)), x1 = max(x0+1, ceil((x+w)·cells/W)), clipped to `cells`; the same for y.
    boxes: float64 [N, 4] in pixels.  Returns int32 [N, 4], x0, y0, x1, y1, half-open.
    """
    near, far = _corners(boxes, width, height)
    # Multiplied before it is divided: a corner that lies on a cell's border then lands on it exactly.
    limit = np.array([width, height], np.float64)
    low = np.minimum(cells - 1, np.floor(near * cells / limit))
    high = np.clip(np.ceil(far * cells / limit), low + 1, cells)
    return np.concatenate([low, high], axis=1).astype(np.int32)


def part_cells(boxes: NDArray[np.float64], part: tuple[int, int, int, int], cells: int) -> NDArray[np.int32]:
    """Map boxes to the cells of a square feature map of a part of their image, as `box_cells` does of all of it.

    boxes: float64 [N, 4] in pixels of the image.  part: x0, y0, x1, y1 in pixels, half-open.  Returns int32 [N, 4].
    """
    x0, y0, x1, y1 = part
    return box_cells(boxes - (x0, y0, 0, 0), x1 - x0, y1 - y0, cells)


def window(cells: NDArray[np.int32], sides: Sequence[int], halo: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the window of one of a few sizes that holds a box and `halo` cells around it, as rows and columns.

    cells: int32 [4], x0, y0, x1, y1, half-open.  sides: lengths to choose from, ascending; the greatest is the map's.
    Returns int64 [side + 2·halo] each; the window starts at the box, and may leave the map on every side.
    """
    x0, y0, x1, y1 = cells.tolist()
    return _around(y0, y1, sides, halo), _around(x0, x1, sides, halo)


def _around(near: int, far: int, sides: Sequence[int], halo: int) -> NDArray[np.int64]:
    side = next(side for side in sides if side >= far - near)
    return np.arange(near - halo, near + side + halo)


def part(
    boxes: NDArray[np.float64],
    width: int,
    height: int,
    sides: tuple[float, float],
    place: tuple[float, float] | None = None,
) -> tuple[int, int, int, int]:
    """Return a part of an image that holds boxes: x0, y0, x1, y1 in pixels, half-open.

    boxes: float64 [N, 4], N ≥ 1.  sides: its width and height, pixels; longer where the boxes need it, and never longer
    than the image's.  place: where it lies between its bounds to the left and right, and above and below, in [0, 1]; by
    default the boxes are in its middle, or as near to it as the image lets them.
    """
    low, high = _corners(boxes, width, height)
    near, far = np.floor(low.min(axis=0)), np.ceil(high.max(axis=0))
    limit = np.array([width, height])
    side = np.minimum(np.maximum(np.ceil(sides), far - near), limit)
    first, last = np.maximum(0, far - side), np.minimum(near, limit - side)
    if place is None:
        corner = np.clip(np.floor((near + far - side) / 2), first, last)
    else:
        corner = first + np.minimum(np.floor((last - first + 1) * place), last - first)
    x0, y0, x1, y1 = np.concatenate([corner, corner + side]).astype(int).tolist()
    return x0, y0, x1, y1


def surroundings(
    box: NDArray[np.float64], width: int, height: int, around: float, place: tuple[float, float] | None = None
) -> tuple[int, int, int, int]:
    """Return the part of an image that a box is shown in: x0, y0, x1, y1 in pixels, half-open.

    box: float64 [4], x, y, w, h.  around: sides of the part in lengths of the box's longer side; 0 for the whole image.
    place: as `part` has it.
    """
    if not around:
        return 0, 0, width, height
    side = around * float(clip_boxes(box[None], width, height)[0, 2:].max())
    return part(box[None], width, height, (side, side), place)


def pixel_box(box: NDArray[np.float64], width: int, height: int) -> tuple[int, int, int, int]:
    """Return the smallest pixel rectangle that holds a box's part inside the image: x0, y0, x1, y1, half-open.

    Raises ValueError when the box is wholly outside.
    """
    (near,), (far,) = _corners(box[None], width, height)
    if (far <= near).any():
        message = "the box is wholly outside the image"
        raise ValueError(message)
    (x0, y0), (x1, y1) = np.floor(near), np.ceil(far)
    return int(x0), int(y0), int(x1), int(y1)


def trajectory(boxes: NDArray[np.float64], width: int, height: int, max_points: int) -> NDArray[np.float32]:
    """Return the top-left corners as shares of the image (P2, 3.2.2), sampled evenly where there are too many.

    boxes: float64 [T, 4].  Returns float32 [min(T, max_points), 2].
    """
    count = len(boxes)
    if count > max_points:
        boxes = boxes[spread(count, max_points)]
    corners: NDArray[np.float64] = boxes[:, :2] / np.array([width, height], np.float64)
    return corners.astype(np.float32)


def spread(count: int, wanted: int) -> NDArray[np.int64]:
    """Return min(wanted, count) distinct positions in 0…count-1, evenly spaced; both ends, or the middle one."""
    if wanted == 1:
        return np.array([count // 2])
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(np.int64))


def middles(count: int, wanted: int) -> NDArray[np.int64]:
    """Return min(wanted, count) distinct positions in 0…count-1: the middles of as many equal parts."""
    parts = min(wanted, count)
    return (2 * np.arange(parts, dtype=np.int64) + 1) * count // (2 * parts)


def _corners(boxes: NDArray[np.float64], width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the near and the far corners of boxes, clipped to their image: float64 [N, 2] each, x, y."""
    limit = np.array([width, height], np.float64)
    near, far = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return np.clip(near, 0, limit), np.clip(far, 0, limit)

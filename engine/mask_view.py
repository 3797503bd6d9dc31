"""What a report shows of a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class MaskView:
    """What a system's mask showed of one track for one query.

    position: the shown frame's row in the track's frames and boxes.
    part: what the mask covers of that frame, x0, y0, x1, y1 in pixels, half-open.
    mask: float32 [h, w] over that part, in [0, 1], mean over the query's sentences.
    """

    position: int
    part: tuple[int, int, int, int]
    mask: NDArray[np.float32]

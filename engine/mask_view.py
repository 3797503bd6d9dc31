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
    mask: float32 [h, w] over the whole frame, in [0, 1], mean over the query's sentences.
    """

    position: int
    mask: NDArray[np.float32]

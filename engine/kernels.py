"""The compiled kernels: exact top-k, masked pooling, mask ratios and segment means.

Every kernel borrows strided numpy memory without copying it, releases the GIL, and gives the same bits for every
`threads`, every instruction set and every layout of the same numbers. Nothing is converted: an array of another type is
a TypeError and one of another shape a ValueError, each naming the argument. `threads=None` uses as many threads as the
work is worth, at most `pool_size()`.

The instruction set is chosen at the first use: the best this CPU has, or the one the environment variable `NLVR_ISA`
names (`scalar`, `avx2` or `avx512`); a name that is unknown or not available here is an IsaUnavailableError error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _kernels
from ._kernels import BoxOutsideError, EmptyBoxError, IsaUnavailableError, NotANumberError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "BoxOutsideError",
    "EmptyBoxError",
    "IsaUnavailableError",
    "NotANumberError",
    "isa",
    "isas",
    "mask_ratio",
    "masked_pool",
    "pool_size",
    "segment_mean",
    "topk",
]


def topk(
    queries: npt.NDArray[np.float32],
    tracks: npt.NDArray[np.float32],
    k: int,
    allowed: npt.NDArray[np.bool_] | npt.NDArray[np.uint8] | None = None,
    threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The k tracks of the highest inner product with each query, best first; equal scores by row number.

    queries: float32 [Q, D].  tracks: float32 [N, D], N < 2**32.  k: at least 1; above N it means N.
    allowed: which tracks count: bool [N], or the same as uint8 [ceil(N / 8)] from
    `np.packbits(flags, bitorder="little")`.
    Returns ids int64 [Q, min(k, N)] (rows of `tracks`) and scores float32 of that shape. Places that no allowed track
    fills hold id -1 and score -inf.

    A score is one defined sum: element e goes into float32 lane e mod 16 by fused multiply-add, in the order of e;
    lane i then takes lane i + 8, then i + 4, i + 2 and i + 1; a sum of -0 is +0.

    Raises NotANumberError naming the first query and track row whose score is NaN, among the allowed tracks.
    """
    return _kernels.topk(queries, tracks, k, allowed, threads)


def masked_pool(
    features: npt.NDArray[np.float32],
    cells: npt.NDArray[np.int32],
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Mean of the feature cells inside each box (SBNet eq. 6: sum of FI * b over sum of b).

    features: float32 [F, C, H, W]; channels-last maps go in as the view `maps.transpose(0, 3, 1, 2)`.
    cells: int32 [N, 5], frame, x0, y0, x1, y1 in cells (half-open, never empty, inside the map).
    Returns float32 [N, C]. NaN features give NaN means, which `topk` refuses.

    A mean is one defined sum over the number of cells, in float32: row after row and left to right, the cell in column
    x of the box is added to lane (x - x0) mod 16; the lanes fold as in `topk`.

    Raises EmptyBoxError or BoxOutsideError naming the first such row of `cells`.
    """
    return _kernels.masked_pool(features, cells, threads)


def mask_ratio(
    masks: npt.NDArray[np.float32],
    cells: npt.NDArray[np.int32],
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Mean mask value inside each box (SBNet eq. 19).

    masks: float32 [F, H, W].  cells: int32 [N, 5], frame, x0, y0, x1, y1 in cells (half-open, never empty, inside the
    map).  Returns float32 [N], each the defined sum of `masked_pool` over the number of cells.

    Raises EmptyBoxError or BoxOutsideError naming the first such row of `cells`, and NotANumberError naming the first
    row whose ratio is NaN.
    """
    return _kernels.mask_ratio(masks, cells, threads)


def segment_mean(
    rows: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.int64],
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Mean of each run of rows: the frames of a track, the sentences of a query.

    rows: float32 [R, D].  offsets: int64 [S + 1]; segment s is rows offsets[s] to offsets[s + 1] - 1, so offsets rise
    from 0 to R and no segment is empty.
    Returns float32 [S, D]. The rows are added in their order, in float32, and divided by their number. NaN rows give
    NaN means, which `topk` refuses.

    Raises ValueError naming the segment whose offsets do not rise.
    """
    return _kernels.segment_mean(rows, offsets, threads)


def isa() -> str:
    """The instruction set in use: "scalar", "avx2" or "avx512".

    Raises IsaUnavailableError where NLVR_ISA cannot be met.
    """
    return _kernels.isa()


def isas() -> list[str]:
    """Return the instruction sets that run on this machine, slowest first; each is a value for NLVR_ISA."""
    return _kernels.isas()


def pool_size() -> int:
    """Return the threads a kernel uses by default: the CPUs this process may use, within its cgroup's quota."""
    return _kernels.pool_size()

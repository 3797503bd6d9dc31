"""The compiled kernels: exact top-k, masked pooling, mask ratios and segment means.

Every kernel borrows strided numpy memory without copying it, releases the GIL, and gives the same bits for every
`threads`, every instruction set and every layout of the same numbers. Nothing is converted: an array of another type is
a TypeError and one of another shape a ValueError, each naming the argument. `threads=None` uses as many threads as the
work is worth, at most `pool_size()`.

The instruction set is chosen at the first use: the best this CPU has, or the one the environment variable `NLVR_ISA`
names (`scalar`, `avx2`, `avx512`, `avx512vnni` or `amx`; `neon` on aarch64); a name that is unknown or not available
here is an IsaUnavailableError error. `amx` asks Linux to let this process use the CPU's tiles, where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import _kernels
from ._kernels import BoxOutsideError, EmptyBoxError, IsaUnavailableError, NotANumberError

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    import numpy as np
    import numpy.typing as npt

    Allowed: TypeAlias = npt.NDArray[np.bool_] | npt.NDArray[np.uint8]
    Rows: TypeAlias = npt.NDArray[Any] | "QuantizedRows"

__all__ = [
    "BoxOutsideError",
    "EmptyBoxError",
    "IsaUnavailableError",
    "NotANumberError",
    "QuantizedRows",
    "flush_subnormals",
    "isa",
    "isas",
    "mask_ratio",
    "masked_pool",
    "masked_pool_mean",
    "pool_size",
    "quantize",
    "segment_mean",
    "topk",
    "topk_screened",
]


class QuantizedRows(NamedTuple):
    """Rows of float32 in a quarter of their memory, as `quantize` makes them.

    codes: int8 [N, D], -127 to 127.  scales: float32 [N].  Row i is scales[i] * codes[i] + r.
    norms: float32 [N], no less than the Euclidean length of row i.  errors: float32 [N], no less than that of r.
    """

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]
    norms: npt.NDArray[np.float32]
    errors: npt.NDArray[np.float32]


def quantize(rows: npt.NDArray[np.float32], threads: int | None = None) -> QuantizedRows:
    """Round each row to int8 with a scale of its own, its largest magnitude to 127.

    rows: float32 [N, D].

    Raises NotANumberError naming the first row that is not finite or longer than 2**63.
    """
    return QuantizedRows(*_kernels.quantize(rows, threads))


def topk(
    queries: npt.NDArray[np.float32],
    tracks: Rows,
    k: int,
    allowed: Allowed | None = None,
    threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The k tracks of the highest inner product with each query, best first; equal scores by row number.

    queries: float32 [Q, D].  tracks: [N, D], N < 2**32: float32, float16, bfloat16 (of ml_dtypes), or QuantizedRows
    that count as their codes times their scales, each product rounded to float32.  k: at least 1; above N it means N.
    allowed: which tracks count: bool [N], or the same as uint8 [ceil(N / 8)] from
    `np.packbits(flags, bitorder="little")`.
    Returns ids int64 [Q, min(k, N)] (rows of `tracks`) and scores float32 of that shape. Places that no allowed track
    fills hold id -1 and score -inf.

    A score is one defined sum: element e goes into float32 lane e mod 16 by fused multiply-add, in the order of e;
    lane i then takes lane i + 8, then i + 4, i + 2 and i + 1; a sum of -0 is +0. Which scores are computed is another
    matter: many queries share int8 codes of the tracks, and one whose bound stays below a query's list is never scored.

    Raises NotANumberError naming the first query and track row whose score is NaN, among the allowed tracks.
    """
    ids, scores, _ = _kernels.topk(queries, tracks, k, allowed, threads)
    return ids, scores


def topk_screened(
    queries: npt.NDArray[np.float32],
    tracks: Rows,
    screen: QuantizedRows,
    k: int,
    allowed: Allowed | None = None,
    *,
    threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The result of `topk`, reading of most tracks only their codes.

    A query x with codes b and scale t, x = t b + u, and a track y with codes c and scale s, y = s c + r, have
    |x.y - t s b.c| <= |u| (|y| + |r|) + |x| |r|. A track is read in full only where this bound, widened by the
    roundings of the defined sum, lets its score into the list.

    screen: `quantize` of `tracks` in float32; with any other rows the result is wrong.  The rest as for `topk`.
    Returns ids and scores as `topk` does, and how many scores were computed for each query, int64 [Q]. That number
    depends on `threads`, and on how the tracks are stored.

    Raises NotANumberError as `topk` does.
    """
    return _kernels.topk(queries, tracks, k, allowed, threads, screen)


def masked_pool(
    features: npt.NDArray[np.float32] | npt.NDArray[np.float16],
    cells: npt.NDArray[np.int32],
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Mean of the feature cells inside each box (SBNet eq. 6: sum of FI * b over sum of b).

    features: float32 or float16 [F, C, H, W]; channels-last maps go in as the view `maps.transpose(0, 3, 1, 2)`.
    cells: int32 [N, 5], frame, x0, y0, x1, y1 in cells (half-open, never empty, inside the map).
    Returns float32 [N, C]. NaN features give NaN means, which `topk` refuses.

    A mean is one defined sum over the number of cells, in float32: row after row and left to right, the cell in column
    x of the box is added to lane (x - x0) mod 16; the lanes fold as in `topk`.

    Raises EmptyBoxError or BoxOutsideError naming the first such row of `cells`.
    """
    return _kernels.masked_pool(features, cells, threads)


def masked_pool_mean(
    features: npt.NDArray[np.float32] | npt.NDArray[np.float16],
    cells: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Mean over each track's frames of its unit pooled vectors, in one pass over the maps.

    features, cells: as for `masked_pool`, a row of `cells` for each frame of a track.  offsets: int64 [S + 1]; track s
    is rows offsets[s] to offsets[s + 1] - 1 of `cells`, so offsets rise from 0 to N and no track is empty.
    Returns float32 [S, C]: `segment_mean` of the rows p / |p| of `masked_pool`. |p| is the float32 square root of the
    inner product of p with itself as `topk` defines it; a p of length 0 stays 0.

    Raises EmptyBoxError or BoxOutsideError naming the first such row of `cells`, ValueError naming the track whose
    offsets do not rise.
    """
    return _kernels.masked_pool_mean(features, cells, offsets, threads)


def mask_ratio(
    masks: npt.NDArray[np.float32] | npt.NDArray[np.float16] | npt.NDArray[np.uint8],
    cells: npt.NDArray[np.int32],
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Mean mask value inside each box (SBNet eq. 19).

    masks: float32 or float16 [F, H, W], or masks of zeros and ones as uint8 [F, H, ceil(W / 8)] from
    `np.packbits(masks, axis=-1, bitorder="little")`.
    cells: int32 [N, 5], frame, x0, y0, x1, y1 in cells (half-open, never empty, inside the map).
    Returns float32 [N], each the defined sum of `masked_pool` over the number of cells.

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
    """The instruction set in use: a name of `isas()`.

    Raises IsaUnavailableError where NLVR_ISA cannot be met.
    """
    return _kernels.isa()


def isas() -> list[str]:
    """Return the instruction sets that run on this machine, slowest first; each is a value for NLVR_ISA."""
    return _kernels.isas()


def flush_subnormals() -> None:
    """Have the calling thread take floats below the normal range (1e-38 in float32) as zero, from now on.

    A softmax makes many of them, and some CPUs take many times as long for each as for another number.
    """
    _kernels.flush_subnormals()


def pool_size() -> int:
    """Return the threads a kernel uses by default: the CPUs this process may use, within its cgroup's quota."""
    return _kernels.pool_size()

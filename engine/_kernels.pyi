"""The compiled module; `kernels` documents its functions."""

from typing import Any

import numpy as np
import numpy.typing as npt

class NotANumberError(ValueError):
    query_row: int | None
    track_row: int | None
    row: int | None

class EmptyBoxError(ValueError):
    row: int | None

class BoxOutsideError(ValueError):
    row: int | None

class IsaUnavailableError(RuntimeError): ...

def quantize(
    rows: npt.NDArray[np.float32], threads: int | None = None
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]: ...
def topk(
    queries: npt.NDArray[np.float32],
    tracks: npt.NDArray[Any] | tuple[npt.NDArray[Any], ...],
    k: int,
    allowed: npt.NDArray[np.bool_] | npt.NDArray[np.uint8] | None = None,
    threads: int | None = None,
    screen: tuple[npt.NDArray[Any], ...] | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]: ...
def masked_pool(
    features: npt.NDArray[Any], cells: npt.NDArray[np.int32], threads: int | None = None
) -> npt.NDArray[np.float32]: ...
def masked_pool_mean(
    features: npt.NDArray[Any],
    cells: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    threads: int | None = None,
) -> npt.NDArray[np.float32]: ...
def mask_ratio(
    masks: npt.NDArray[Any], cells: npt.NDArray[np.int32], threads: int | None = None
) -> npt.NDArray[np.float32]: ...
def segment_mean(
    rows: npt.NDArray[np.float32], offsets: npt.NDArray[np.int64], threads: int | None = None
) -> npt.NDArray[np.float32]: ...
def isa() -> str: ...
def isas() -> list[str]: ...
def pool_size() -> int: ...
def flush_subnormals() -> None: ...
def cgroup_cpus(root: str) -> int | None: ...

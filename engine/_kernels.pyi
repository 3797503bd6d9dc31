"""The compiled module; `kernels` documents its functions."""

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

def topk(
    queries: npt.NDArray[np.float32],
    tracks: npt.NDArray[np.float32],
    k: int,
    allowed: npt.NDArray[np.bool_] | npt.NDArray[np.uint8] | None = None,
    threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]: ...
def masked_pool(
    features: npt.NDArray[np.float32], cells: npt.NDArray[np.int32], threads: int | None = None
) -> npt.NDArray[np.float32]: ...
def mask_ratio(
    masks: npt.NDArray[np.float32], cells: npt.NDArray[np.int32], threads: int | None = None
) -> npt.NDArray[np.float32]: ...
def segment_mean(
    rows: npt.NDArray[np.float32], offsets: npt.NDArray[np.int64], threads: int | None = None
) -> npt.NDArray[np.float32]: ...
def isa() -> str: ...
def isas() -> list[str]: ...
def pool_size() -> int: ...
def cgroup_cpus(root: str) -> int | None: ...

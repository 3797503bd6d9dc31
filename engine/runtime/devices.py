"""Chooses the device a bundle runs on. Only `auto` may choose; a device that was named is used or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from .. import kernels
from ..errors import DeviceUnavailableError, InputError
from .onnxruntime import OrtGraph

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..bundle import GraphFile
    from .graph import Graph

Device = Literal["auto", "cpu", "cuda", "tensorrt"]


def check_device(device: str) -> None:
    """Raise InputError for a name that is no device."""
    option = "--device"
    if not isinstance(device, str) or device not in get_args(Device):
        raise InputError(option, f"{device!r} is no device", f"give one of {', '.join(get_args(Device))}")


def open_graphs(files: Iterable[GraphFile], *, device: str = "auto") -> list[Graph]:
    """Open each graph on one device. `auto` takes CUDA where a session really runs on it, else the CPU.

    Raises DeviceUnavailableError when a device that was named cannot run, InputError for a name that is none.
    """
    files = list(files)
    check_device(device)
    if device == "tensorrt":
        fact = "this version has no TensorRT runtime"
        raise DeviceUnavailableError(device, fact, "use --device cuda or --device cpu")
    if device != "auto":
        return [OrtGraph(file, device=device) for file in files]
    try:
        return [OrtGraph(file, device="cuda") for file in files]
    except DeviceUnavailableError:
        return [OrtGraph(file, device="cpu") for file in files]


def usable_cpus() -> int:
    """Return how many CPUs this process may use: its affinity, capped by the quota of its control groups."""
    return kernels.pool_size()

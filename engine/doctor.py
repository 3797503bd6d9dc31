"""Examines the machine: what is installed, which kernels run, and on which devices a session really runs."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from . import kernels
from .bundle import open_bundle
from .errors import DeviceUnavailableError, NlvrError
from .runtime.devices import check_device, open_graphs, usable_cpus
from .runtime.onnxruntime import PROVIDERS, probe

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = ("numpy", "opencv-python-headless", "pillow", "tokenizers", "typer", "rich", "jinja2")
OPTIONAL = ("torch", "onnx", "open_clip_torch", "transformers", "tensorrt")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and how it stands.

    remedy: what mends it, None where nothing must be.  works: False for what is not there and was not asked for.
    """

    name: str
    state: str
    remedy: str | None = None
    works: bool = True


def examine(*, device: str, model: Path | None) -> list[Finding]:
    """Return the findings. A remedy stands beside everything that is asked for and cannot run.

    Raises InputError for a name that is no device.
    """
    check_device(device)
    findings = [
        Finding("nlvr-engine", _version("nlvr-engine") or "not installed"),
        Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("cpus", f"{usable_cpus()} usable"),
        _kernels(),
    ]
    for package in NEEDED:
        found = _version(package)
        findings.append(Finding(package, found or "missing", None if found else f"pip install {package}"))
    findings += [Finding(package, found) for package in OPTIONAL if (found := _version(package))]
    findings.append(_onnxruntime())
    working = {name: _probe(name) for name in PROVIDERS}
    findings += [Finding(f"device {name}", why or "runs", works=why is None) for name, why in working.items()]
    findings.append(_asked(device, model, working))
    return findings


def _kernels() -> Finding:
    try:
        return Finding("kernels", f"{kernels.isa()} runs, of {', '.join(kernels.isas())}")
    except kernels.IsaUnavailableError as error:
        return Finding("kernels", str(error), "unset NLVR_ISA to take the best there is")


def _onnxruntime() -> Finding:
    wheels = {name: found for name in ("onnxruntime", "onnxruntime-gpu") if (found := _version(name))}
    state = ", ".join(f"{name} {found}" for name, found in wheels.items()) or "not installed"
    if len(wheels) == 2:
        remedy = "the two wheels overwrite each other: pip uninstall -y onnxruntime onnxruntime-gpu, then install one"
        return Finding("onnxruntime", state, remedy)
    return Finding("onnxruntime", state, None if wheels else "pip install 'nlvr-engine[cpu]'")


def _probe(device: str) -> str | None:
    """Return why no session runs on a device, None where one does."""
    try:
        probe(device)
    except DeviceUnavailableError as error:
        return str(error).removeprefix(f"--device {device}: ").partition(" (`nlvr-engine doctor`")[0]
    return None


def _asked(device: str, model: Path | None, working: dict[str, str | None]) -> Finding:
    name = f"asked: {device}"
    if model is not None:
        try:
            (graph, *_) = open_graphs(open_bundle(model).graphs.values(), device=device)
        except NlvrError as error:
            return Finding(name, f"{model} does not open", str(error))
        return Finding(name, f"{model} runs on {graph.device}")
    if device == "auto":
        usable = [name for name, why in working.items() if why is None]
        return Finding(
            name, f"{usable[-1]} would run" if usable else "nothing runs", None if usable else working["cpu"]
        )
    why = working.get(device, "this version has no such runtime; use --device cuda or --device cpu")
    return Finding(name, "runs" if why is None else "cannot run", why)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

"""What a figure was measured on, and whether something else was running meanwhile."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

from nlvr.engine import kernels
from nlvr.engine.runtime.devices import usable_cpus

OTHER_LOAD_LIMIT = 0.10  # of the machine's CPUs; beyond it a ratio of two timings says nothing


def machine() -> dict[str, str | int]:
    """Return the processor, its usable CPUs, and the versions that matter."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(
            (line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")),
            model,
        )
    return {
        "cpu": model,
        "cpus": usable_cpus(),
        "kernels": kernels.isa(),
        **{name: version(name) for name in ("nlvr-engine", "numpy", "onnxruntime", "opencv-python-headless")},
    }


class OtherLoad:
    """Measures how busy others kept the CPUs while a block ran; `share` is of all CPUs, 0 to 1."""

    def __enter__(self) -> OtherLoad:
        self._wall, self._own, self._busy = time.perf_counter(), sum(os.times()[:4]), _busy_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        wall = time.perf_counter() - self._wall
        own = sum(os.times()[:4]) - self._own
        self.share = max(0.0, (_busy_seconds() - self._busy - own) / (wall * (os.cpu_count() or 1)))


def _busy_seconds() -> float:
    """Return the CPU seconds, of all processes and of the hypervisor's other guests, since boot."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

"""The bundles that benchmarks of whole rankings take: those that were named, else all in `checkpoints/`."""

from __future__ import annotations

import json
import os
from pathlib import Path

NAMED = "NLVR_BENCH_MODELS"  # environment: paths, separated as in PATH


def bundles(system: str) -> list[Path]:
    """Return the bundles of a system; its name is `contrastive` or `sbnet`."""
    named = os.environ.get(NAMED)
    folders = [Path(name) for name in named.split(os.pathsep)] if named else sorted(Path("checkpoints").glob("*"))
    manifests = [folder / "manifest.json" for folder in folders]
    return [path.parent for path in manifests if path.is_file() and json.loads(path.read_text())["system"] == system]

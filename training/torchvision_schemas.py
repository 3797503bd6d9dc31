"""Makes `import torchvision` work beside a torch its compiled operators were not built for.

With such a pair (for one, the CPU wheel of torch 2.13.0 and torchvision 0.28.0 from PyPI) torchvision's library does
not load, and `import torchvision` stops at "operator torchvision::nms does not exist", because it describes two
operators that nobody has declared. Declaring them is enough for its models and for open_clip, timm and transformers,
none of which calls them here. Where the library loads, nothing is declared.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # an operator lives as long as the library object that declares it


@cache
def declare_missing_operators() -> tuple[str, ...]:
    """Declare the operators that torchvision's Python layer needs and does not have; return their names.

    Call it before anything imports torchvision. Without torchvision it does nothing.
    """
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return ()
    for library in Path(spec.submodule_search_locations[0]).glob("_C*"):
        try:
            torch.ops.load_library(str(library))
        except OSError:  # built for another torch, or for a CUDA that is not here
            continue
    missing = tuple(name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name))
    if missing:
        fragment = torch.library.Library("torchvision", "FRAGMENT")
        _declared.append(fragment)
        for name in missing:
            fragment.define(_SCHEMAS[name])
    return missing

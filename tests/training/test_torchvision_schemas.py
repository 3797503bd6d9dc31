"""`import torchvision` works in a fresh process, whether or not its compiled operators load."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from nlvr.training.torchvision_schemas import declare_missing_operators
declared = declare_missing_operators()
import torch, torchvision
assert all(hasattr(torch.ops.torchvision, name) for name in ("nms", "qnms"))
assert bool(declared) != torchvision.extension._has_ops(), declared
assert torchvision.models.get_model("resnet18").fc.in_features == 512
"""


def test_torchvision_imports_after_the_missing_operators_are_declared():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

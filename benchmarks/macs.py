"""Multiply-accumulates of an ONNX graph, counted from the shapes with which it really runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import onnx
import onnxruntime as ort

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


def count_macs(model: Path, feeds: Mapping[str, np.ndarray]) -> int:
    """Run a graph once as it stands, without the runtime's fusions, and add up its Conv, MatMul and Gemm nodes."""
    weights = {tensor.name: list(tensor.dims) for tensor in onnx.load(model).graph.initializer}
    nodes = {node.name: node for node in onnx.load(model).graph.node}
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling = True
    with TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        session.run(None, dict(feeds))
        events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [event for event in events if event["name"].endswith("_kernel_time")]
    return sum(_macs(event["args"], nodes[event["name"].removesuffix("_kernel_time")], weights) for event in kernels)


def _macs(event: Mapping[str, Any], node: onnx.NodeProto, weights: Mapping[str, list[int]]) -> int:
    """Return the elements of a node's result, times how many products each of them is a sum of."""
    kind = event["op_name"]
    if kind not in ("Conv", "MatMul", "Gemm"):
        return 0
    shapes = [next(iter(entry.values())) for entry in event["input_type_shape"]]
    (result,) = (next(iter(entry.values())) for entry in event["output_type_shape"])
    if kind == "Conv":
        products = math.prod(weights[node.input[1]][1:])  # channels in a group × the kernel's cells
    elif kind == "Gemm" and any(entry.name == "transA" and entry.i for entry in node.attribute):
        products = shapes[0][0]
    else:
        products = shapes[0][-1]
    return math.prod(result) * products

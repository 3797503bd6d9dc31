"""Weight-only int8: a float32 graph → the same graph with its large weights as int8 and float32 scales.

For each output channel c of a matrix or a convolution, and each row c of a table of embeddings:

    s[c] = max |w[c]| / 127        q[c] = round(w[c] / s[c])        w[c] ≈ s[c] · q[c]

Nothing but the weights is rounded. The engine's sessions restore matrices and kernels when they open the graph
(`DequantizeLinear` of a constant), so it computes in float32 and at float32's speed; rows of a table are restored as
they are looked up, so the table stays small in memory too.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from numpy.typing import NDArray

SMALLEST = 4096  # values; below it a file gains next to nothing
_MOST = 127


def quantise(weights: NDArray[np.float32], *, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round weights to int8, each channel by its own scale.

    weights: float32 of any shape.  axis: that of the channels.
    Returns q, int8 of the same shape, −127 to 127, and s, float32, above 0, of that shape with 1 for every other axis;
    |w − s·q| ≤ s / 2.
    """
    rest = tuple(other for other in range(weights.ndim) if other != axis % weights.ndim)
    scales = np.abs(weights).max(axis=rest, keepdims=True) / np.float32(_MOST)
    scales[scales == 0] = 1  # a channel of zeros
    codes = np.clip(np.rint(weights / scales), -_MOST, _MOST)
    return codes.astype(np.int8), scales


def quantise_weights(graph: onnx.GraphProto) -> None:
    """Store the large weights of a graph as int8, in place.

    They are what a matrix product or a convolution takes as its weights, and tables in which an input of the graph is
    looked up, as words are and position codes are not. Depthwise kernels stay, for they are few, and so does a tensor
    that is used in several ways.
    """
    axes = _channel_axes(graph)
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    nodes = [part for node in graph.node for part in _restored(node, axes)]
    for tensor in list(graph.initializer):
        if tensor.name in axes:
            codes, scales = quantise(numpy_helper.to_array(tensor), axis=axes[tensor.name])
            if tensor.name not in tables:
                scales = scales.ravel()
            graph.initializer.append(numpy_helper.from_array(scales, _scales(tensor.name)))
            tensor.CopyFrom(numpy_helper.from_array(codes, _codes(tensor.name)))
    del graph.node[:]
    graph.node.extend(nodes)


def _channel_axes(graph: onnx.GraphProto) -> dict[str, int]:
    """Return tensor name → axis of its channels, of the tensors that are to be quantised."""
    inputs = {value.name for value in graph.input}
    axes = defaultdict(set)
    for node in graph.node:
        for place, name in enumerate(node.input):
            axes[name].add(_channel_axis(node, place, inputs))
    return {
        tensor.name: axis
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= SMALLEST and len(axes[tensor.name]) == 1
        for axis in axes[tensor.name]
        if axis is not None and len(tensor.dims) >= 2
    }


def _channel_axis(node: onnx.NodeProto, place: int, inputs: set[str]) -> int | None:
    """Return the axis of the channels of what a node takes at a place, None where that is no weight to quantise."""
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    match node.op_type, place:
        case "MatMul", 1:
            return -1
        case "Gemm", 1:
            return 0 if values.get("transB") else -1
        case "Conv", 1 if values.get("group", 1) == 1:
            return 0
        case "Gather", 0 if node.input[1] in inputs and values.get("axis", 0) == 0:
            return 0
    return None


def _restored(node: onnx.NodeProto, axes: dict[str, int]) -> Iterator[onnx.NodeProto]:
    """Yield a node with what restores its weights before it."""
    place = next((place for place, name in enumerate(node.input) if name in axes), None)
    if place is None:
        yield node
        return
    name, output = node.input[place], node.output[0]
    if node.op_type == "Gather":
        ids = node.input[1]
        yield helper.make_node("Gather", [_codes(name), ids], [_codes(output)])
        yield helper.make_node("Cast", [_codes(output)], [f"{output}.code"], to=TensorProto.FLOAT)
        yield helper.make_node("Gather", [_scales(name), ids], [_scales(output)])
        yield helper.make_node("Mul", [f"{output}.code", _scales(output)], [output])
    else:
        node.input[place] = f"{output}.weight"
        yield helper.make_node("DequantizeLinear", [_codes(name), _scales(name)], [node.input[place]], axis=axes[name])
        yield node


def _codes(name: str) -> str:
    return f"{name}.int8"


def _scales(name: str) -> str:
    return f"{name}.scale"

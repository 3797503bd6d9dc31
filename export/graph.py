"""One module → one ONNX file that holds its weights and nothing of the machine that wrote it."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import onnx
import torch

from .int8 import quantise_weights

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from .source import GraphSource

OPSET = 20
BATCH = "batch"


def write_graph(path: Path, source: GraphSource, *, system: str, name: str) -> dict[str, Any]:
    """Export a graph and write its file; the same weights give the same bytes.

    Returns the graph's record for the manifest, but for its checksum and block.
    """
    model = _export(source)
    _strip(model)
    if source.precision == "int8":
        quantise_weights(model.graph)
    model.producer_name, model.producer_version = "nlvr-engine", version("nlvr-engine")
    properties = {
        "system": system,
        "graph": name,
        "precision": source.precision,
        "producer": f"nlvr-engine {version('nlvr-engine')}",
    }
    onnx.helper.set_model_props(model, properties)
    model.graph.name = name
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    path.write_bytes(content)
    return {
        "file": path.name,
        "precision": source.precision,
        "opset": OPSET,
        "inputs": _records(model.graph.input),
        "outputs": _records(model.graph.output),
        "parameters": sum(parameter.numel() for parameter in source.reference.parameters()),
        "bytes": len(content),
    }


def _export(source: GraphSource) -> onnx.ModelProto:
    names = {name for axes in source.axes.values() for name in axes.values()}
    dims = {name: torch.export.Dim(name) for name in sorted({BATCH, *names})}
    shapes = tuple(
        {0: dims[BATCH], **{axis: dims[dim] for axis, dim in source.axes.get(name, {}).items()}}
        for name in source.inputs
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations, none of them ours to mend
        program = torch.onnx.export(
            source.module,
            tuple(source.inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(source.inputs),
            output_names=list(source.outputs),
            dynamic_shapes=shapes,
            verbose=False,
        )
    return program.model_proto


def _strip(model: onnx.ModelProto) -> None:
    """Drop what the exporter noted along the way: stack traces with their file paths, scopes, inferred shapes."""
    graph = model.graph
    del graph.value_info[:]
    parts: list[Message] = [model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer]
    for part in parts:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def _records(values: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return name → dtype and dims of a graph's inputs or outputs, as the file has them."""
    return {
        value.name: {
            "dtype": str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
            "dims": [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
        }
        for value in values
    }

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from nlvr.export import contrastive
from nlvr.export.graph import write_graph


def test_the_same_weights_give_the_same_bytes(source, exported, tmp_path):
    for name, graph in source.graphs.items():
        write_graph(tmp_path / f"{name}.onnx", graph, system="contrastive", name=name)
        assert (tmp_path / f"{name}.onnx").read_bytes() == exported.graphs[name].path.read_bytes()


@pytest.mark.parametrize("name", ["vehicle", "text"])
def test_a_file_tells_what_it_is_and_nothing_of_this_machine(exported, name):
    content = exported.graphs[name].path.read_bytes()
    package = str(Path(contrastive.__file__).parent.parent)
    for trace in (package, sys.prefix, ".py", "nlvr.training", "torch.nn", "stack_trace", "aten."):
        assert trace.encode() not in content, trace
    model = onnx.load_from_string(content)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["producer"].startswith("nlvr-engine ")
    properties.pop("producer")
    assert properties == {"system": "contrastive", "graph": name, "precision": "fp32"}


@pytest.mark.parametrize("name", ["vehicle", "text"])
def test_weights_lie_in_the_file_under_the_wanted_opset(exported, name):
    model = onnx.load(exported.graphs[name].path, load_external_data=False)
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 20}
    assert all(weights.data_location != onnx.TensorProto.EXTERNAL for weights in model.graph.initializer)


def test_the_manifest_has_the_inputs_of_the_files(exported):
    vehicle, text = exported.manifest["graphs"]["vehicle"], exported.manifest["graphs"]["text"]
    assert vehicle["inputs"] == {
        "background": {"dtype": "uint8", "dims": ["batch", 64, 64, 3]},
        "crop": {"dtype": "uint8", "dims": ["batch", 64, 64, 3]},
        "points": {"dtype": "float32", "dims": ["batch", 128, 2]},
        "lengths": {"dtype": "int64", "dims": ["batch"]},
    }
    assert text["inputs"] == {
        "ids": {"dtype": "int64", "dims": ["batch", 96]},
        "mask": {"dtype": "int64", "dims": ["batch", 96]},
    }
    for record in (vehicle, text):
        assert record["outputs"] == {"vector": {"dtype": "float32", "dims": ["batch", 256]}}
        assert record["bytes"] == (exported.path / record["file"]).stat().st_size
        assert 2 * record["parameters"] < record["bytes"]


def test_half_precision_reaches_the_towers_and_stops_before_the_tail(checkpoint, exported, tmp_path):
    half = contrastive.read_checkpoint(checkpoint, precision="fp16")
    for name, graph in half.graphs.items():
        path = tmp_path / f"{name}.onnx"
        record = write_graph(path, graph, system="contrastive", name=name)
        full = exported.manifest["graphs"][name]
        assert {key: record[key] for key in ("inputs", "outputs", "parameters")} == {
            key: full[key] for key in ("inputs", "outputs", "parameters")
        }
        assert record["bytes"] < full["bytes"]
        kinds = {}
        for weight in onnx.load(path).graph.initializer:
            kinds.setdefault(weight.name.partition(".")[0], set()).add(weight.data_type)
        assert kinds["projection"] == {onnx.TensorProto.FLOAT}
        assert kinds.get("motion", {onnx.TensorProto.FLOAT}) == {onnx.TensorProto.FLOAT}
        assert kinds["image" if name == "vehicle" else "tower"] == {onnx.TensorProto.FLOAT16}

"""Weight-only int8: what is rounded, by how much, and that nothing else is."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from torch import nn

from nlvr.engine.bundle import GraphFile
from nlvr.engine.runtime.onnxruntime import OrtGraph
from nlvr.export import bundle, contrastive
from nlvr.export.graph import write_graph
from nlvr.export.int8 import quantise
from nlvr.export.source import GraphSource


@given(st.integers(0, 2**32 - 1), st.sampled_from([(8, 5), (4, 3, 3, 3), (7,)]), st.sampled_from([1e-30, 1.0, 1e30]))
def test_a_weight_is_off_by_half_a_step_of_its_channel_at_most(seed, shape, size):
    weights = np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * np.float32(size)
    weights[0] = 0
    for axis in {0, -1}:
        codes, scales = quantise(weights, axis=axis)
        assert codes.dtype == np.int8
        assert scales.dtype == np.float32
        assert abs(codes.astype(int)).max() <= 127
        assert (scales > 0).all()
        off = abs(weights.astype(np.float64) - codes * scales.astype(np.float64))
        assert (off <= scales * np.float64(0.5001)).all()


class Net(nn.Module):
    """One of each: a table, one that is not looked up in by an input, convolutions, matrices, and one that is small."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(300, 64)
        self.positions = nn.Embedding(70, 64)
        self.dense, self.depthwise = nn.Conv1d(64, 128, 1), nn.Conv1d(640, 640, 7, groups=640)
        self.wide = nn.Conv1d(128, 640, 7, padding=3)
        self.matrix = nn.Linear(640, 64, bias=False)
        self.gemm = nn.Linear(64, 96)
        self.small = nn.Linear(96, 5)

    def forward(self, ids):
        x = self.words(ids) + self.positions(ids % 70)
        x = self.depthwise(self.wide(self.dense(x.transpose(1, 2)))).transpose(1, 2)
        return self.small(self.gemm(self.matrix(x).mean(1)).relu())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same network in both precisions: folder/fp32.onnx and folder/int8.onnx, as the engine would run them."""
    folder = tmp_path_factory.mktemp("int8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net().eval()
    files = {}
    for precision in ("fp32", "int8"):
        path = folder / f"{precision}.onnx"
        source = GraphSource(net, net, {"ids": torch.zeros(2, 8, dtype=torch.int64)}, ("y",), {"cpu": 2}, precision)
        record = write_graph(path, source, system="s", name="g")
        inputs, outputs = (
            {name: (value["dtype"], tuple(value["dims"])) for name, value in record[key].items()}
            for key in ("inputs", "outputs")
        )
        files[precision] = GraphFile(path, precision, record["opset"], inputs, outputs, {"cpu": 2})
    return files


def test_large_weights_are_int8_and_the_rest_is_as_it_was(written):
    full = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(written["fp32"].path).graph.initializer}
    model = onnx.load(written["int8"].path)
    codes = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.INT8}
    shapes = sorted(tuple(tensor.dims) for tensor in codes.values())
    assert shapes == sorted([(300, 64), (128, 64, 1), (640, 128, 7), (640, 64), (96, 64)])
    for tensor in model.graph.initializer:
        if tensor.name in full:
            np.testing.assert_array_equal(numpy_helper.to_array(tensor), full[tensor.name])
    kept = {tensor.name for tensor in model.graph.initializer} & set(full)
    assert set(full) - kept == {name.removesuffix(".int8") for name in codes}
    assert any(name.startswith("positions") for name in kept)
    assert any(name.startswith("depthwise.weight") for name in kept)


def test_it_gives_what_the_restored_weights_give_in_float32(written, tmp_path):
    model = onnx.load(written["int8"].path)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    restored = onnx.load(written["fp32"].path)
    for tensor in restored.graph.initializer:
        if f"{tensor.name}.int8" in values:
            codes, scales = values[f"{tensor.name}.int8"], values[f"{tensor.name}.scale"]
            if scales.ndim == 1:
                axis = codes.shape.index(len(scales)) if codes.ndim > 2 or tensor.name == "gemm.weight" else 1
                scales = scales.reshape([-1 if place == axis else 1 for place in range(codes.ndim)])
            tensor.CopyFrom(numpy_helper.from_array(codes * scales, tensor.name))
    path = tmp_path / "restored.onnx"
    onnx.save(restored, path)
    ids = np.arange(16).reshape(2, 8) * 17
    full = written["fp32"]
    same = GraphFile(path, "fp32", full.opset, full.inputs, full.outputs, full.block)
    found, wanted, before = (
        OrtGraph(file, device="cpu").run({"ids": ids})["y"] for file in (written["int8"], same, full)
    )
    np.testing.assert_array_equal(found, wanted)
    assert 0 < abs(found - before).max() < 0.05 * abs(before).max()


def test_the_same_weights_give_the_same_bytes(checkpoint, tmp_path):
    source = contrastive.read_checkpoint(checkpoint, precision="int8")
    files = []
    for place in ("a.onnx", "b.onnx"):
        write_graph(tmp_path / place, source.graphs["text"], system="contrastive", name="text")
        files.append((tmp_path / place).read_bytes())
    assert files[0] == files[1]


def test_a_bundle_in_int8_passes_its_gate_and_is_smaller(checkpoint, exported, samples, tmp_path):
    source = contrastive.read_checkpoint(checkpoint, precision="int8")
    made = bundle.write(
        source, tmp_path / "b", gate=lambda written: contrastive.measure(source, written, samples, place=tmp_path)
    )
    for name, graph in made.graphs.items():
        assert graph.precision == "int8"
        assert graph.inputs == exported.graphs[name].inputs
        assert 2 * graph.path.stat().st_size < exported.graphs[name].path.stat().st_size
    assert made.manifest["parity"]["batches"]["1"]["overlap"] >= 0.9

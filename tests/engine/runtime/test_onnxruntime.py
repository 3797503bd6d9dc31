from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from nlvr.engine import open_bundle
from nlvr.engine.errors import BundleError, DeviceUnavailableError
from nlvr.engine.runtime.devices import open_graphs
from nlvr.engine.runtime.onnxruntime import OrtGraph, probe


def fake(*, available, running=None, fails=None):
    """Return an ONNX Runtime whose sessions run on `running`, or fail to start."""

    def session(*_args, **_options):
        if fails:
            raise RuntimeError(fails)
        return SimpleNamespace(get_providers=lambda: running)

    return SimpleNamespace(
        get_available_providers=lambda: available,
        preload_dlls=lambda: print("Failed to load libcublasLt.so.13: no such file\nmore of that"),
        set_default_logger_severity=lambda level: None,
        SessionOptions=SimpleNamespace,
        InferenceSession=session,
    )


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        (None, "not installed"),
        (fake(available=["CPUExecutionProvider"]), "only CPUExecutionProvider"),
        (
            fake(available=["CUDAExecutionProvider", "CPUExecutionProvider"], running=["CPUExecutionProvider"]),
            "the session runs on CPUExecutionProvider (Failed to load libcublasLt.so.13: no such file);",
        ),
        (
            fake(available=["CUDAExecutionProvider"], fails="libcudnn.so.9: cannot open\nstack"),
            "libcudnn.so.9: cannot open)",
        ),
    ],
)
def test_cuda_that_does_not_run_is_refused_and_says_why(runtime, words, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    with pytest.raises(DeviceUnavailableError) as caught:
        probe("cuda")
    assert words in str(caught.value)
    assert capsys.readouterr().out == "", "what the runtime prints would break --json"
    assert caught.value.exit_status == 2
    assert caught.value.http_status == 503


def test_auto_takes_the_cpu_where_cuda_does_not_run(tiny):
    ort = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    graphs = open_graphs(open_bundle(tiny).graphs.values(), device="auto")
    assert {graph.device for graph in graphs} == {"cpu"}


def test_the_cpu_runs():
    probe("cpu")


def test_cuda_runs_where_there_is_one(tiny):
    try:
        probe("cuda")
    except DeviceUnavailableError as error:
        pytest.skip(f"no CUDA here: {error}")
    (graph,) = open_graphs([open_bundle(tiny).graphs["text"]], device="cuda")
    assert graph.device == "cuda"


def test_a_file_that_is_no_graph_is_refused(tiny, tmp_path):
    from dataclasses import replace

    path = tmp_path / "text.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"text\.onnx"):
        OrtGraph(replace(open_bundle(tiny).graphs["text"], path=path), device="cpu")

from __future__ import annotations

import json

import pytest

from nlvr.engine import doctor


def test_everything_that_runs_is_shown(cli, tiny, capsys):
    assert cli("doctor", "--model", tiny, "--device", "cpu") == 0
    out = capsys.readouterr().out
    for word in ("numpy", "onnxruntime", "kernels", "device cpu", "runs on cpu"):
        assert word in out
    assert "BAD" not in out


def test_a_device_that_cannot_run_exits_with_1(cli, capsys):
    ort = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    assert cli("doctor", "--device", "cuda", "--json") == 1
    findings = json.loads(capsys.readouterr().out)
    (asked,) = [item for item in findings if item["name"] == "asked: cuda"]
    assert "nlvr-engine[cuda]" in asked["remedy"]
    assert asked["works"] is False


def test_a_name_that_is_no_device_is_a_fault_of_usage(cli, capsys):
    assert cli("doctor", "--device", "abacus") == 2
    assert "abacus" in capsys.readouterr().err


def test_a_broken_bundle_exits_with_1(cli, tmp_path, capsys):
    assert cli("doctor", "--model", tmp_path) == 1
    assert "manifest.json" in capsys.readouterr().out


def test_two_runtimes_in_one_environment_are_a_fault(cli, monkeypatch, capsys):
    known = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "1.31.0" if name == "onnxruntime-gpu" else known(name))
    assert cli("doctor") == 1
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in capsys.readouterr().out

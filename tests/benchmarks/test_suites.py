"""The verb `bench`: what pytest reports becomes results and a page; nothing is measured here."""

from __future__ import annotations

import json
import os

import pytest
from typer.testing import CliRunner

pytest.importorskip("matplotlib")

from nlvr.benchmarks import suites
from nlvr.benchmarks.bundles import NAMED, bundles
from nlvr.benchmarks.cli import app
from nlvr.benchmarks.page import page
from nlvr.engine.errors import InputError, OutputError

LINES = """
import pytest

@pytest.mark.parametrize("size", [1, 2])
def test_fast(benchmark, size):
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.extra_info.update(
        title=f"{size} tracks", milliseconds={"kernel": 2.0, "numpy": 5.0}, other_load=0.0, cpu="a processor", cpus=2,
        series={"over": "tracks", "values": [1, 10], "milliseconds": {"ours": [1.0, 2.0], "bound": [0.5, 1.5]}},
    )

def test_slow(benchmark):
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.extra_info.update(
        title="one sentence, 1000 tracks, <bundle>",
        bundle="<bundle>",
        tracks=1000,
        percentiles={"p50": 1, "p95": 2, "p99": 3},
    )
    assert False, "too slow"

def test_noise(benchmark):
    pytest.skip("others kept 50% of the CPUs busy")
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    path = tmp_path / "test_some.py"
    path.write_text(LINES)
    monkeypatch.setattr(suites, "FILES", {"kernels": (str(path),)})


def test_the_verb_knows_every_suite(monkeypatch):
    asked = []
    monkeypatch.setattr(suites, "run", lambda names, **_: asked.append(list(names)))
    runner = CliRunner()
    assert runner.invoke(app, ["--help"]).exit_code == 0
    assert runner.invoke(app, []).exit_code == 0
    assert runner.invoke(app, ["--suite", "rank", "--suite", "encode"]).exit_code == 0
    assert asked == [list(suites.FILES), ["rank", "encode"]]
    assert runner.invoke(app, ["--suite", "all"]).exit_code == 2


def test_every_outcome_is_told_and_drawn(files, tmp_path):
    assert suites.run(["kernels"], models=[], report=tmp_path / "report")
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert [(one["name"], one["outcome"]) for one in results] == [
        ("test_fast[1]", "met"),
        ("test_fast[2]", "met"),
        ("test_slow", "missed"),
        ("test_noise", "skipped"),
    ]
    assert results[0]["median"] >= 0
    assert "too slow" in results[2]["why"]
    text = (tmp_path / "report" / "index.html").read_text()
    assert text.count("<svg") == 3
    assert "one sentence, &lt;bundle&gt;" in text
    assert "<bundle>" not in text
    assert "percentiles p50 1, p95 2, p99 3" in text
    for told in ("a processor", "2.5×", "50% of the CPUs busy", "1 tracks, over tracks"):
        assert told in text


def test_a_page_of_nothing_recorded_says_what_was_skipped():
    assert "no c++" in page([suites.Result("kernels", "test_topk", "skipped", "there is no c++", None, {})])


def test_a_model_that_is_none_and_a_report_that_cannot_be_are_refused(files, tmp_path):
    with pytest.raises(InputError, match="is no bundle"):
        suites.run(["kernels"], models=[tmp_path], report=None)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        suites.run(["kernels"], models=[], report=tmp_path / "file")


def test_a_suite_that_does_not_run_is_an_error(files, tmp_path):
    (tmp_path / "test_some.py").write_text("import nothing_of_this_name")
    with pytest.raises(OutputError, match="suite kernels: pytest ended"):
        suites.run(["kernels"], models=[], report=None)


def test_bundles_are_those_named_else_those_of_checkpoints(tmp_path, monkeypatch):
    for name, system in (("a", "sbnet"), ("b", "contrastive"), ("c", "sbnet")):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "manifest.json").write_text(json.dumps({"system": system}))
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in bundles("sbnet")] == ["a", "c"]
    monkeypatch.setenv(NAMED, f"checkpoints/c{os.pathsep}checkpoints/b")
    assert [path.name for path in bundles("sbnet")] == ["c"]
    assert [path.name for path in bundles("contrastive")] == ["b"]

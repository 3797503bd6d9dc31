from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from nlvr.engine.bundle import open_bundle
from nlvr.engine.errors import InputError, OutputError
from nlvr.export.cli import app


def _run(*options):
    return CliRunner().invoke(app, [str(option) for option in options])


@pytest.mark.usefixtures("written")
def test_the_verb_writes_the_bundle_and_says_so(checkpoint, exported, tmp_path):
    output = tmp_path / "bundle"
    result = _run("--checkpoint", checkpoint, "--output", output, "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout == f"{output}: contrastive-tiny, fp32, measured on 109 tracks and 12 sentences\n"
    assert open_bundle(output).embedding_id == exported.embedding_id


@pytest.mark.usefixtures("written")
def test_it_measures_on_the_samples_it_is_given(checkpoint, samples, tmp_path):
    folder = samples.root / "carpark"
    more = tmp_path / "carpark"
    more.mkdir()
    (more / "carpark.mp4").symlink_to(folder / "carpark.mp4")
    (more / "tracks.json").write_bytes((folder / "tracks.json").read_bytes())
    (more / "queries.json").write_text(json.dumps({"q": ["A red car.", "It turns left."]}))
    output = tmp_path / "bundle"
    result = _run("--checkpoint", checkpoint, "--output", output, "--samples", more)
    assert result.exit_code == 0, result.output
    assert "measuring on 109 tracks and 2 sentences" in result.stderr
    assert open_bundle(output).manifest["parity"]["sentences"] == 2


def test_faults_are_found_before_the_work(checkpoint, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").write_text("keep")
    empty = tmp_path / "empty"
    empty.mkdir()
    for options, kind, words in (
        (("--checkpoint", checkpoint, "--output", tmp_path / "notes"), OutputError, "neither empty nor a bundle"),
        (("--checkpoint", tmp_path, "--output", tmp_path / "new"), InputError, "is no checkpoint"),
        (("--checkpoint", tmp_path / "none", "--output", empty), InputError, "is no checkpoint"),
        (
            ("--checkpoint", checkpoint, "--output", tmp_path / "new", "--samples", tmp_path),
            InputError,
            "tracks.json: cannot be read",
        ),
    ):
        result = _run(*options)
        assert isinstance(result.exception, kind)
        assert words in str(result.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "notes"]
    assert list(empty.iterdir()) == []


def test_help_needs_none_of_the_heavy_libraries():
    code = "import sys, nlvr.export.cli; sys.exit(any(name in sys.modules for name in ('torch', 'onnx', 'cv2')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The examples of the README and of docs/embedding.md run as they stand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like the repository to a relative path, and may be written into."""
    for name in ("checkpoints", "engine"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "output").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(verb):
    """Return the README's console commands of one verb, their continued lines joined."""
    text = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL)).replace("\\\n", " ")
    return re.findall(rf"^\$ (nlvr-engine {verb} .*)$", text, re.MULTILINE)


def test_the_rank_commands_run(checkout, cli, capsys):
    files, question, masks, fused = commands("rank")
    assert cli(*shlex.split(files)[1:]) == 0
    assert len(json.loads((checkout / "output/ranking.json").read_text())) == 4
    assert (checkout / "output/report/index.html").is_file()
    assert cli(*shlex.split(question)[1:]) == 0
    assert "a red pickup turning left" in capsys.readouterr().out
    assert cli(*shlex.split(masks)[1:]) == 0
    assert "masks: 16 pairs of query and track considered" in capsys.readouterr().out
    assert (checkout / "output/masks/index.html").is_file()
    assert cli(*shlex.split(fused)[1:]) == 0
    assert "score: mean of the scores of contrastive-compact and sbnet-compact" in capsys.readouterr().out
    assert len(json.loads((checkout / "output/fused.json").read_text())) == 4


def test_the_python_example_runs(checkout):
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 3


def test_the_examples_of_embedding_run(checkout):
    text = (REPOSITORY / "docs/embedding.md").read_text()
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    (checkout / "footage").symlink_to(REPOSITORY / "engine" / "sample")
    for name in ("tracks.json", "queries.json"):
        (checkout / name).symlink_to(REPOSITORY / "engine" / "sample" / "carpark" / name)
    program = "\n".join(textwrap.dedent(block) for block in blocks)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "of 4 tracks needed no whole mask" in done.stdout
    assert "(24, 24)" in done.stdout


def test_the_options_of_the_plugged_in_verbs_are_real(cli, capsys):
    for verb in ("train", "export", "city"):
        (command,) = commands(verb)
        assert cli(verb, "--help") == 0
        known = capsys.readouterr().out
        for word in shlex.split(command):
            if word.startswith("--"):
                assert f"{word} " in known

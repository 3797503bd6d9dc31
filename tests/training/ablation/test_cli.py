"""The verb `ablate`: tables and records, going on after Ctrl-C, what is not measured, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlvr.engine.errors import InputError, OutputError
from nlvr.training.ablation import job, runs
from nlvr.training.ablation.cli import app
from nlvr.training.contrastive.model import ContrastiveModel
from nlvr.training.verbs import app as verbs

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ("text.length=32", "recipe.size=32", "schedule.batch=6", "schedule.validation_scene=S02")
ROWS = 4  # of SBNet's table


def run(*arguments, config="sbnet-tiny", fails=None):
    settings = [word for setting in SMALL for word in ("--set", setting)]
    result = CliRunner().invoke(app, ["--config", config, "--device", "cpu", *settings, *map(str, arguments)])
    if fails:
        assert isinstance(result.exception, fails)
        return str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def records(output):
    """The records without what no two runs have in common."""
    found = {path.name: json.loads(path.read_bytes()) for path in (output / job.RECORDS).iterdir()}
    return {name: {**record, "seconds": None} for name, record in found.items()}


@pytest.fixture
def fitted(monkeypatch):
    """The seeds of the runs that are done, as they begin."""
    begun = []

    def fit(task, schedule, inner=runs.fit):
        begun.append(schedule.seed)
        return inner(task, schedule)

    monkeypatch.setattr(runs, "fit", fit)
    return begun


def test_a_table_and_a_record_of_each_run(data, tmp_path, fitted):
    output = tmp_path / "deep/out"
    result = run(*data, "--output", output, "--epochs", 1, "--seeds", 2)
    assert result.exit_code == 0
    assert fitted == [0, 1] * ROWS
    assert result.stdout == (output / job.TABLES).read_text()
    assert "# Ablation of sbnet-tiny\n\n4 tracks to train on, 2 held out (scene S02)" in result.stdout
    assert "`recipe.size=32`" in result.stdout
    assert "| + future above + substitution |" in result.stdout
    assert result.stderr.count(": MRR ") == 2 * ROWS
    assert "\n+ future, seed 1: MRR " in result.stderr
    assert len(records(output)) == 2 * ROWS
    assert {path.name for path in output.iterdir()} == {job.RECORDS, job.TABLES}
    assert all(record["settings"]["schedule"]["copies"] == 2 for record in records(output).values())


def test_finished_runs_are_not_repeated_and_more_seeds_are_added(data, tmp_path, fitted):
    first = run(*data, "--output", tmp_path / "out", "--epochs", 1, "--seeds", 1, "--quiet")
    assert first.stderr == ""
    fitted.clear()
    again = run(*data, "--output", tmp_path / "out", "--epochs", 1, "--seeds", 1)
    assert again.stdout == first.stdout
    assert fitted == []
    run(*data, "--output", tmp_path / "out", "--epochs", 1, "--seeds", 2)
    assert fitted == [1] * ROWS


def test_ctrl_c_leaves_whole_records_and_the_same_command_ends_as_if_it_had_not_been(data, tmp_path, monkeypatch):
    whole = run(*data, "--output", tmp_path / "whole", "--epochs", 1, "--seeds", 2)
    begun = []

    def fit(task, schedule, inner=runs.fit):
        begun.append(schedule.seed)
        if len(begun) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(task, schedule)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "fit", fit)
        cut = run(*data, "--output", tmp_path / "cut", "--epochs", 1, "--seeds", 2)
    assert cut.exit_code == 130
    assert "interrupted; the same command goes on" in cut.stderr
    assert len(records(tmp_path / "cut")) == 3
    assert not (tmp_path / "cut" / job.TABLES).exists()
    assert run(*data, "--output", tmp_path / "cut", "--epochs", 1, "--seeds", 2).stdout == whole.stdout
    assert records(tmp_path / "cut") == records(tmp_path / "whole")


def test_the_contrastive_tables_share_runs_and_say_what_was_not_measured(data, tmp_path, fitted):
    result = run(*data, "--output", tmp_path / "out", "--epochs", 1, "--seeds", 1, config="tiny")
    assert len(fitted) == 7  # the full system once, and six variants
    assert result.stdout.count("\n## ") == 5
    for name in ("clip", "baseline", "shared", "unshared"):
        assert f"\n{name}: not measured, its runs train the backbones, which needs a GPU.\n" in result.stdout
        assert f"| {name} | not measured | not measured | not measured | 0 | " in result.stdout


def test_weights_that_cannot_be_had_are_a_reason(data, tmp_path, monkeypatch):
    def absent(model, config, *, pretrained, inner=ContrastiveModel.__init__):
        if config.model.backbone != "tiny":
            raise InputError(config.model.backbone, "no weights", "get some")
        inner(model, config, pretrained=pretrained)

    monkeypatch.setattr(ContrastiveModel, "__init__", absent)
    monkeypatch.setattr(job, "can_train_backbones", lambda _: True)
    page = run(*data, "--output", tmp_path / "out", "--epochs", 1, "--seeds", 1, config="tiny").stdout
    for name in ("clip", "baseline"):
        assert f"\n{name}: not measured, its weights cannot be had ({name}: no weights; get some).\n" in page
    assert "| shared above unshared | undecided |" in page


def test_what_cannot_be_used_is_refused_before_anything_runs(data, tmp_path, fitted):
    output = tmp_path / "out"
    assert "S01, S02" in run(*data, "--output", output, "--set", "schedule.validation_scene=S09", fails=InputError)
    assert "modules.past" in run(*data, "--output", output, "--set", "modules.past=true", fails=InputError)
    assert "no preset" in run(*data, "--output", output, config="none", fails=InputError)
    (tmp_path / "file").write_text("")
    run(*data, "--output", tmp_path / "file", fails=OutputError)
    assert fitted == []
    assert not output.exists()


def test_both_verbs_of_training_are_plugged_in_under_their_extra():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["nlvr_engine.verbs"]["train"] == "nlvr.training.verbs:app"
    assert [command.name for command in verbs.registered_commands] == ["train", "ablate"]

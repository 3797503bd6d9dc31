"""The verb `train`: the untrained checkpoint, a run, Ctrl-C and its resumption, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import tomllib

import pytest
import torch
from typer.testing import CliRunner

from nlvr.engine.errors import DeviceUnavailableError, InputError, OutputError
from nlvr.training.cli import app, training_bar
from nlvr.training.contrastive.task import ContrastiveTask

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ("text.length=32", "recipe.size=32", "recipe.max_points=4", "schedule.batch=6", "schedule.validation_scene=S02")


def run(*arguments, config="tiny", small=SMALL, fails=None):
    settings = [word for setting in small for word in ("--set", setting)]
    result = CliRunner().invoke(app, ["--config", str(config), "--device", "cpu", *settings, *map(str, arguments)])
    if fails:
        assert isinstance(result.exception, fails)
        return str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "metrics.jsonl"}


def test_no_epochs_write_the_seeded_untrained_checkpoint(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("--epochs", 0, "--seed", seed, "--output", tmp_path / name).exit_code == 0
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert set(a) == {"model.safetensors", "config.toml", "tokenizer.json"}
    assert a == b
    assert a["model.safetensors"] != c["model.safetensors"]
    config = tomllib.loads(a["config.toml"].decode())
    assert config["schedule"]["seed"] == 3
    assert config["recipe"]["size"] == 32


def test_a_run_writes_checkpoint_and_metrics_and_says_so(data, tmp_path):
    result = run(*data, "--epochs", 2, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert "checkpoint after 2 epochs, best MRR" in result.stdout
    assert "on S02" in result.stdout
    assert result.stderr == "training on cpu\n"
    assert set(contents(tmp_path / "out")) == {"model.safetensors", "config.toml", "tokenizer.json"}
    lines = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert [sorted(line) for line in lines] == 2 * [
        *2 * [["epoch", "learning_rate", "loss", "seconds", "step"]],
        ["epoch", "mean_loss", "mrr", "recall_10", "recall_5", "validation_seconds"],
    ]
    assert run(*data, "--epochs", 2, "--output", tmp_path / "quiet", "--quiet").stderr == ""


def test_sbnet_trains_by_the_same_verb(data, tmp_path):
    small = ("text.length=32", "recipe.size=32", "schedule.batch=3", "schedule.validation_scene=S02")
    untrained = run("--epochs", 0, "--output", tmp_path / "none", config="sbnet-tiny", small=small)
    assert untrained.stdout.endswith("untrained checkpoint, seed 0\n")
    result = run(*data, "--epochs", 2, "--output", tmp_path / "out", config="sbnet-tiny", small=small)
    assert result.exit_code == 0
    assert "checkpoint after 2 epochs, best MRR" in result.stdout
    # A checkpoint's own settings say which system they are of.
    again = run(*data, "--output", tmp_path / "again", config=tmp_path / "out/config.toml", small=())
    assert again.exit_code == 0
    assert contents(tmp_path / "again") == contents(tmp_path / "out")
    assert tomllib.loads((tmp_path / "none/config.toml").read_text())["system"] == "sbnet"


def test_ctrl_c_leaves_a_run_that_resumes_to_the_same_end(data, tmp_path, monkeypatch):
    run(*data, "--epochs", 2, "--output", tmp_path / "whole")
    taken = []

    def loss(task, batch, inner=ContrastiveTask.loss):
        taken.append(batch)
        if len(taken) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(task, batch)

    with monkeypatch.context() as patch:
        patch.setattr(ContrastiveTask, "loss", loss)
        result = run(*data, "--epochs", 2, "--output", tmp_path / "cut")
    assert result.exit_code == 130
    assert "interrupted; go on with --resume" in result.stderr
    assert "--resume" in run(*data, "--epochs", 2, "--output", tmp_path / "cut", fails=InputError)
    assert run(*data, "--epochs", 2, "--output", tmp_path / "cut", "--resume").exit_code == 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_missing_frames_are_counted_on_stderr(data, tmp_path):
    path = tmp_path / "train-tracks.json"
    records = json.loads(path.read_text())
    records["track-0"]["frames"].append("train/S01/c001/img1/000099.jpg")
    records["track-0"]["boxes"].append([5, 5, 20, 20])
    path.write_text(json.dumps(records))
    result = run(*data, "--epochs", 4, "--output", tmp_path / "out")
    assert "warning: frame missing: 1, first train/S01/c001/img1/000099.jpg" in result.stderr


def test_an_unknown_validation_scene_is_refused_with_those_there_are(data, tmp_path):
    message = run(*data, "--set", "schedule.validation_scene=S09", "--output", tmp_path / "out", fails=InputError)
    assert "S09" in message
    assert "S01, S02" in message
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_as_it_is(data, tmp_path):
    run("--epochs", 0, "--output", tmp_path / "out")
    before = contents(tmp_path / "out")
    for arguments in (["--epochs", 0, "--seed", 9], [*data, "--epochs", 1]):
        said = run(*arguments, "--output", tmp_path / "out", fails=OutputError)
        assert said.endswith("out: is there already; choose a folder that is new or empty")
    assert contents(tmp_path / "out") == before


def test_training_without_tracks_or_frames_is_refused(data, tmp_path):
    for kept in (data[:2], data[2:], []):
        assert "--epochs 0" in run(*kept, "--output", tmp_path / "out", fails=InputError)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_named_device_that_is_not_there_is_refused(tmp_path):
    message = run("--device", "cuda", "--epochs", 0, "--output", tmp_path / "out", fails=DeviceUnavailableError)
    assert "--device cpu" in message


@pytest.mark.parametrize("hidden", [False, True])
def test_progress_goes_to_stderr_or_nowhere(capsys, hidden):
    with training_bar(2, 3, hidden=hidden) as report:
        report({"epoch": 1, "step": 2, "loss": 0.25})
        report({"epoch": 1, "mean_loss": 0.5, "mrr": 0.125, "recall_5": 1.0})
        report({"epoch": 1, "mean_loss": 0.75})
    out, err = capsys.readouterr()
    assert out == ""
    wanted = ("epoch 2/2 loss 0.250", "6/6", "epoch 2: mean loss 0.5000, MRR 0.1250", "epoch 2: mean loss 0.7500\n")
    assert [part in err for part in wanted] == [not hidden] * 4

"""The loop's laws with a toy task: resuming changes nothing, Ctrl-C loses nothing, the best epoch is kept."""

from __future__ import annotations

import itertools
import json
import os
import signal
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from nlvr.engine.errors import InputError, ScoreError
from nlvr.training import loop
from nlvr.training.checkpoint import STATE, load_weights, save_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass(frozen=True)
class Schedule:
    epochs: int = 3
    mixed_precision: bool = True
    seed: int = 7


@dataclass
class Toy:
    """Regression with dropout; `before` is called ahead of each batch with (epoch, step)."""

    mrrs: tuple[float, ...] = (0.2, 0.5, 0.3)
    identity: dict[str, str] = field(default_factory=lambda: {"settings": "toy"})
    before: object = None
    steps: int = 4

    def __post_init__(self):
        generator = torch.Generator().manual_seed(1)
        self.model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        for parameter in self.model.parameters():
            nn.init.normal_(parameter, generator=generator)
        self._mrrs = itertools.cycle(self.mrrs)

    def optimizer(self):
        return torch.optim.AdamW(self.model.parameters())

    def learning_rate(self, epoch):
        return 0.1 / (1 + epoch)

    def batches(self, epoch, first):
        for step in range(first, self.steps):
            if self.before:
                self.before(epoch, step)
            yield torch.randn(5, 3, generator=torch.Generator().manual_seed(100 * epoch + step))

    def loss(self, batch):
        return (self.model(batch) - batch.sum(1, keepdim=True)).square().mean()

    def validate(self):
        return {"mrr": next(self._mrrs)} if self.mrrs else {}

    def save(self, directory, *, steps):
        save_checkpoint(directory, self.model, config="", tokenizer="", steps=steps)


class KilledError(Exception):
    """Stands for a process that is killed: nothing gets to clean up."""


def stop(at, how):
    def before(epoch, step):
        if (epoch, step) == at:
            how()

    return before


def kill():
    raise KilledError


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def records(output):
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if "seconds" not in name} for line in lines]


def weights(output):
    return (output / "model.safetensors").read_bytes()


@pytest.fixture
def whole(tmp_path):
    """A run that nothing interrupted."""
    output = tmp_path / "whole"
    task = Toy()
    loop.train(task, Schedule(), output)
    return output, task


def test_the_metrics_file_has_a_line_a_step_and_an_epoch(whole):
    output, task = whole
    lines = records(output)
    assert [line["step"] for line in lines if "step" in line] == [*range(task.steps)] * 3
    assert [line["mrr"] for line in lines if "mrr" in line] == [0.2, 0.5, 0.3]
    first = [line["loss"] for line in lines if line["epoch"] == 0 and "step" in line]
    assert lines[task.steps]["mean_loss"] == pytest.approx(sum(first) / task.steps)
    assert not (output / STATE).exists()


def test_the_task_sets_the_rate_of_each_epoch(whole):
    output, task = whole
    rates = [line["learning_rate"] for line in records(output) if "step" in line]
    assert rates == [rate for rate in (0.1, 0.05, 0.1 / 3) for _ in range(task.steps)]
    still = Toy()
    still.learning_rate = lambda epoch: 0.0
    before = [parameter.clone() for parameter in still.model.parameters()]
    loop.train(still, Schedule(epochs=1), output.with_name("still"))
    assert all(map(torch.equal, still.model.parameters(), before))


def test_the_same_seed_gives_the_same_bytes(whole, tmp_path):
    output, _ = whole
    loop.train(Toy(), Schedule(), tmp_path / "again")
    assert weights(tmp_path / "again") == weights(output)
    assert records(tmp_path / "again") == records(output)
    loop.train(Toy(), Schedule(seed=8), tmp_path / "other")
    assert weights(tmp_path / "other") != weights(output)


@pytest.mark.parametrize("how", [kill, interrupt])
@pytest.mark.parametrize("at", [(0, 1), (1, 0), (1, 2), (2, 3)])
@pytest.mark.parametrize("save_seconds", [-1.0, 300.0])
def test_a_resumed_run_is_an_uninterrupted_one(whole, tmp_path, monkeypatch, how, at, save_seconds):
    monkeypatch.setattr(loop, "SAVE_SECONDS", save_seconds)
    output, task = tmp_path / "run", Toy(before=stop(at, how))
    with pytest.raises((KilledError, KeyboardInterrupt)):
        loop.train(task, Schedule(), output)
    resumable = (output / STATE).exists()
    assert resumable or (how is kill and save_seconds > 0 and at[0] == 0)
    torch.manual_seed(0)
    task = Toy(mrrs=Toy().mrrs[at[0] :] if resumable else Toy.mrrs)
    loop.train(task, Schedule(), output, resume=resumable)
    assert records(output) == records(whole[0])
    assert weights(output) == weights(whole[0])
    assert not (output / STATE).exists()


def test_an_interrupt_within_a_step_waits_for_its_end(tmp_path):
    class Pressed(Toy):
        def loss(self, batch):
            interrupt()
            return super().loss(batch)

    with pytest.raises(KeyboardInterrupt):
        loop.train(Pressed(), Schedule(), tmp_path)
    assert [line["step"] for line in records(tmp_path)] == [0]
    assert torch.load(tmp_path / STATE, weights_only=True)["position"]["step"] == 1


def test_the_best_epoch_is_kept(whole, tmp_path):
    output, _ = whole
    best = Toy()
    loop.train(best, Schedule(epochs=2), tmp_path / "two")
    load_weights(best.model, output)
    assert weights(tmp_path / "two") == weights(output)
    loop.train(Toy(mrrs=(0.2, 0.5, 0.6)), Schedule(), tmp_path / "three")
    assert weights(tmp_path / "three") != weights(output)


def test_without_validation_the_last_epoch_is_kept(tmp_path):
    task = Toy(mrrs=())
    assert loop.train(task, Schedule(), tmp_path).best is None
    kept = Toy()
    load_weights(kept.model, tmp_path)
    for name, tensor in task.model.state_dict().items():
        assert torch.equal(kept.model.state_dict()[name], tensor)


def test_longer_training_goes_on_from_the_state(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        loop.train(Toy(before=stop((1, 0), interrupt)), Schedule(epochs=2), tmp_path / "run")
    loop.train(Toy(mrrs=(0.5, 0.3)), Schedule(epochs=3), tmp_path / "run", resume=True)
    assert records(tmp_path / "run") == records(whole[0])


def test_resuming_other_settings_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        loop.train(Toy(before=stop((1, 0), interrupt)), Schedule(), tmp_path)
    with pytest.raises(InputError, match="had other settings"):
        loop.train(Toy(identity={"settings": "others"}), Schedule(), tmp_path, resume=True)
    with pytest.raises(InputError, match="--resume"):
        loop.train(Toy(), Schedule(), tmp_path)


def test_resuming_nothing_is_refused(whole):
    with pytest.raises(InputError, match="drop --resume"):
        loop.train(Toy(), Schedule(), whole[0], resume=True)


def test_a_damaged_state_is_refused(tmp_path):
    (tmp_path / STATE).write_bytes(b"not a state")
    with pytest.raises(InputError, match="cannot be read"):
        loop.train(Toy(), Schedule(), tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    class Diverged(Toy):
        def loss(self, batch):
            return super().loss(batch) * float("nan")

    with pytest.raises(ScoreError, match=r"epoch 0, step 0: the loss is nan; lower schedule\.learning_rate"):
        loop.train(Diverged(), Schedule(), tmp_path)

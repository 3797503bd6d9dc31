"""One training run, whatever the system: steps, metrics, the best checkpoint, and a state to resume from.

A `Task` brings the model, the optimiser, the batches and the loss. A batch depends on the seed, the epoch and the step
alone, and the state holds everything else that moves (weights, optimiser, random numbers, position), so a resumed run
goes on with the losses of one that was never interrupted; on a CPU, bit for bit.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from nlvr.engine.errors import InputError, unwritable
from nlvr.engine.output import write_whole

from . import checkpoint
from .steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor, nn
    from torch.optim import Optimizer

SAVE_SECONDS = 300.0  # the most work a killed process loses

Record = dict[str, Any]


class Task(Protocol):
    """What a system brings to a run.

    model: on its device.  steps: batches an epoch.  identity: settings and data, by name, that a resumed run shares.
    """

    @property
    def model(self) -> nn.Module: ...
    @property
    def steps(self) -> int: ...
    @property
    def identity(self) -> Mapping[str, str]: ...

    def optimizer(self) -> Optimizer:
        """Return a new optimiser of the model's parameters."""
        ...

    def learning_rate(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        ...

    def batches(self, epoch: int, first: int) -> Generator[Any, None, None]:
        """Yield the epoch's batches from number `first` on."""
        ...

    def loss(self, batch: Any) -> Tensor:  # noqa: ANN401
        """Return the batch's loss, a scalar. Called under autocast where precision is mixed."""
        ...

    def validate(self) -> Mapping[str, float]:
        """Measure the model on what was held out; "mrr" chooses the best. Empty where nothing was held out."""
        ...

    def save(self, directory: Path, *, steps: int) -> None:
        """Write a checkpoint of the model as it is after so many steps."""
        ...


class Schedule(Protocol):
    """The settings of a run.  mixed_precision: where the device has it.  seed: of what the model draws: dropout."""

    @property
    def epochs(self) -> int: ...
    @property
    def mixed_precision(self) -> bool: ...
    @property
    def seed(self) -> int: ...


@dataclass(slots=True)
class Position:
    """Where a run is: the next step, the epoch's summed loss, the best MRR so far, and the metrics file's length."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best: float | None = None
    metrics_bytes: int = 0


def train(
    task: Task,
    schedule: Schedule,
    output: Path,
    *,
    resume: bool = False,
    report: Callable[[Record], None] = lambda _: None,
) -> Position:
    """Train, writing into `output` the best checkpoint by validation MRR (the last without any) and the metrics.

    resume: go on from the state that an interrupted run left in `output`.
    report: is given each record of the metrics file as it is written.
    Returns where the run ended.
    Raises InputError when there is no state to resume, it is of other settings or data, or it would be lost by starting
    anew; OutputError for a place that holds something else or cannot be written; ScoreError when the loss is not
    finite; KeyboardInterrupt on Ctrl-C, after saving the state.
    """
    checkpoint.make_directory(output)
    run = _Run(task, schedule, output, report)
    if resume:
        run.restore()
    else:
        run.begin()
    try:
        while run.at.epoch < schedule.epochs:
            run.epoch()
    except KeyboardInterrupt:
        run.save()
        raise
    checkpoint.drop_state(output)
    return run.at


class _Run:
    def __init__(self, task: Task, schedule: Schedule, output: Path, report: Callable[[Record], None]) -> None:
        self.task, self.schedule, self.output, self.report = task, schedule, output, report
        self.at = Position()
        self.steps = Steps(task, schedule)
        self.optimizer, self.scaler, self.device = self.steps.optimizer, self.steps.scaler, self.steps.device
        self.saved_at = time.monotonic()

    def begin(self) -> None:
        checkpoint.check_new(self.output)
        torch.manual_seed(self.schedule.seed)
        write_whole(self.output / checkpoint.METRICS, b"")

    def epoch(self) -> None:
        """Run what is left of the epoch, validate, and keep the checkpoint if it is the best."""
        self.steps.begin_epoch(self.at.epoch)
        with closing(self.task.batches(self.at.epoch, self.at.step)) as batches:
            started = time.perf_counter()
            for batch in batches:
                with _interrupts_held():
                    self.step(batch, started)
                if time.monotonic() - self.saved_at > SAVE_SECONDS:
                    self.save()
                started = time.perf_counter()
        self.task.model.eval()
        with torch.inference_mode():
            measured = dict(self.task.validate())
        with _interrupts_held():
            self.finish_epoch(measured, time.perf_counter() - started)

    def step(self, batch: Any, started: float) -> None:  # noqa: ANN401
        value = self.steps.take(batch, place=f"epoch {self.at.epoch}, step {self.at.step}")
        rate = self.steps.learning_rate
        seconds = time.perf_counter() - started
        self.record(epoch=self.at.epoch, step=self.at.step, loss=value, learning_rate=rate, seconds=seconds)
        self.at.loss_sum += value
        self.at.step += 1

    def finish_epoch(self, measured: Record, seconds: float) -> None:
        mean = self.at.loss_sum / self.task.steps
        self.record(epoch=self.at.epoch, mean_loss=mean, validation_seconds=seconds, **measured)
        mrr = measured.get("mrr")
        if mrr is None or self.at.best is None or mrr > self.at.best:
            self.task.save(self.output, steps=(self.at.epoch + 1) * self.task.steps)
            self.at.best = mrr
        self.at.epoch, self.at.step, self.at.loss_sum = self.at.epoch + 1, 0, 0.0
        self.save()

    def record(self, **values: Any) -> None:  # noqa: ANN401
        line = json.dumps(values).encode() + b"\n"
        try:
            with (self.output / checkpoint.METRICS).open("ab") as file:
                file.write(line)
        except OSError as error:
            raise unwritable(self.output / checkpoint.METRICS, error) from error
        self.at.metrics_bytes += len(line)
        self.report(values)

    def save(self) -> None:
        """Write the state, whole or not at all."""
        state = {
            "identity": dict(self.task.identity),
            "position": asdict(self.at),
            "model": self.task.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        checkpoint.save_state(self.output, state)
        self.saved_at = time.monotonic()

    def restore(self) -> None:
        state = checkpoint.load_state(self.output)
        for name, value in self.task.identity.items():
            if state["identity"].get(name) != value:
                fact = f"the interrupted run had other {name}"
                raise InputError(
                    self.output, fact, f"resume with what it was started with, or remove {checkpoint.STATE}"
                )
        self.at = Position(**state["position"])
        self.task.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        # Lines written after the state was saved are about to be written again.
        with (self.output / checkpoint.METRICS).open("ab") as file:
            file.truncate(min(self.at.metrics_bytes, file.tell()))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C take effect after the block, which would leave weights and position at odds if it were cut short."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt

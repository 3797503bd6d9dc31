"""One run after another over the same tracks, all on what frozen backbones made of them the first time."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from ..steps import Steps
from .records import Record, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tokenizers
    from torch import nn

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.systems import Progress

    from ..loop import Schedule, Task
    from ..systems import System


@dataclass(frozen=True, slots=True)
class Untrained:
    """What a run starts from."""

    config: Any
    model: nn.Module
    tokenizer: tokenizers.Tokenizer


class Runs:
    """Does the runs of one ablation. What they share is worked out when the first one needs it."""

    def __init__(
        self,
        system: System,
        seen_by: Any,  # noqa: ANN401
        store: FrameStore,
        *,
        training: Sequence[Track],
        validation: Sequence[Track],
        device: torch.device,
        progress: Progress = lambda *_: None,
    ) -> None:
        """seen_by: the configuration by which frozen backbones look at the tracks, whatever the runs' seeds.

        progress: is told how much frozen backbones have seen.
        """
        self._system, self._seen_by, self._store, self._device = system, seen_by, store, device
        self._split = {"training": training, "validation": validation}
        self._progress = progress

    def build(self, config: Any) -> Untrained:  # noqa: ANN401
        """Return what a run starts from. Raises InputError when its weights or its tokenizer cannot be had.

        Where it runs on features, its frozen backbones are those that made them; random ones differ with the seed.
        """
        model = self._system.model(config, pretrained=True).to(self._device)
        if config.schedule.copies:
            for own, looked in zip(model.frozen_towers(), self._shared[0].frozen_towers(), strict=True):
                own.load_state_dict(looked.state_dict())
        return Untrained(config, model, self._system.tokenizer(config))

    def measure(self, untrained: Untrained) -> Record:
        """Train a model and measure it after the last epoch.

        Raises InputError for tracks that cannot be trained on or measured, ScoreError when the loss is not finite.
        """
        started = time.perf_counter()
        config, model = untrained.config, untrained.model
        task = self._task(untrained, self._shared[1] if config.schedule.copies else self._system.memory())
        loss = fit(task, config.schedule)
        model.eval()
        with torch.inference_mode():
            measured = task.validate()
        seconds = time.perf_counter() - started
        settings = settings_of(config)
        return Record(**measured, ranked=len(task.validation), loss=loss, seconds=seconds, settings=settings)

    @cached_property
    def _shared(self) -> tuple[nn.Module, Any]:
        """The model whose backbones looked at the tracks, and the memory of what they saw."""
        model = self._system.model(self._seen_by, pretrained=True).to(self._device)
        memory = self._system.memory()
        self._task(Untrained(self._seen_by, model, self._system.tokenizer(self._seen_by)), memory)
        return model, memory

    def _task(self, of: Untrained, memory: Any) -> Task:  # noqa: ANN401
        shared = {**self._split, "memory": memory, "progress": self._progress}
        return self._system.task(of.config, of.model, of.tokenizer, self._store, **shared)


def fit(task: Task, schedule: Schedule) -> float:
    """Train as `loop.train` does, step for step, but write nothing and measure nothing.

    Returns the last epoch's mean loss. Raises ScoreError when the loss is not finite.
    """
    torch.manual_seed(schedule.seed)
    steps, mean = Steps(task, schedule), 0.0
    for epoch in range(schedule.epochs):
        steps.begin_epoch(epoch)
        with closing(task.batches(epoch, 0)) as batches:
            losses = [steps.take(batch, place=f"epoch {epoch}, step {step}") for step, batch in enumerate(batches)]
        mean = sum(losses) / len(losses)
    return mean

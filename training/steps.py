"""The steps of a run, whatever the system: the loss forward and back, in mixed precision where the device has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from nlvr.engine.errors import ScoreError

if TYPE_CHECKING:
    from .loop import Schedule, Task


class Steps:
    """Takes steps of a task: its optimiser, and the scaling of gradients that float16 needs."""

    def __init__(self, task: Task, schedule: Schedule) -> None:
        self.task = task
        self.device = next(task.model.parameters()).device
        self.optimizer = task.optimizer()
        mixed = schedule.mixed_precision and self.device.type == "cuda"
        half = torch.bfloat16 if not mixed or torch.cuda.is_bf16_supported() else torch.float16
        self.autocast = torch.autocast(self.device.type, half, enabled=mixed)
        # Only fp16 needs its gradients scaled to stay within range.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=mixed and half is torch.float16)

    @property
    def learning_rate(self) -> float:
        """The rate of the epoch."""
        return self.optimizer.param_groups[0]["lr"]

    def begin_epoch(self, epoch: int) -> None:
        """Put the model in training mode and the optimiser at the epoch's rate."""
        self.task.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.task.learning_rate(epoch)

    def take(self, batch: Any, *, place: str) -> float:  # noqa: ANN401
        """Take one step and return the batch's loss before it. Raises ScoreError naming the place where it is none."""
        with self.autocast:
            loss = self.task.loss(batch)
        value = loss.item()
        if not loss.isfinite():
            raise ScoreError(place, f"the loss is {value}", "lower schedule.learning_rate")
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return value

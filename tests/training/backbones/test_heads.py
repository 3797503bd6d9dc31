"""Heads work on any number of rows."""

from __future__ import annotations

import torch

from nlvr.training.backbones.heads import Head


def test_a_head_in_training_takes_a_row_alone():
    head = Head(4, 3).train()
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
    head([rows])
    known = head.layers[0].running_mean.clone()
    assert head([rows[:1]]).isfinite().all()
    assert torch.equal(head.layers[0].running_mean, known)

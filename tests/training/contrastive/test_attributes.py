"""What heads learn from: labels read in sentences, and a loss that passes over what is not known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlvr.training.contrastive.attributes import attribute_loss, said_vector, shown_vector
from nlvr.training.readings import SAID, SHOWN

pytestmark = pytest.mark.usefixtures("one_thread")


def test_what_is_told_is_compared_by_how_likely_both_mean_the_same():
    generator = torch.Generator().manual_seed(0)
    shown, said = (torch.randn(4, sum(sizes), generator=generator) for sizes in (SHOWN, SAID))
    one, other = shown_vector(shown), said_vector(said)
    for vectors in (one, other):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    expected = torch.zeros(4, 4)
    for p, q in zip(shown.split(SHOWN, dim=1), said.split(SAID, dim=1), strict=True):
        values = p.shape[1]
        expected += (p / 1.2).softmax(1).sqrt() @ q.softmax(1)[:, :values].sqrt().T / 3
    torch.testing.assert_close(one @ other.T, expected)


def test_what_is_not_said_tells_no_vehicles_apart():
    silent = torch.full((1, sum(SAID)), -30.0)
    silent[:, np.cumsum(SAID) - 1] = 30.0
    shown = torch.randn(5, sum(SHOWN), generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(shown_vector(shown) @ said_vector(silent).T, torch.zeros(5, 1))


def test_the_loss_passes_over_what_is_not_known():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, sum(SHOWN), generator=generator)
    labels = torch.tensor([[0, 1, 2], [3, -1, -1], [-1, -1, -1]])
    colour, kind, motion = logits.split(SHOWN, dim=1)

    def entropy(part, row, label):
        log = part[row].log_softmax(0)
        return -(0.9 * log[label] + 0.1 * log.mean())

    expected = ((entropy(colour, 0, 0) + entropy(colour, 1, 3)) / 2 + entropy(kind, 0, 1) + entropy(motion, 0, 2)) / 3
    torch.testing.assert_close(attribute_loss(logits, labels, SHOWN), expected)
    assert attribute_loss(logits, torch.full((3, 3), -1), SHOWN) == 0


def test_what_is_told_leaves_no_gradient_not_even_where_a_head_is_sure():
    for of, sizes in ((shown_vector, SHOWN), (said_vector, SAID)):
        logits = torch.zeros(2, sum(sizes), requires_grad=True)
        assert not of(logits).requires_grad

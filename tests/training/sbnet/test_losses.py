"""Each loss against its equation written as loops over plain numbers, its gradient, and what it must not count."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from nlvr.training.readings import UNKNOWN
from nlvr.training.sbnet.config import LossConfig
from nlvr.training.sbnet.losses import (
    classification_loss,
    future_loss,
    segmentation_loss,
    substitution_loss,
    total_loss,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def randn(*shape, seed=0, grad=False):
    values = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return values.requires_grad_(grad)


def flags(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.4


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@given(seed=st.integers(0, 1000))
def test_segmentation_is_equation_24_with_the_term_for_the_background(gamma, seed):
    logits, target = randn(3, 4, 5, seed=seed), flags(3, 4, 5, seed=seed).double()
    summed = 0.0
    for logit, cell in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        mask = 1 / (1 + math.exp(-logit))
        p = mask if cell else 1 - mask
        summed -= (1 - p) ** gamma * math.log(p)
    expected = summed / max(1, target.sum().item())
    assert segmentation_loss(logits, target, gamma=gamma).item() == pytest.approx(expected)


def test_the_segmentation_loss_is_not_solved_by_a_mask_of_ones():
    target = torch.zeros(1, 4, 4)
    target[0, 1, 1] = 1
    sure = 20 * (2 * target - 1)
    assert segmentation_loss(sure, target) < 1e-6
    assert segmentation_loss(torch.full_like(sure, 20), target) > 100


def test_sure_cells_keep_finite_gradients():
    for gamma in (0.0, 2.0):
        logits = torch.tensor([[[-200.0, 200.0, -200.0, 200.0]]], requires_grad=True)
        segmentation_loss(logits, torch.tensor([[[0.0, 1.0, 1.0, 0.0]]]), gamma=gamma).backward()
        assert logits.grad.isfinite().all()


@given(seed=st.integers(0, 1000))
def test_classification_is_equation_25_over_the_labelled_samples(seed):
    generator = torch.Generator().manual_seed(seed)
    predictions, expected = [], 0.0
    for classes in (12, 10, 12, 10):
        logits = randn(5, classes, seed=seed + classes)
        labels = torch.randint(0, classes, (5,), generator=generator)
        labels[flags(5, seed=seed + classes)] = UNKNOWN
        predictions.append((logits, labels))
        entropies = []
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
            if label == UNKNOWN:
                continue
            log_total = math.log(sum(math.exp(value) for value in row))
            wanted = [0.9 * (place == label) + 0.1 / classes for place in range(classes)]
            entropies.append(-sum(p * (value - log_total) for p, value in zip(wanted, row, strict=True)))
        expected += sum(entropies) / max(1, len(entropies))
    assert classification_loss(predictions, smoothing=0.1).item() == pytest.approx(expected)


@given(seed=st.integers(0, 1000))
def test_substitution_is_equation_26_over_the_counted_samples(seed):
    vectors = [randn(6, 3, seed=4 * seed + number) for number in range(4)]
    counted = flags(6, seed=seed)
    distances = [
        2 - cosine(image, image_generated) - cosine(text, text_generated)
        for image, image_generated, text, text_generated, counts in zip(
            *(vector.tolist() for vector in vectors), counted.tolist(), strict=True
        )
        if counts
    ]
    expected = sum(distances) / max(1, len(distances))
    assert substitution_loss(*vectors, counted).item() == pytest.approx(expected, abs=1e-12)


@given(seed=st.integers(0, 1000))
def test_future_is_equation_27_over_the_counted_frames(seed):
    predicted, following, counted = randn(4, 3, 2, 2, seed=seed), randn(4, 3, 2, 2, seed=seed + 1), flags(4, seed=seed)
    errors = []
    for row in range(4):
        if counted[row]:
            pairs = zip(predicted[row].flatten().tolist(), following[row].flatten().tolist(), strict=True)
            errors.append(sum((u - i) ** 2 for u, i in pairs) / (3 * 2 * 2))
    expected = sum(errors) / max(1, len(errors))
    assert future_loss(predicted, following, counted).item() == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_gradient_of_segmentation(gamma):
    target = flags(2, 3, 3).double()
    assert gradcheck(lambda logits: segmentation_loss(logits, target, gamma=gamma), randn(2, 3, 3, grad=True))


def test_gradient_of_classification():
    labels = torch.tensor([1, UNKNOWN, 0, 2])

    def loss(*logits):
        return classification_loss([(one, labels) for one in logits], smoothing=0.1)

    assert gradcheck(loss, tuple(randn(4, 3, seed=seed, grad=True) for seed in range(4)))


@pytest.mark.parametrize("detach", [False, True])
def test_gradient_of_substitution(detach):
    counted = torch.tensor([True, False, True])
    image, image_generated, text, text_generated = (randn(3, 4, seed=seed, grad=True) for seed in range(4))

    def loss(image_generated, text_generated, image, text):
        return substitution_loss(image, image_generated, text, text_generated, counted, detach=detach)

    targets = (image.detach(), text.detach()) if detach else (image, text)
    assert gradcheck(loss, (image_generated, text_generated, *targets))
    loss(image_generated, text_generated, image, text).backward()
    assert (image.grad is None) == (text.grad is None) == detach


def test_gradient_of_future():
    counted, following = torch.tensor([True, False, True]), randn(3, 3, 2, 2, seed=1)
    assert gradcheck(lambda predicted: future_loss(predicted, following, counted), randn(3, 3, 2, 2, grad=True))


def test_masked_samples_have_no_gradient_and_nothing_counted_is_zero():
    none, some = torch.tensor([False, False]), torch.tensor([True, False])
    for counted in (none, some):
        for loss, shape in ((substitution_loss, (2, 4)), (future_loss, (2, 3, 2, 2))):
            arguments = [randn(*shape, seed=seed, grad=True) for seed in range(4 if loss is substitution_loss else 2)]
            value = loss(*arguments, counted)
            value.backward()
            assert (value.item() == 0) == (counted is none)
            generated = arguments[1 if loss is substitution_loss else 0]
            assert [bool(row.any()) for row in generated.grad] == counted.tolist()
    logits = randn(2, 3, grad=True)
    value = classification_loss([(logits, torch.full((2,), UNKNOWN))] * 4)
    value.backward()
    assert value.item() == 0
    assert not logits.grad.any()


def test_the_total_is_equation_23_with_the_papers_weights():
    parts = {"segmentation": 3.0, "classification": 5.0, "substitution": 7.0, "future": 11.0}
    tensors = {name: torch.tensor(value) for name, value in parts.items()}
    assert total_loss(tensors, LossConfig()).item() == pytest.approx(3 + 0.2 * 5 + 7 + 0.2 * 11)
    del tensors["classification"]
    assert total_loss(tensors, LossConfig(substitution=2.0)).item() == pytest.approx(3 + 2 * 7 + 0.2 * 11)

"""The losses against literal loops over P2's equations, numbers worked out by hand, and their own derivatives."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.training.contrastive.config import LossConfig
from nlvr.training.contrastive.losses import contrastive_loss, info_nce, marginal_triplet

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = ("infonce", "triplet")
DIRECTIONS = ("both", "text_to_vehicle", "vehicle_to_text")


def draws(samples, candidates, width, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, samples, candidates, width)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def distance(a, b):
    """‖a/‖a‖ - b/‖b‖‖², coordinate by coordinate."""
    return sum((x / math.hypot(*a) - y / math.hypot(*b)) ** 2 for x, y in zip(a, b, strict=True))


def one_way(kind, anchors, candidates, config):
    total = 0.0
    for anchor, own in zip(anchors, candidates, strict=True):
        if kind == "infonce":
            terms = [math.exp(cosine(anchor, candidate) / config.temperature) for candidate in own]
            total -= math.log(terms[0] / sum(terms))
        else:
            positive, negatives = distance(anchor, own[0]), [distance(anchor, candidate) for candidate in own[1:]]
            total += sum(max(positive - negative + config.margin, 0) for negative in negatives) / len(negatives)
    return total / len(anchors)


def reference(texts, vehicles, config):
    texts, vehicles = texts.tolist(), vehicles.tolist()
    text_to_vehicle = one_way(config.kind, [own[0] for own in texts], vehicles, config)
    vehicle_to_text = one_way(config.kind, [own[0] for own in vehicles], texts, config)
    return {
        "both": config.mix * text_to_vehicle + (1 - config.mix) * vehicle_to_text,
        "text_to_vehicle": text_to_vehicle,
        "vehicle_to_text": vehicle_to_text,
    }[config.direction]


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(1, 5),
    candidates=st.integers(2, 6),
    width=st.integers(1, 8),
    kind=st.sampled_from(KINDS),
    direction=st.sampled_from(DIRECTIONS),
    mix=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_equals_the_loops_of_the_paper(samples, candidates, width, kind, direction, mix, seed):
    texts, vehicles = draws(samples, candidates, width, seed)
    config = LossConfig(kind=kind, direction=direction, mix=mix)
    assert contrastive_loss(texts, vehicles, config).item() == pytest.approx(
        reference(texts, vehicles, config), rel=1e-9
    )


@pytest.mark.parametrize(("kind", "direction"), list(itertools.product(KINDS, DIRECTIONS)))
def test_gradients_are_those_of_finite_differences(kind, direction):
    texts, vehicles = draws(2, 3, 3, seed=1).unbind()
    config = LossConfig(kind=kind, direction=direction, temperature=0.5)
    inputs = (texts.requires_grad_(), vehicles.requires_grad_())
    assert torch.autograd.gradcheck(lambda s, v: contrastive_loss(s, v, config), inputs)


def test_info_nce_of_numbers_worked_out_by_hand():
    anchors = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    candidates = torch.tensor([[[1.0, 0.0], [0.0, 3.0], [-5.0, 0.0]]], dtype=torch.float64)  # cosines 1, 0, -1
    assert info_nce(anchors, candidates, temperature=0.5).item() == pytest.approx(
        math.log(1 + math.exp(-2) + math.exp(-4))
    )


def test_marginal_triplet_of_numbers_worked_out_by_hand():
    anchors = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    candidates = torch.tensor(
        [[[0.0, 1.0], [0.0, -4.0], [-5.0, 0.0]]], dtype=torch.float64
    )  # squared distances 2, 2, 4
    assert marginal_triplet(anchors, candidates, margin=0.5).item() == pytest.approx((0.5 + 0) / 2)
    assert marginal_triplet(anchors, candidates, margin=3).item() == pytest.approx((3 + 1) / 2)


def test_alike_candidates_cost_the_logarithm_of_their_number():
    vectors = torch.ones(2, 6, 3, dtype=torch.float64)
    assert contrastive_loss(vectors, vectors, LossConfig()).item() == pytest.approx(math.log(6))


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_negatives_is_no_matter(kind):
    texts, vehicles = draws(4, 6, 8, seed=2)
    order = [0, 3, 5, 1, 4, 2]
    config = LossConfig(kind=kind)
    expected = contrastive_loss(texts, vehicles, config)
    torch.testing.assert_close(contrastive_loss(texts[:, order], vehicles[:, order], config), expected)


def test_a_very_small_temperature_stays_finite():
    texts, vehicles = draws(4, 6, 8, seed=3).float()
    assert contrastive_loss(texts, vehicles, LossConfig(temperature=1e-4)).isfinite()

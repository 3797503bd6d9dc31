"""The motion stream equals PyTorch's bidirectional LSTM over a packed sequence, and padding never counts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nlvr.training.backbones.motion import Course, MotionEncoder

WIDTH = 64


@pytest.fixture(scope="module")
def pair():
    """The encoder and one bidirectional LSTM of the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = MotionEncoder(WIDTH)
    reference = nn.LSTM(2, WIDTH, batch_first=True, bidirectional=True)
    for name, weight in encoder.forwards.named_parameters():
        reference.get_parameter(name).data.copy_(weight)
    for name, weight in encoder.backwards.named_parameters():
        reference.get_parameter(f"{name}_reverse").data.copy_(weight)
    return encoder, reference


@st.composite
def tracks(draw):
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    steps = max(lengths) + draw(st.integers(0, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return torch.rand(len(lengths), steps, 2, generator=generator), torch.tensor(lengths)


@settings(max_examples=25, deadline=None)
@given(tracks())
@torch.no_grad()
def test_equals_the_packed_bidirectional_lstm(pair, track):
    encoder, reference = pair
    points, lengths = track
    packed = nn.utils.rnn.pack_padded_sequence(points, lengths, batch_first=True, enforce_sorted=False)
    ends = reference(packed)[1][0]
    torch.testing.assert_close(encoder(points, lengths), torch.cat([ends[0], ends[1]], dim=1), rtol=0, atol=2e-7)


@settings(max_examples=20, deadline=None)
@given(tracks(), st.floats(-1e3, 1e3))
@torch.no_grad()
def test_what_stands_in_the_padding_never_counts(pair, track, filler):
    points, lengths = track
    filled = points.clone()
    for row, length in enumerate(lengths.tolist()):
        filled[row, length:] = filler
    assert torch.equal(pair[0](points, lengths), pair[0](filled, lengths))


def test_training_reaches_both_directions():
    encoder = MotionEncoder(8)
    encoder(torch.rand(3, 5, 2), torch.tensor([5, 1, 3])).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in encoder.parameters())


def path(*points):
    return torch.tensor([points]), torch.tensor([len(points)])


@pytest.mark.parametrize("count", [2, 5, 12, 17])
def test_a_course_does_not_depend_on_how_often_a_straight_path_was_sampled(count):
    course = Course(8)
    often, seldom = (torch.linspace(0, 1, points)[None, :, None] * torch.tensor([0.5, 0.2]) for points in (9, count))
    torch.testing.assert_close(
        course.describe(seldom, torch.tensor([count])), course.describe(often, torch.tensor([9])), atol=1e-5, rtol=1e-4
    )


def test_a_course_bends_the_other_way_when_it_is_mirrored():
    course, share = Course(8), torch.linspace(0, 1, 9)
    left = torch.stack([share, share**2], dim=1)[None]
    mirrored = torch.stack([1 - share, share**2], dim=1)[None]
    lengths = torch.tensor([9])
    bends = [course.describe(points, lengths)[0, -1].item() for points in (left, mirrored)]
    assert bends[0] == pytest.approx(-bends[1], rel=1e-4)
    assert abs(bends[0]) > 0.5
    straight = torch.stack([share, share], dim=1)[None]
    assert course.describe(straight, lengths)[0, -1].item() == pytest.approx(0, abs=1e-6)


def test_padding_says_nothing_of_a_course_and_a_lone_point_has_one():
    course = Course(8).eval()
    points, lengths = path((0.1, 0.2), (0.4, 0.2), (0.5, 0.7))
    padded = torch.cat([points, torch.full((1, 4, 2), 9.0)], dim=1)
    torch.testing.assert_close(course(padded, lengths), course(points, lengths))
    assert course(*path((0.3, 0.3))).isfinite().all()

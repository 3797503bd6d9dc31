"""The motion stream equals PyTorch's bidirectional LSTM over a packed sequence, and padding never counts."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nlvr.training.contrastive.motion import MotionEncoder

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

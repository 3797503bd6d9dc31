"""Colour and type: pooling over a box, the heads and their normalisation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlvr.engine.geometry import box_cells
from nlvr.training.sbnet.attributes import (
    GridAttributes,
    ImageAttributes,
    TextAttributes,
    box_corners,
    box_map,
    box_mean,
    moved,
)
from nlvr.training.sbnet.config import load_config

CELLS = 6


@st.composite
def boxes(draw):
    """Corners of a box in the map, in cells, half-open."""
    left, top = draw(st.integers(0, CELLS - 1)), draw(st.integers(0, CELLS - 1))
    return left, top, draw(st.integers(left + 1, CELLS)), draw(st.integers(top + 1, CELLS))


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), data=st.data())
def test_the_mean_over_a_box_equals_a_loop_over_its_cells(seed, data):
    pixels = data.draw(st.tuples(*2 * [st.floats(0, 95)], *2 * [st.floats(0.01, 200)]))
    x0, y0, x1, y1 = box_cells(torch.tensor([pixels], dtype=torch.float64).numpy(), 96, 96, CELLS)[0].tolist()
    features = torch.rand(1, 3, CELLS, CELLS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    boxes = torch.zeros(1, CELLS, CELLS, dtype=torch.bool)
    boxes[0, y0:y1, x0:x1] = True
    cells = [(row, column) for row in range(y0, y1) for column in range(x0, x1)]
    expected = [
        sum(features[0, channel, row, column].item() for row, column in cells) / len(cells) for channel in range(3)
    ]
    assert box_mean(features, boxes)[0].tolist() == pytest.approx(expected, rel=1e-12)


def test_the_text_is_read_at_its_first_token():
    head = TextAttributes(load_config("tiny").model)
    tokens = torch.rand(3, 5, 64)
    logits = head(tokens)
    assert (logits.colour.shape, logits.type.shape) == ((3, 12), (3, 10))
    torch.testing.assert_close(logits.colour, tokens[:, 0] @ head.colours.weight.T + head.colours.bias)
    tokens[:, 1:] = 0
    torch.testing.assert_close(head(tokens).type, logits.type)


@torch.no_grad()
@pytest.mark.parametrize("norm", [True, False])
def test_the_image_heads_are_two_layers_and_normalise_where_asked(norm):
    head = ImageAttributes(load_config("tiny", overrides=[f"model.head_norm={str(norm).lower()}"]).model).eval()
    first, *middle, last = head.colours
    assert (first.weight.shape, last.weight.shape, head.types[-1].weight.shape) == ((32, 64), (12, 32), (10, 32))
    assert [type(layer).__name__ for layer in middle] == ["BatchNorm1d", "ReLU"] if norm else ["ReLU"]
    pooled = torch.rand(4, 64)
    hidden = first(pooled) / (1 + 1e-5) ** 0.5 if norm else first(pooled)  # the statistics at their start
    torch.testing.assert_close(head(pooled).colour, last(hidden.relu()))


@settings(deadline=None)
@given(
    box=boxes(),
    side=st.integers(1, 9),
)
def test_a_boxs_map_is_read_between_cells_and_never_beyond_the_box(box, side):
    left, top, right, bottom = box
    cells = torch.zeros(1, CELLS, CELLS, dtype=torch.bool)
    cells[:, top:bottom, left:right] = True
    corners = box_corners(cells)
    assert corners.tolist() == [[left, top, right, bottom]]
    across, down = torch.arange(CELLS, dtype=torch.float32), 10 * torch.arange(CELLS, dtype=torch.float32)
    ramp = (across[None, :] + down[:, None])[None, None]
    ramp = torch.where(cells[:, None], ramp, 1e6)
    found = box_map(ramp, corners, side)[0, 0]
    for row in range(side):
        for column in range(side):
            x = min(max(left + (column + 0.5) * (right - left) / side - 0.5, left), right - 1)
            y = min(max(top + (row + 0.5) * (bottom - top) / side - 0.5, top), bottom - 1)
            assert found[row, column].item() == pytest.approx(x + 10 * y, abs=1e-3)


@settings(deadline=None)
@given(
    box=boxes(),
    moves=st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4),
)
def test_a_moved_box_stays_in_the_map_and_is_no_smaller_than_a_cell(box, moves):
    left, top, right, bottom = box
    corners = torch.tensor([[left, top, right, bottom]])
    x0, y0, x1, y1 = moved(corners, torch.tensor([moves]), CELLS)[0].tolist()
    for start, end, side, first, last, (low, high) in (
        (x0, x1, right - left, left, right, moves[::2]),
        (y0, y1, bottom - top, top, bottom, moves[1::2]),
    ):
        assert 0 <= start <= CELLS - 1
        assert start + 1 - 1e-6 <= end <= CELLS
        assert start == pytest.approx(min(max(first + low * side, 0), CELLS - 1), abs=1e-4)
        assert end == pytest.approx(max(min(last + high * side, CELLS), start + 1), abs=1e-4)


def test_a_map_of_a_moved_box_holds_no_more_than_is_around():
    maps = torch.rand(1, 3, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    whole = box_map(maps, moved(torch.tensor([[2, 2, 4, 4]]), torch.tensor([[-9.0, -9, 9, 9]]), CELLS), CELLS)
    torch.testing.assert_close(whole, maps)
    found = box_map(maps, torch.tensor([[1.5, 2.0, 2.5, 3.0]]), 1)
    torch.testing.assert_close(found[0, :, 0, 0], maps[0, :, 2, 1:3].mean(1))


def test_a_grid_tells_boxes_of_one_mean_apart_by_its_first_channels():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reader = GridAttributes(load_config("tiny", overrides=["model.grid=4"]).model, 20).eval()
    seen = torch.rand(1, 64, CELLS, CELLS, generator=torch.Generator().manual_seed(1))
    corners = torch.tensor([[1, 1, 5, 5]])

    def read(maps):
        return reader(reader.by_cell(maps), corners)

    told, others = read(seen), read(torch.cat([seen[:, :20], seen[:, 20:] + 1], dim=1))
    assert (told.colour.shape, told.type.shape) == ((1, 12), (1, 10))
    assert torch.equal(told.type, others.type)
    assert not torch.allclose(told.type, read(seen.flip(3)).type)

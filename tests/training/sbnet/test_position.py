"""The position code: its formula, cell by cell."""

from __future__ import annotations

import math

import pytest
import torch

from nlvr.training.sbnet.position import PositionCode


@pytest.mark.parametrize(("width", "cells"), [(16, 5), (64, 24)])
def test_the_code_is_sines_and_cosines_of_column_and_row(width, cells):
    code = PositionCode(width, cells)(torch.zeros(1, width, cells, cells))[0]
    half = width // 2
    for channel in range(width):
        rate = 10_000.0 ** (-4 * (channel % half // 2) / width)
        wave = math.cos if channel % 2 else math.sin
        for row in range(cells):
            for column in range(cells):
                expected = wave((column if channel < half else row) * rate)
                assert code[channel, row, column].item() == pytest.approx(expected, abs=1e-6)


def test_the_code_is_added_and_is_no_weight():
    module = PositionCode(16, 3)
    features = torch.rand(2, 16, 3, 3)
    torch.testing.assert_close(module(features) - features, module.code.expand(2, -1, -1, -1))
    assert not module.state_dict()
    assert len(module.code.flatten(1).T.unique(dim=0)) == 9

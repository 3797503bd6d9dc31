"""What do the mask ratios of 100,000 masks cost, beside reading their boxes' cells and no more?

Masks of 24 x 24 cells with a box of a real size each. The floor is one read of each cell, gathered by a list of places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nlvr.benchmarks.peers import compare
from nlvr.benchmarks.sbnet import CELLS
from nlvr.benchmarks.test_pooling import boxes_at_random
from nlvr.engine import kernels

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

MASKS = 100_000
OF_THE_FLOOR = 1.3


def test_mask_ratio(benchmark: BenchmarkFixture) -> None:
    torch.set_num_threads(kernels.pool_size())
    masks, cells = np.random.default_rng(1).random((MASKS, CELLS, CELLS), np.float32), boxes_at_random(MASKS)
    bits = np.packbits(masks > 0.5, axis=-1, bitorder="little")
    x0, y0, x1, y1 = cells[:, 1:].T[:, :, None]
    side = np.arange(CELLS)
    inside = ((side >= y0) & (side < y1))[:, :, None] & ((side >= x0) & (side < x1))[:, None, :]
    places, tensor = torch.from_numpy(np.flatnonzero(inside)), torch.from_numpy(masks)
    weights = torch.from_numpy(inside.astype(np.float32))
    areas = weights.sum((1, 2))
    expected = ((tensor * weights).sum((1, 2)) / areas).numpy()
    np.testing.assert_allclose(kernels.mask_ratio(masks, cells), expected, rtol=1e-5)
    medians = compare(
        benchmark,
        lambda: kernels.mask_ratio(masks, cells),
        {
            "cells alone": lambda: tensor.view(-1).take(places),
            "torch": lambda: (tensor * weights).sum((1, 2)) / areas,
            "plain sum": lambda: tensor.sum((1, 2)),
            "bits": lambda: kernels.mask_ratio(bits, cells),
        },
        title=f"{MASKS} mask ratios",
        cells_of_a_box=round(float(areas.mean()), 1),
    )
    assert medians["kernel"] <= OF_THE_FLOOR * medians["cells alone"]

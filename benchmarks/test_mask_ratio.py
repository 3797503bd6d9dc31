"""What do the mask ratios of 100,000 masks cost, beside reading their boxes' cells and no more?

Masks of 24 x 24 cells with a box of a real size each. The floor is one read of each cell, gathered by a list of places.
Every run reads masks not touched for several runs, as a cache that still held some would favour whoever runs next;
packed bits are so few that a cache may hold them.
"""

from __future__ import annotations

from itertools import cycle
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
SETS = 4  # of masks, in turn
OF_THE_FLOOR = 1.3


def test_mask_ratio(benchmark: BenchmarkFixture) -> None:
    torch.set_num_threads(kernels.pool_size())
    cells = boxes_at_random(MASKS)
    sets = [np.random.default_rng(seed).random((MASKS, CELLS, CELLS), np.float32) for seed in range(SETS)]
    masks, turn = sets[0], cycle(sets)
    bits = cycle([np.packbits(one > 0.5, axis=-1, bitorder="little") for one in sets])
    x0, y0, x1, y1 = cells[:, 1:].T[:, :, None]
    side = np.arange(CELLS)
    inside = ((side >= y0) & (side < y1))[:, :, None] & ((side >= x0) & (side < x1))[:, None, :]
    places = torch.from_numpy(np.flatnonzero(inside))
    weights = torch.from_numpy(inside.astype(np.float32))
    areas = weights.sum((1, 2))
    expected = ((torch.from_numpy(masks) * weights).sum((1, 2)) / areas).numpy()
    np.testing.assert_allclose(kernels.mask_ratio(masks, cells), expected, rtol=1e-5)
    medians = compare(
        benchmark,
        lambda: kernels.mask_ratio(next(turn), cells),
        {
            "cells alone": lambda: torch.from_numpy(next(turn)).view(-1).take(places),
            "torch": lambda: (torch.from_numpy(next(turn)) * weights).sum((1, 2)) / areas,
            "plain sum": lambda: torch.from_numpy(next(turn)).sum((1, 2)),
            "bits": lambda: kernels.mask_ratio(next(bits), cells),
        },
        title=f"{MASKS} mask ratios",
        cells_of_a_box=round(float(areas.mean()), 1),
    )
    assert medians["kernel"] <= OF_THE_FLOOR * medians["cells alone"]

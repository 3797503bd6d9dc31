"""How fast is masked pooling beside other ways to it?

32 maps of 2048 channels and 24 x 24 cells with one box of a real size each, channels first and last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from nlvr.benchmarks.peers import compare
from nlvr.benchmarks.sbnet import CELLS, real_boxes
from nlvr.engine import kernels

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

MAPS, CHANNELS = 32, 2048
FASTER = 2.5


def boxes_at_random(count: int) -> np.ndarray:
    """Return `count` boxes of real sizes, one a map: int32 [count, 5], frame, x0, y0, x1, y1."""
    generator = np.random.default_rng(0)
    sizes = generator.permutation(real_boxes(count))
    corners = generator.integers(0, CELLS - sizes + 1)
    return np.column_stack([np.arange(count), corners, corners + sizes]).astype(np.int32)


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["float32", "float16"])
def test_pooling(benchmark: BenchmarkFixture, last: bool, dtype: type) -> None:
    torch.set_num_threads(kernels.pool_size())
    maps = np.random.default_rng(1).standard_normal((MAPS, CHANNELS, CELLS, CELLS), dtype=np.float32).astype(dtype)
    if last:
        maps = np.ascontiguousarray(maps.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    cells, tensor = boxes_at_random(MAPS), torch.from_numpy(maps)
    masks = torch.zeros(MAPS, 1, CELLS, CELLS, dtype=tensor.dtype)
    for frame, x0, y0, x1, y1 in cells:
        masks[frame, :, y0:y1, x0:x1] = 1

    def equation() -> torch.Tensor:
        return (tensor * masks).sum((2, 3)) / masks.sum((2, 3))

    def torch_slices() -> torch.Tensor:
        return torch.stack([tensor[n, :, y0:y1, x0:x1].mean((1, 2)) for n, x0, y0, x1, y1 in cells.tolist()])

    def numpy_slices() -> np.ndarray:
        return np.stack([maps[n, :, y0:y1, x0:x1].mean((1, 2), np.float32) for n, x0, y0, x1, y1 in cells])

    np.testing.assert_allclose(kernels.masked_pool(maps, cells), numpy_slices(), rtol=0, atol=1e-5)
    medians = compare(
        benchmark,
        lambda: kernels.masked_pool(maps, cells),
        {"equation 6": equation, "torch slices": torch_slices, "numpy slices": numpy_slices},
        title=f"pooling, {np.dtype(dtype).name}, channels {'last' if last else 'first'}",
    )
    if dtype is np.float32 and not last:
        assert min(medians["torch slices"], medians["numpy slices"]) >= FASTER * medians["kernel"]

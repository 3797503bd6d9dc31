"""How much less than the dense network does a factored mask cost, at the paper's size and on real boxes?

The dense network computes its multimodal part for every (sentence, frame, track). The factored one runs the exported
graph `mask` on a window of each box. Both run in ONNX Runtime as the engine runs a graph: one thread a run, as many
runs at once as there are CPUs. Weights are random, which changes no cost.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from nlvr.benchmarks.machine import OtherLoad, machine
from nlvr.benchmarks.macs import count_macs
from nlvr.benchmarks.peers import skip_where_disturbed
from nlvr.benchmarks.sbnet import real_boxes
from nlvr.engine import geometry
from nlvr.engine.bundle import GraphFile
from nlvr.engine.runtime.devices import usable_cpus
from nlvr.engine.runtime.graph import Blocks
from nlvr.engine.runtime.onnxruntime import OrtGraph
from nlvr.export.graph import write_graph
from nlvr.export.sbnet import SIDES, mask_graph
from nlvr.export.source import GraphSource
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.factored import MASK_HALO
from nlvr.training.sbnet.model import SBNet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 5
WINDOWS, DENSE = 64, 8  # timed a round
LESS_MACS, LESS_TIME = 6.0, 5.0


class Dense(nn.Module):
    """M over the whole frame, as the equations stand."""

    def __init__(self, model: SBNet) -> None:
        super().__init__()
        self.multimodal = model.multimodal

    def forward(self, features: torch.Tensor, words: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return self.multimodal(features, words, tokens).sigmoid()


@pytest.mark.parametrize("preset", ["paper", "compact"])
def test_sbnet_mask(benchmark: BenchmarkFixture, preset: str, tmp_path: Path) -> None:
    config = load_config(preset)
    model = SBNet(config, pretrained=False).eval()
    width, length, cells = config.model.width, config.text.length, config.cells
    example = {
        "features": torch.rand(2, width, cells, cells),
        "words": torch.rand(2, length, width),
        "tokens": torch.ones(2, length, dtype=torch.int64),
    }
    whole = Dense(model)
    sources = {"dense": GraphSource(whole, whole, example, ("mask",), {"cpu": 1}, "fp32"), "mask": mask_graph(model)}
    files = {name: _graph(tmp_path / f"{name}.onnx", source) for name, source in sources.items()}
    generator = np.random.default_rng(0)
    rows = {
        name: {key: _random(generator, shape[1][1:], shape[0]) for key, shape in file.inputs.items() if key not in AXES}
        for name, file in files.items()
    }
    windows = [
        geometry.window(np.array([0, 0, *box], np.int32), [*SIDES, cells], MASK_HALO) for box in real_boxes(WINDOWS)
    ]
    feeds = {
        "dense": [rows["dense"]] * DENSE,
        "mask": [{**rows["mask"], "rows": down, "columns": across} for down, across in windows],
    }
    macs = {name: statistics.mean(_macs(files[name].path, feeds[name])) for name in files}
    cores = usable_cpus()
    blocks = {
        name: Blocks(OrtGraph(file, device="cpu"), threads=cores, in_flight=2 * cores) for name, file in files.items()
    }
    dense: list[float] = []

    def time_dense() -> None:
        start = time.perf_counter()
        list(blocks["dense"].run(feeds["dense"]))
        dense.append((time.perf_counter() - start) / DENSE)

    list(blocks["mask"].run(feeds["mask"]))
    with OtherLoad() as load:
        benchmark.pedantic(lambda: list(blocks["mask"].run(feeds["mask"])), setup=time_dense, rounds=ROUNDS)
    for one in blocks.values():
        one.close()
    seconds = {"dense": statistics.median(dense), "mask": benchmark.stats["median"] / WINDOWS}
    less_macs, less_time = macs["dense"] / macs["mask"], seconds["dense"] / seconds["mask"]
    benchmark.extra_info.update(
        machine(),
        preset=preset,
        **{f"{name}_gmacs": round(value / 1e9, 3) for name, value in macs.items()},
        **{f"{name}_ms": round(1e3 * value, 2) for name, value in seconds.items()},
        less_macs=round(less_macs, 2),
        less_time=round(less_time, 2),
        other_load=round(load.share, 3),
    )
    print(
        f"\n{preset}: dense {macs['dense'] / 1e9:.2f} GMAC, {1e3 * seconds['dense']:.1f} ms; factored "
        f"{macs['mask'] / 1e9:.2f} GMAC, {1e3 * seconds['mask']:.1f} ms a pair: {less_macs:.2f}x fewer MACs, "
        f"{less_time:.2f}x less time; other load {load.share:.0%}"
    )
    if preset == "paper":
        assert less_macs >= LESS_MACS
        skip_where_disturbed(load)
        assert less_time >= LESS_TIME


AXES = ("rows", "columns")


def _graph(path: Path, source: GraphSource) -> GraphFile:
    """Export one graph, for blocks of one row."""
    record = write_graph(path, source, system="sbnet", name=path.stem)
    signatures: dict[str, Any] = {
        side: {name: (value["dtype"], tuple(value["dims"])) for name, value in record[side].items()}
        for side in ("inputs", "outputs")
    }
    return GraphFile(path=path, precision="fp32", opset=record["opset"], block={"cpu": 1}, **signatures)


def _random(generator: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype == "int64":
        return (np.arange(shape[0]) < 12).astype(np.int64)  # of a sentence of nine words and its special tokens
    return generator.standard_normal(shape, dtype=np.float32) / 10


def _macs(path: Path, feeds: Iterable[dict[str, np.ndarray]]) -> list[int]:
    """Count each row's, once for each set of shapes."""
    known: dict[tuple[tuple[int, ...], ...], int] = {}
    counted = []
    for row in feeds:
        shapes = tuple(value.shape for value in row.values())
        if shapes not in known:
            known[shapes] = count_macs(path, {name: value[None] for name, value in row.items()})
        counted.append(known[shapes])
    return counted

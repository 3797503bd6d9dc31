"""The gate: a bundle is kept when ONNX Runtime ranks real tracks as PyTorch does.

Both graphs run as they do in service, in the engine's own sessions and padded blocks, with several sizes of block; each
vector is compared with the one of the float32 module, and each ranking of the tracks by a sentence with its ranking.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from nlvr.engine.errors import BundleError
from nlvr.engine.runtime.devices import usable_cpus
from nlvr.engine.runtime.graph import Blocks
from nlvr.engine.runtime.onnxruntime import OrtGraph
from nlvr.engine.systems.contrastive import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from nlvr.engine.bundle import GraphFile
    from nlvr.engine.runtime.graph import Feeds

BATCHES = (1, 2, 7)  # and the largest block of the graph
TOP = 10
TIE = 1e-6  # what float32 sums of unit vectors differ by; nearer scores have no order to keep
_REFERENCE_BLOCK = 16
_REMEDY = "nothing was written; export as fp32, or with the versions that are tested"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least cosine of a vector with its reference, and the least mean overlap of the first TOP tracks."""

    cosine: float
    overlap: float


BOUNDS = {"fp32": Bounds(0.99999, 1.0), "fp16": Bounds(0.999, 0.95), "int8": Bounds(0.995, 0.9)}


@dataclass(frozen=True, slots=True)
class Side:
    """One graph, the module it must agree with, and the rows both are run on."""

    name: str
    file: GraphFile
    reference: nn.Module
    rows: Sequence[Feeds]


def check_parity(tracks: Side, texts: Side, *, bounds: Bounds, place: Path) -> dict[str, object]:
    """Measure both graphs at every batch. Returns the figures for the manifest, rounded to 7 digits.

    place: where the bundle is to go, for messages.
    Raises BundleError naming the graph, the batch, the figure and the bound when one fails.
    """
    wanted = [reference_vectors(side.reference, side.rows) for side in (tracks, texts)]
    figures = {}
    for batch in (*BATCHES, max(*tracks.file.block.values(), *texts.file.block.values())):
        found = [served_vectors(side.file, side.rows, batch=batch) for side in (tracks, texts)]
        record = {}
        for side, ours, theirs in zip((tracks, texts), found, wanted, strict=True):
            lowest = float(cosines(ours, theirs).min())
            require_least(
                lowest, bounds.cosine, f"{place}: graph {side.name} at batch {batch}", "the cosine to PyTorch"
            )
            record[f"{side.name}_cosine"] = _figure(lowest)
        shared = overlap(found[1] @ found[0].T, wanted[1] @ wanted[0].T)
        names = f"graphs {tracks.name} and {texts.name}"
        require_least(shared, bounds.overlap, f"{place}: {names} at batch {batch}", f"the overlap of the first {TOP}")
        record["overlap"] = _figure(shared)
        figures[str(batch)] = record
    return {
        "tracks": len(tracks.rows),
        "sentences": len(texts.rows),
        "wanted": {"cosine": bounds.cosine, "overlap": bounds.overlap},
        "batches": figures,
    }


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair of rows, −1 where one is no number. Both float [N, D]; returns float64 [N]."""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((ours * theirs).sum(axis=1) / norms, nan=-1.0)


def overlap(ours: np.ndarray, theirs: np.ndarray, *, top: int = TOP) -> float:
    """Return the mean share of each row's `top` best columns that are among the reference's.

    ours, theirs: float [Q, N].  A column whose reference score is within TIE of the reference's last place counts too:
    the reference itself does not decide between them.
    """
    count = min(top, theirs.shape[1])
    last = np.partition(theirs, -count, axis=1)[:, -count]
    best = np.argsort(-ours, axis=1, kind="stable")[:, :count]
    return float((np.take_along_axis(theirs, best, axis=1) >= last[:, None] - TIE).mean())


def served_vectors(file: GraphFile, rows: Sequence[Feeds], *, batch: int) -> np.ndarray:
    """Run a graph as the engine does, with blocks of `batch` rows. Returns float64 [N, D]."""
    threads = usable_cpus()
    blocks = Blocks(OrtGraph(replace(file, block={"cpu": batch}), device="cpu"), threads=threads, in_flight=threads)
    try:
        return np.stack([outputs[OUTPUT] for outputs in blocks.run(rows)]).astype(np.float64)
    finally:
        blocks.close()


def reference_vectors(module: nn.Module, rows: Sequence[Feeds]) -> np.ndarray:
    """Run a module on the rows. Returns float64 [N, D]."""
    vectors = []
    with torch.inference_mode():
        for first in range(0, len(rows), _REFERENCE_BLOCK):
            block = rows[first : first + _REFERENCE_BLOCK]
            vectors.append(
                module(**{name: torch.from_numpy(np.stack([row[name] for row in block])) for name in rows[0]})
            )
    return torch.cat(vectors).double().numpy()


def _figure(value: float) -> float:
    return float(f"{value:.7g}")


def require_least(found: float, wanted: float, place: str, figure: str) -> None:
    """Raise BundleError naming the figure where it is below `wanted` or no number."""
    if not found >= wanted:
        raise BundleError(place, f"{figure} is {found:.7g}, wanted at least {wanted:g}", _REMEDY)


def require_most(found: float, wanted: float, place: str, figure: str) -> None:
    """Raise BundleError naming the figure where it is above `wanted` or no number."""
    if not found <= wanted:
        raise BundleError(place, f"{figure} is {found:.7g}, wanted at most {wanted:g}", _REMEDY)

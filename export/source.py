"""What a system hands over to be exported. The rest of the package knows no system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from nlvr.engine.preprocess import Recipe

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, slots=True)
class GraphSource:
    """One graph.

    reference: the module as it was trained, float32, in evaluation mode; what the graph is measured against.
    module: the module that is exported, with towers in float16 where that is the precision.
    inputs: name → an example of two rows, in the order `module` takes them; axis 0 is the batch. Each is a tensor of
        its own: of one tensor given twice the exporter makes one input.
    outputs: names of what `module` returns, in its order.
    block: device → rows of a run.  precision: of its weights; all else is float32 where it is int8.
    axes: input → axis → name, of the axes beside the batch whose length varies.
    """

    reference: nn.Module
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str]
    block: Mapping[str, int]
    precision: Precision
    axes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BundleSource:
    """A checkpoint as the parts of a bundle.

    trained: whether its weights took at least one step.  settings: the model's, for the manifest.
    precision: of the graphs with backbones.
    tokenizer: the file.  vector: slice name → (start, stop).  normalised: whether a shown frame's has length 1.
    scoring: what the engine's part of the system must know beside its graphs.
    whole: the network that the graphs are measured against together, None where each is by its own reference.
    """

    system: str
    name: str
    trained: bool
    settings: Mapping[str, Any]
    precision: Precision
    recipe: Recipe
    tokenizer: Path
    text_length: int
    vector: Mapping[str, tuple[int, int]]
    normalised: bool
    graphs: Mapping[str, GraphSource]
    scoring: Mapping[str, Any] = field(default_factory=dict)
    whole: nn.Module | None = None

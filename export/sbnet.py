"""What a checkpoint of SBNet exports: `image`, `track`, `path`, `text` and `mask`, and what its manifest says."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from nlvr.engine.cityflow import Query
from nlvr.engine.engine import Engine
from nlvr.engine.frames import FrameStore
from nlvr.engine.geometry import spread
from nlvr.engine.language import COLOURS, MOTIONS, TYPES
from nlvr.engine.preprocess import Recipe
from nlvr.engine.ranking import score_matrix
from nlvr.engine.runtime.devices import usable_cpus
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training.sbnet import evaluation
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.factored import (
    MASK_HALO,
    SUBSTITUTION_HALO,
    ImageSide,
    MaskWindow,
    PathSide,
    TextSide,
    TrackSide,
)
from nlvr.training.sbnet.model import SBNet

from .checkpoints import open_checkpoint
from .parity import TOP, overlap, require_least, require_most
from .source import BundleSource, GraphSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlvr.engine.bundle import Bundle
    from nlvr.engine.cityflow import Track
    from nlvr.training.sbnet.config import SBNetConfig

    from .samples import Samples
    from .source import Precision

# Rows of a run. On a CPU core a mask of one window takes as long as one of several: nothing is gained by waiting.
BLOCK = {"image": {"cpu": 1, "cuda": 16}, "track": {"cpu": 1, "cuda": 32}, "text": {"cpu": 1, "cuda": 64}}
BLOCK["mask"] = {"cpu": 1, "cuda": 16}
BLOCK["path"] = {"cpu": 1, "cuda": 64}
# Sides of the windows a mask is computed on, in cells, without the halo. On real boxes they cost 1 % more than windows
# of exactly the box's size.
SIDES = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 16)
AXES = {name: {1: name} for name in ("rows", "columns")}
RULE = "last"  # the frame that shows a sample track
BATCHES = (1, 2, 7)
WIDE, FEW_TRACKS, FEW_SENTENCES = 512, 12, 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """The greatest difference of a score to the dense network's, and the least mean overlap of the first TOP tracks."""

    difference: float
    overlap: float


BOUNDS = {"fp32": Bounds(1e-5, 1.0), "fp16": Bounds(0.02, 0.9), "int8": Bounds(0.1, 0.8)}


def read_checkpoint(directory: str | Path, *, precision: Precision) -> BundleSource:
    """Load a checkpoint of SBNet.

    precision: of the backbones and of the feature maps that are kept; the rest is float32 in fp32 and fp16. int8 is how
        the large matrices of the graph `text` are stored, and everything is computed in float32.
    Raises InputError for a folder that is no checkpoint, or one whose files do not fit each other.
    """
    found = open_checkpoint(Path(directory), load_config=load_config, build=SBNet, precision=precision)
    config, model = found.config, found.model
    return BundleSource(
        system="sbnet",
        name=f"sbnet-{config.model.image}",
        trained=found.trained,
        settings={**found.settings, "modules": asdict(config.modules)},
        precision=precision,
        recipe=Recipe(**asdict(config.recipe)),
        tokenizer=found.tokenizer,
        text_length=config.text.length,
        vector=_vector(config),
        normalised=False,
        graphs=_graphs(model, found.exported, precision=precision),
        scoring={
            **asdict(config.score),
            "windows": [*(side for side in SIDES if side < config.cells), config.cells],
            "mask_halo": MASK_HALO,
            "track_halo": SUBSTITUTION_HALO,
        },
        whole=model,
    )


def measure(source: BundleSource, bundle: Bundle, samples: Samples, *, place: Path) -> dict[str, Any]:
    """Return the parity figures of a bundle: its scores on real footage against those of the dense network.

    place: where the bundle is to go, for messages.
    Raises BundleError when a figure is beyond its bound, FrameError or InputError for footage that cannot be used.
    """
    model = cast("SBNet", source.whole)
    tracks, sentences = samples.tracks, samples.sentences
    if model.config.model.width > WIDE:  # the dense network then takes 0.4 s a pair
        tracks = tuple(tracks[place] for place in spread(len(tracks), FEW_TRACKS))
        sentences = sentences[:FEW_SENTENCES]
    queries = [Query(f"{number:04d}", (sentence,)) for number, sentence in enumerate(sentences)]
    tokenizer = Tokenizer.from_file(bundle.tokenizer, length=bundle.text_length)
    figures = {}
    top = min(TOP, len(tracks) // 4)  # of few tracks, any order shares most of the first ten
    with FrameStore(samples.root, decode_threads=usable_cpus()) as store:
        # One frame a track: windows that overlap still show different ones.
        dense = evaluation.score_matrix(model, queries, tracks, store, tokenizer, rule=RULE)
        dense = dense[:, np.argsort([track.id for track in tracks], kind="stable")]
        bounds = wanted_of(source.precision, dense)
        for batch in BATCHES:
            found = _served_scores(bundle, tracks, queries, store, batch=batch)
            where, difference = f"{place}: at batch {batch}", float(np.abs(found - dense).max())
            require_most(difference, bounds.difference, where, "the greatest difference of a score to PyTorch's")
            shared = overlap(found, dense, top=top)
            require_least(shared, bounds.overlap, where, f"the overlap of the first {top}")
            figures[str(batch)] = {"difference": float(f"{difference:.3g}"), "overlap": float(f"{shared:.7g}")}
    return {
        "tracks": len(tracks),
        "sentences": len(sentences),
        "wanted": asdict(bounds),
        "batches": figures,
    }


def wanted_of(precision: Precision, scores: np.ndarray) -> Bounds:
    """Return what a bundle must reach of the dense network's scores, float [Q, T].

    float32 rounds in proportion: where scores are greater than 1, as those by logarithms are, fp32 may differ by as
    much more.
    """
    bounds = BOUNDS[precision]
    if precision != "fp32":
        return bounds
    return replace(bounds, difference=bounds.difference * max(1.0, float(np.abs(scores).max())))


def _served_scores(
    bundle: Bundle, tracks: Sequence[Track], queries: Sequence[Query], store: FrameStore, *, batch: int
) -> np.ndarray:
    """Rank as the engine does, with blocks of `batch` rows. Returns float32 [Q, T], tracks in order of their ids."""
    graphs = {name: replace(graph, block={"cpu": batch}) for name, graph in bundle.graphs.items()}
    with Engine(replace(bundle, graphs=graphs), device="cpu") as engine:
        rankings = engine.rank(engine.encode_tracks(tracks, store, frames_per_track=RULE), queries)
    return score_matrix([(ranking.rows, ranking.scores) for ranking in rankings], len(tracks))


def _vector(config: SBNetConfig) -> dict[str, tuple[int, int]]:
    """Return the layout of a track's and a query's vector: what of SS, CTM and motion is switched on."""
    lengths = {}
    if config.modules.substitution:
        lengths |= {"image": config.model.width, "text": config.model.width}
    if config.modules.classification:
        lengths |= {"colour": len(COLOURS), "type": len(TYPES)}
    if config.modules.motion:
        lengths["motion"] = len(MOTIONS)
    ends = np.cumsum([0, *lengths.values()]).tolist()
    return dict(zip(lengths, itertools.pairwise(ends), strict=True))


def mask_graph(model: SBNet, exported: SBNet | None = None, *, precision: Precision = "fp32") -> GraphSource:
    """Return the graph `mask`, float32 within.

    exported: the network as it is exported, by default the same.  precision: of the feature maps it takes.
    """
    width, length = model.config.model.width, model.config.text.length
    inputs = {
        "features": _features(model, precision),
        "affinity": torch.rand(2, length, width),
        "offset": torch.rand(2, length),
        "told": torch.rand(2, length, width),
        "told_gate": torch.rand(2, width),
        "tokens": torch.ones(2, length, dtype=torch.int64),
        **_window(),
    }
    module = MaskWindow(exported or model)
    return GraphSource(MaskWindow(model), module, inputs, module.outputs, BLOCK["mask"], "fp32", AXES)


def _graphs(model: SBNet, exported: SBNet, *, precision: Precision) -> dict[str, GraphSource]:
    size, width, length = model.config.recipe.size, model.config.model.width, model.config.text.length
    image, text, track = ImageSide(exported, half=precision == "fp16"), TextSide(exported), TrackSide(exported)
    images = {"images": torch.zeros(2, size, size, 3, dtype=torch.uint8)}
    words = {name: torch.ones(2, length, dtype=torch.int64) for name in ("ids", "mask")}
    graphs = {
        # Features are standardised, and some vary so little that rounded weights would move them by much of it.
        "image": GraphSource(
            ImageSide(model), image, images, image.outputs, BLOCK["image"], "fp32" if precision == "int8" else precision
        ),
        "text": GraphSource(TextSide(model), text, words, text.outputs, BLOCK["text"], precision),
        "mask": mask_graph(model, exported, precision=precision),
    }
    if track.outputs:
        boxes = {
            "pooled": torch.rand(2, width),
            "features": _features(model, precision),
            "box": torch.tensor([[0, 0, 3, 2]]).repeat(2, 1),
            **_window(),
        }
        if image.grid:
            width = model.image_attributes.network.cells_width
            boxes["grid"] = torch.rand(2, width, model.config.cells, model.config.cells)
        graphs["track"] = GraphSource(TrackSide(model), track, boxes, track.outputs, BLOCK["track"], "fp32", AXES)
    if model.motion:
        paths = {
            "points": torch.zeros(2, Recipe().max_points, 2),
            "lengths": torch.ones(2, dtype=torch.int64),
        }
        path = PathSide(exported)
        graphs["path"] = GraphSource(PathSide(model), path, paths, path.outputs, BLOCK["path"], "fp32")
    return graphs


# Each example is made anew: of one tensor given twice the exporter makes one input.
def _features(model: SBNet, precision: Precision) -> torch.Tensor:
    features = torch.rand(2, model.config.model.width, model.config.cells, model.config.cells)
    return features.half() if precision == "fp16" else features


def _window() -> dict[str, torch.Tensor]:
    return {name: torch.arange(-MASK_HALO, end).repeat(2, 1) for name, end in (("rows", 7), ("columns", 8))}

"""What a checkpoint of the contrastive system exports: the graphs `vehicle` and `text`, and what its manifest says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nlvr.engine.errors import FrameError
from nlvr.engine.frames import FrameStore
from nlvr.engine.runtime.devices import usable_cpus
from nlvr.engine.sampling import ShotPlan
from nlvr.engine.systems.contrastive import OUTPUT
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training.contrastive.attributes import slices
from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.dataset import read_vehicles
from nlvr.training.contrastive.looks import Look
from nlvr.training.contrastive.model import ContrastiveModel

from .checkpoints import open_checkpoint
from .parity import BOUNDS, Side, check_parity
from .source import BundleSource, GraphSource

if TYPE_CHECKING:
    from nlvr.engine.bundle import Bundle
    from nlvr.engine.preprocess import Recipe
    from nlvr.engine.runtime.graph import Feeds

    from .samples import Samples
    from .source import Precision

# Rows of a run. On one CPU core no block is over 5 % faster a row than two rows are, for ViT-B/32, ResNet-50,
# EfficientNet-Lite0 and their text towers; and a lone sentence pays for one row of padding at most.
BLOCK = {"cpu": 2, "cuda": 64}


def read_checkpoint(directory: str | Path, *, precision: Precision) -> BundleSource:
    """Load a checkpoint of the contrastive system.

    precision: of the backbones; the motion LSTM, the projections and the L2 norms are float32 in fp32 and fp16. int8 is
        how all large matrices are stored, and everything is computed in float32.
    Raises InputError for a folder that is no checkpoint, or one whose files do not fit each other.
    """
    found = open_checkpoint(Path(directory), load_config=load_config, build=ContrastiveModel, precision=precision)
    config, model, exported = found.config, found.model, found.exported
    size, length = config.recipe.size, config.text.length
    vehicle = {
        "background": torch.zeros(2, size, size, 3, dtype=torch.uint8),
        "crop": torch.zeros(2, size, size, 3, dtype=torch.uint8),
        "points": torch.zeros(2, config.recipe.max_points, 2),
        "lengths": torch.ones(2, dtype=torch.int64),
    }
    text = {name: torch.ones(2, length, dtype=torch.int64) for name in ("ids", "mask")}
    return BundleSource(
        system="contrastive",
        name=f"contrastive-{config.model.backbone}",
        trained=found.trained,
        settings=found.settings,
        precision=precision,
        recipe=config.recipe,
        tokenizer=found.tokenizer,
        text_length=length,
        vector=slices(config.model.width, attributes=config.model.attributes),
        normalised=True,
        graphs={
            "vehicle": GraphSource(model.vehicle, exported.vehicle, vehicle, (OUTPUT,), BLOCK, precision),
            "text": GraphSource(model.text, exported.text, text, (OUTPUT,), BLOCK, precision),
        },
    )


def measure(source: BundleSource, bundle: Bundle, samples: Samples, *, place: Path) -> dict[str, Any]:
    """Return the parity figures of a bundle on real footage.

    place: where the bundle is to go, for messages.
    Raises BundleError when a figure is below its bound, FrameError or InputError for footage that cannot be used.
    """
    vehicle, text = (
        Side(name, bundle.graphs[name], source.graphs[name].reference, rows)
        for name, rows in (("vehicle", vehicle_rows(bundle.recipe, samples)), ("text", text_rows(bundle, samples)))
    )
    return check_parity(vehicle, text, bounds=BOUNDS[source.precision], place=place)


def vehicle_rows(recipe: Recipe, samples: Samples) -> list[Feeds]:
    """Prepare each sample track, shown by its last frame, so that windows that overlap still show different frames.

    Raises FrameError for a frame that cannot be read, InputError for a box outside its image.
    """
    with FrameStore(samples.root, decode_threads=usable_cpus()) as store:
        looks = [Look(shot) for shot in ShotPlan(samples.tracks, store, "last").shots]
        rows: dict[int, Feeds] = {}
        for look, vehicle in read_vehicles(samples.tracks, looks, store, recipe):
            shot = look.shot
            if vehicle is None:
                frame = samples.tracks[shot.row].frames[shot.position]
                raise FrameError(store.root / frame, "the frame cannot be read", "give samples with whole footage")
            rows[shot.row] = vehicle.feeds()
    return [rows[row] for row in range(len(samples.tracks))]


def text_rows(bundle: Bundle, samples: Samples) -> list[Feeds]:
    """Tokenise the sentences as the engine does."""
    tokens = Tokenizer.from_file(bundle.tokenizer, length=bundle.text_length)(samples.sentences)
    return [{"ids": ids, "mask": mask} for ids, mask in zip(tokens.ids, tokens.mask, strict=True)]

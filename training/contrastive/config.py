"""Every setting of the contrastive system: one TOML file, read strictly, written back beside each checkpoint.

The defaults are the values of P2 ("Contrastive Learning for Natural Language-Based Vehicle Retrieval"); a preset under
`training/presets/` names what its backbones need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nlvr.engine.preprocess import Recipe

from ..readings import SAID
from ..settings import NOT_NEGATIVE, POSITIVE, SHARE, SettingsFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..settings import Fault, Range

PRESETS = ("clip", "baseline", "compact", "tiny")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The two streams.

    backbone: "clip" (ViT-B/32 and CLIP's text transformer), "baseline" (ResNet-50 and BERT), "compact"
        (EfficientNet-Lite0 and MiniLM) or "tiny" (a small convolutional network and text transformer, for tests).
    shared: one image tower for background and crop; otherwise two.
    width: size of the joint space (the outputs of W_v and W_s).
    motion_width: BiLSTM state per direction.
    patch: side in pixels of the reduced crop that a small network sees beside the towers and learns with the rest, 0
        for none: frozen towers tell objects apart more than their colours and their makes.
    grid: a small network that learns reads the map that the crop's tower makes: where things are in a crop tells a
        pickup from a sedan. Heads for attributes then leave the tower's means, which they would learn by heart.
    attributes: heads read colour, type and motion from either side and learn what the training sentences say of them;
        most of a score is then what they read, and the rest comes of W_v and W_s.
    course: how the path through the box points bends is told beside the BiLSTM over them.
    dropout: share of the features that training leaves out before W_v and W_s.
    weights: a local copy of the pretrained weights, in place of the loader's download; empty for the loader's own.
    """

    backbone: Literal["clip", "baseline", "compact", "tiny"]
    shared: bool = True
    width: int = 256
    motion_width: int = 64
    patch: int = 0
    grid: bool = False
    attributes: bool = False
    course: bool = False
    dropout: float = 0.0
    weights: str = ""


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """What training does to a track's pictures and points; nothing by default, as in P2.

    flip: probability of mirroring a track, which swaps left and right in its sentences; what frozen towers saw of its
        crop is mirrored anew in each batch.
    photo: strength of the changes of light, colours and sharpness (`nlvr.training.augment.Photo`).
    box: how far the edges of a crop move, as a share of its sides.
    path: how far the box points are cut at their ends, moved and stretched, as shares.
    bare: probability of showing a crop as if it were the whole frame, and all of the path: the way of those who keep no
        more of a vehicle than that.
    """

    flip: float = 0.0
    photo: float = 0.0
    box: float = 0.0
    path: float = 0.0
    bare: float = 0.0


@dataclass(frozen=True, slots=True)
class TextConfig:
    """length: tokens per sentence, special tokens included; shorter ones are padded, longer ones cut."""

    length: int = 77


@dataclass(frozen=True, slots=True)
class LossConfig:
    """The contrastive loss.

    kind: "infonce" or "triplet" (marginal, squared distance).
    direction: "both", "text_to_vehicle" or "vehicle_to_text".
    mix: λ, the share of text-to-vehicle when both directions count.
    temperature: τ of InfoNCE.
    margin: of the triplet loss.
    """

    kind: Literal["infonce", "triplet"] = "infonce"
    direction: Literal["both", "text_to_vehicle", "vehicle_to_text"] = "both"
    mix: float = 0.3
    temperature: float = 0.07
    margin: float = 0.5


@dataclass(frozen=True, slots=True)
class NegativesConfig:
    """The negatives of each anchor.

    within_batch: the negatives of an anchor are all the other tracks of its batch, each with its own anchor text, so
        that a batch has to encode no more than its anchors; the other settings then mean nothing.
    count: k, negatives per anchor and direction.
    hard_vehicles: negative vehicles come from other tracks of the same camera.
    hard_texts: negative texts come from the tracks whose sentences are most alike.
    threshold: text similarities above it are taken for false negatives and dropped.
    top: m, how many of the most similar tracks are drawn from.
    """

    within_batch: bool = False
    count: int = 5
    hard_vehicles: bool = False
    hard_texts: bool = False
    threshold: float = 0.9
    top: int = 50


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The training run (AdamW).

    anneal: the rate falls along half a cosine, from the first epoch's to nearly 0 in the last.
    seed: of the weights that are not pretrained and of every draw in training.
    frozen: towers that stay as they are ("image", "text"); they also stay in evaluation mode.
    copies: where both are frozen, how many augmented copies of each track they are shown before training, which then
        runs on what they made of them; 0 runs them in every step.
    validation_scene: the scene held out whole, so that no video is on both sides.
    """

    learning_rate: float = 1e-5
    weight_decay: float = 0.01
    anneal: bool = False
    epochs: int = 10
    batch: int = 16
    mixed_precision: bool = True
    seed: int = 0
    frozen: tuple[Literal["image", "text"], ...] = ()
    copies: int = 0
    validation_scene: str = "S01"


@dataclass(frozen=True, slots=True)
class ContrastiveConfig:
    """All settings of one model; the sections are the tables of its TOML file."""

    model: ModelConfig
    recipe: Recipe
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    text: TextConfig = field(default_factory=TextConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    negatives: NegativesConfig = field(default_factory=NegativesConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def to_toml(self) -> str:
        """Return the TOML text that `load_config` reads back to an equal object."""
        return _FORMAT.to_toml(self)


def load_config(source: str | Path, *, overrides: Sequence[str] = ()) -> ContrastiveConfig:
    """Read a preset ("clip", "baseline", "compact", "tiny") or the TOML file at a path.

    overrides: settings that replace the file's, each as "section.key=value", e.g. "loss.kind=triplet".
    Raises InputError naming the file and the key for an unreadable file, an unknown key or a bad value.
    """
    return _FORMAT.load(source, overrides=overrides)


def _faults(config: ContrastiveConfig) -> Iterator[Fault]:
    """Find values that are fine alone and not beside each other."""
    backbone, negatives, size, length = config.model.backbone, config.negatives, config.recipe.size, config.text.length
    if config.recipe.around:
        yield "recipe.around", "this system sees the crop and the whole frame", "leave it out"
    if config.model.weights and backbone in ("compact", "tiny"):
        yield "model.weights", f"{backbone} takes no local weights", "leave it empty"
    if negatives.within_batch and (negatives.hard_texts or negatives.hard_vehicles):
        yield "negatives.within_batch", "leaves no hard negatives to draw", "switch one of them off"
    if negatives.within_batch and config.loss.kind == "triplet":
        yield "negatives.within_batch", "a batch of one anchor has no triplet", "set loss.kind to infonce"
    if negatives.hard_texts and negatives.top < negatives.count:
        yield "negatives.top", f"{negatives.top} tracks cannot give {negatives.count}", "raise it"
    if backbone == "clip" and size != _CLIP_SIZE:
        yield "recipe.size", f"clip takes {_CLIP_SIZE} pixels, not {size}", f"set it to {_CLIP_SIZE}"
    if backbone == "compact" and size % 32:
        yield "recipe.size", f"compact takes a multiple of 32 pixels, not {size}", "change it"
    if config.model.patch and size % config.model.patch:
        yield "model.patch", f"{size} pixels are no multiple of {config.model.patch}", "change it or recipe.size"
    if config.model.grid and backbone not in ("compact", "tiny"):
        yield "model.grid", f"{backbone} has no map to read", "set it to false"
    if config.model.attributes and config.model.width <= sum(SAID):
        yield "model.width", f"attributes alone take {sum(SAID)} of it", "raise it, or set model.attributes to false"
    if config.schedule.copies and set(config.schedule.frozen) != {"image", "text"}:
        yield "schedule.copies", "only frozen towers see copies beforehand", 'freeze "image" and "text", or set 0'
    if length > _LONGEST[backbone]:
        yield "text.length", f"{backbone} reads at most {_LONGEST[backbone]} tokens", "lower it"


# The recipe's own class holds its rules; those that only training has are here.
_RANGES: dict[str, Range] = {
    "model.width": POSITIVE,
    "model.motion_width": POSITIVE,
    "model.patch": NOT_NEGATIVE,
    "model.dropout": (lambda value: 0 <= value < 1, "at least 0, below 1"),
    "recipe.size": (lambda value: value >= 32, "at least 32"),
    "recipe.max_points": (lambda value: value >= 2, "at least 2"),
    "augment.flip": SHARE,
    "augment.photo": NOT_NEGATIVE,
    "augment.box": SHARE,
    "augment.path": SHARE,
    "augment.bare": SHARE,
    "text.length": (lambda value: value >= 3, "at least 3"),
    "loss.mix": SHARE,
    "loss.temperature": POSITIVE,
    "loss.margin": NOT_NEGATIVE,
    "negatives.count": POSITIVE,
    "negatives.threshold": (lambda value: -1 <= value <= 1, "a cosine, between -1 and 1"),
    "negatives.top": POSITIVE,
    "schedule.learning_rate": POSITIVE,
    "schedule.weight_decay": NOT_NEGATIVE,
    "schedule.epochs": POSITIVE,
    "schedule.batch": POSITIVE,
    "schedule.seed": NOT_NEGATIVE,
    "schedule.copies": NOT_NEGATIVE,
}
_CLIP_SIZE = 224  # its position codes were learned for this size alone
_LONGEST = {"clip": 77, "baseline": 512, "compact": 512, "tiny": 4096}
_FORMAT = SettingsFormat(
    system="contrastive",
    kind=ContrastiveConfig,
    presets=PRESETS,
    required=("model.backbone", "recipe.mean", "recipe.std"),
    ranges=_RANGES,
    faults=_faults,
)

"""Every setting of SBNet: one TOML file, read strictly, written back beside each checkpoint.

P1 is "SBNet: Segmentation-based Network for Natural Language-based Vehicle Search". Where it is silent, ambiguous or
mistaken the choice is a setting here; its default is what we build, the preset `released` is what the authors' public
code computes. A preset under `training/presets/` names what its backbones need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from nlvr.engine.sampling import is_rule

from ..settings import NOT_NEGATIVE, POSITIVE, SHARE, SettingsFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..settings import Fault, Range

PRESETS = ("paper", "released", "compact", "tiny")
STRIDE = 16  # pixels per cell of every image module


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The network.

    image: "resnet50" (P1), "efficientnet-lite0" or "tiny" (a small convolutional network, for tests).
    language: "electra" (ELECTRA-small's discriminator, P1), "minilm" or "tiny" (a small transformer, for tests).
    width: c = e, the channels of FI and of FN; every inner width is a fixed share of it.
    mixing: how many blocks of convolutions tell each cell of FI what lies around it, none as in P1: a backbone that
        stays as it was published then learns shapes, which a mean over a box would not tell.
    grid: to how many cells a side a box's part of the backbone's map is brought, in which small convolutions read
        colour and type; 0 for the box's mean of FI (eqs. 6, 7).
    pos2d: a two-dimensional sine code is added to FI before the co-attention.
    figt: FIgt is the mean of FI over the whole "frame" (eq. 8 as written) or over the "box".
    attention_scale: the co-attention is divided by √c (eq. 13).
    attention_order: eq. 14 takes the image map that eq. 15 has updated ("sequential") or FI itself ("parallel").
    head_norm: batch normalisation in the colour and type heads that read a mean.
    weights: a folder with local copies of the pretrained weights of resnet50 and electra; empty for the loaders' own.
    """

    image: Literal["resnet50", "efficientnet-lite0", "tiny"]
    language: Literal["electra", "minilm", "tiny"]
    width: int = 2048
    mixing: int = 0
    grid: int = 0
    pos2d: bool = True
    figt: Literal["frame", "box"] = "frame"
    attention_scale: bool = True
    attention_order: Literal["sequential", "parallel"] = "sequential"
    head_norm: bool = True
    weights: str = ""


@dataclass(frozen=True, slots=True)
class ModulesConfig:
    """The columns of P1's Table 1. Each switches a module with its loss and its term of the score.

    classification: eqs. 5-7, 25 and CTM (21).  substitution: eqs. 8-11, 26 and SS (20).
    future: eqs. 18 and 27; it has no term of the score.
    motion: whether a vehicle turns, stops or goes straight, read from its path; not of P1.
    """

    classification: bool = True
    substitution: bool = True
    future: bool = True
    motion: bool = False


@dataclass(frozen=True, slots=True)
class RecipeConfig:
    """How frames become the image module's input.

    size: side of the square image, pixels; a multiple of 16, the side of a cell.
    resize: "area" (OpenCV) or "bicubic" (Pillow, antialiased).
    around: sides of the part of a frame in which a box is seen, in lengths of its longer side; 0 for the whole frame,
        where all of its boxes are seen at once (P1).
    frames: which frames of a track are scored: "released" (the first 64), "last", "largest", "all", or a number, spread
        evenly over the track.
    mean, std: of RGB in [0, 1]; applied inside the model.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int = 384
    resize: Literal["area", "bicubic"] = "bicubic"
    around: float = 0.0
    frames: str = "8"


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """What training does to a frame.

    crop: side of the random crop that keeps the boxes, as a share of the frame's; 1 for none. Where the recipe shows
        what is around a box, a little more or less of that is shown instead.
    flip: probability of mirroring a frame, which swaps left and right in its sentence, and anew of the boxes of
        `schedule.beside`.
    zoom: probability of a smaller crop, down to the box itself.
    photo: strength of the changes of light, colours and sharpness (`nlvr.training.augment.Photo`).
    mix: probability of blending another frame into what lies outside the boxes.
    path: how far the points of a track's boxes are cut at their ends, moved and stretched, as shares.
    box: how far the sides of the boxes of `schedule.beside` move, the deviation, as shares of the box.
    """

    crop: float = 0.8
    flip: float = 0.5
    zoom: float = 0.0
    photo: float = 0.0
    mix: float = 0.0
    path: float = 0.0
    box: float = 0.0


@dataclass(frozen=True, slots=True)
class TextConfig:
    """length: tokens per sentence (l), special tokens included; shorter ones are padded, longer ones cut."""

    length: int = 30


@dataclass(frozen=True, slots=True)
class LossConfig:
    """The total loss (eq. 23): weights of its parts and how each is computed.

    segmentation, classification, substitution, future, motion: weights of the parts.
    mask: "focal" (sigmoid focal loss, summed, divided by the number of positive cells) or "bce" in place of eq. 24.
    gamma: focusing exponent of the focal loss.
    label_smoothing: of each cross entropy (eq. 25).
    detach_targets: no gradient flows into FIgt and FNgt (eq. 26).
    """

    segmentation: float = 1.0
    classification: float = 0.2
    substitution: float = 1.0
    future: float = 0.2
    motion: float = 0.2
    mask: Literal["focal", "bce"] = "focal"
    gamma: float = 2.0
    label_smoothing: float = 0.1
    detach_targets: bool = True


@dataclass(frozen=True, slots=True)
class NegativesConfig:
    """probability: of replacing a sample's sentence by one that describes no vehicle of the frame."""

    probability: float = 0.2


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The training run (Adam with an L2 penalty).

    beta1: Adam's momentum.  decay: the rate is multiplied by it after each of `decay_epochs`.
    seed: of the weights that are not pretrained and of every draw in training.
    frozen: backbones that stay as they are ("image", "language"); they also stay in evaluation mode.
    copies: where both are frozen, how many augmented views of each track they are shown before training, which then
        runs on what they made of them; 0 runs them in every step, over every frame of every track once an epoch.
    beside: of how many more boxes of these views each step learns colour and type alone, where `model.grid` reads
        them: that costs little and wants to see more than masks do.
    validation_tracks, validation_frames: how many tracks of the scene held out are ranked after each epoch, and by how
        many frames each; 0 for all of them, and for the recipe's.
    validation_scene: the scene held out whole, so that no video is on both sides.
    """

    learning_rate: float = 3e-5
    weight_decay: float = 3e-5
    beta1: float = 0.9
    decay: float = 0.1
    decay_epochs: tuple[int, ...] = (5, 8)
    epochs: int = 10
    batch: int = 64
    mixed_precision: bool = True
    seed: int = 0
    frozen: tuple[Literal["image", "language"], ...] = ()
    copies: int = 0
    beside: int = 0
    validation_scene: str = "S01"
    validation_tracks: int = 0
    validation_frames: int = 0


@dataclass(frozen=True, slots=True)
class ScoreConfig:
    """The score of a pair.

    ctm_weight: λ of eq. 22, also of motion.
    match: what a colour, type or motion counts: its "probability" where most sentences name it (eq. 21), or the "log"
        of that, by the share of the sentences that name it.
    nl_labels: where no sentence names a colour or type, CTM (eq. 21) takes the language module's prediction; otherwise
        its term is 0.
    """

    ctm_weight: float = 0.5
    match: Literal["probability", "log"] = "probability"
    nl_labels: bool = True


@dataclass(frozen=True, slots=True)
class SBNetConfig:
    """All settings of one model; the sections are the tables of its TOML file."""

    model: ModelConfig
    recipe: RecipeConfig
    modules: ModulesConfig = field(default_factory=ModulesConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    text: TextConfig = field(default_factory=TextConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    negatives: NegativesConfig = field(default_factory=NegativesConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)

    @property
    def cells(self) -> int:
        """h* = w*: cells along a side of the feature map."""
        return self.recipe.size // STRIDE

    def to_toml(self) -> str:
        """Return the TOML text that `load_config` reads back to an equal object."""
        return _FORMAT.to_toml(self)


def load_config(source: str | Path, *, overrides: Sequence[str] = ()) -> SBNetConfig:
    """Read a preset ("paper", "released", "compact", "tiny") or the TOML file at a path.

    overrides: settings that replace the file's, each as "section.key=value", e.g. "modules.future=false".
    Raises InputError naming the file and the key for an unreadable file, an unknown key or a bad value.
    """
    return _FORMAT.load(source, overrides=overrides)


def _faults(config: SBNetConfig) -> Iterator[Fault]:
    """Find values that are fine alone and not beside each other."""
    model, length = config.model, config.text.length
    if model.weights and model.image != "resnet50" and model.language != "electra":
        yield "model.weights", f"{model.image} and {model.language} take no local weights", "leave it empty"
    if config.schedule.copies and set(config.schedule.frozen) != {"image", "language"}:
        yield "schedule.copies", "only frozen backbones see views beforehand", 'freeze "image" and "language", or set 0'
    if config.schedule.beside and not (config.schedule.copies and model.grid and config.modules.classification):
        fact = "colour and type are learned alone where a grid reads them in views that were seen beforehand"
        yield "schedule.beside", fact, "set schedule.copies, model.grid and modules.classification, or set 0"
    if length > _LONGEST[model.language]:
        yield "text.length", f"{model.language} reads at most {_LONGEST[model.language]} tokens", "lower it"


_RANGES: dict[str, Range] = {
    "model.mixing": NOT_NEGATIVE,
    "model.grid": NOT_NEGATIVE,
    "model.width": (lambda value: value > 0 and value % 16 == 0, "a multiple of 16 above zero"),
    "recipe.size": (lambda value: value >= 2 * STRIDE and value % STRIDE == 0, f"a multiple of {STRIDE}, at least 32"),
    "recipe.around": (lambda value: value == 0 or value >= 1, "0, or 1 and more"),
    "recipe.frames": (is_rule, "released, last, largest, all or a number of frames in quotes"),
    "recipe.mean": SHARE,
    "recipe.std": (lambda value: 0 < value <= 1, "above 0, at most 1"),
    "augment.crop": (lambda value: 0 < value <= 1, "above 0, at most 1"),
    "augment.flip": SHARE,
    "augment.zoom": SHARE,
    "augment.photo": NOT_NEGATIVE,
    "augment.mix": SHARE,
    "augment.path": SHARE,
    "augment.box": SHARE,
    "text.length": (lambda value: value >= 3, "at least 3"),
    "loss.segmentation": POSITIVE,
    "loss.classification": NOT_NEGATIVE,
    "loss.substitution": NOT_NEGATIVE,
    "loss.future": NOT_NEGATIVE,
    "loss.motion": NOT_NEGATIVE,
    "loss.gamma": NOT_NEGATIVE,
    "loss.label_smoothing": (lambda value: 0 <= value < 1, "at least 0, below 1"),
    "negatives.probability": SHARE,
    "schedule.learning_rate": POSITIVE,
    "schedule.weight_decay": NOT_NEGATIVE,
    "schedule.beta1": (lambda value: 0 <= value < 1, "at least 0, below 1"),
    "schedule.decay": (lambda value: 0 < value <= 1, "above 0, at most 1"),
    "schedule.decay_epochs": POSITIVE,
    "schedule.epochs": POSITIVE,
    "schedule.batch": POSITIVE,
    "schedule.seed": NOT_NEGATIVE,
    "schedule.copies": NOT_NEGATIVE,
    "schedule.beside": (lambda value: value == 0 or value >= 2, "0, or 2 and more"),
    "schedule.validation_tracks": NOT_NEGATIVE,
    "schedule.validation_frames": NOT_NEGATIVE,
    "score.ctm_weight": NOT_NEGATIVE,
}
_LONGEST = {"electra": 512, "minilm": 512, "tiny": 4096}
_FORMAT = SettingsFormat(
    system="sbnet",
    kind=SBNetConfig,
    presets=PRESETS,
    required=("model.image", "model.language", "recipe.mean", "recipe.std"),
    ranges=_RANGES,
    faults=_faults,
)

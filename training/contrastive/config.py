"""Every setting of the contrastive system: one TOML file, read strictly, written back beside each checkpoint.

The defaults are the values of P2 ("Contrastive Learning for Natural Language-Based Vehicle Retrieval"); a preset under
`training/presets/` names what its backbones need.
"""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from nlvr.engine.errors import InputError
from nlvr.engine.preprocess import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PRESETS = ("clip", "baseline", "compact", "tiny")
_PRESET_DIRECTORY = Path(__file__).resolve().parent.parent / "presets"


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The two streams.

    backbone: "clip" (ViT-B/32 and CLIP's text transformer), "baseline" (ResNet-50 and BERT), "compact"
        (EfficientNet-Lite0 and MiniLM) or "tiny" (a small convolutional network and text transformer, for tests).
    shared: one image tower for background and crop; otherwise two.
    width: size of the joint space (the outputs of W_v and W_s).
    motion_width: BiLSTM state per direction.
    weights: a local copy of the pretrained weights, in place of the loader's download; empty for the loader's own.
    """

    backbone: Literal["clip", "baseline", "compact", "tiny"]
    shared: bool = True
    width: int = 256
    motion_width: int = 64
    weights: str = ""


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

    count: k, negatives per anchor and direction.
    hard_vehicles: negative vehicles come from other tracks of the same camera.
    hard_texts: negative texts come from the tracks whose sentences are most alike.
    threshold: text similarities above it are taken for false negatives and dropped.
    top: m, how many of the most similar tracks are drawn from.
    """

    count: int = 5
    hard_vehicles: bool = False
    hard_texts: bool = False
    threshold: float = 0.9
    top: int = 50


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """The training run (AdamW).

    seed: of the weights that are not pretrained and of every draw in training.
    frozen: towers that stay as they are ("image", "text"); they also stay in evaluation mode.
    validation_scene: the scene held out whole, so that no video is on both sides.
    """

    learning_rate: float = 1e-5
    weight_decay: float = 0.01
    epochs: int = 10
    batch: int = 16
    mixed_precision: bool = True
    seed: int = 0
    frozen: tuple[Literal["image", "text"], ...] = ()
    validation_scene: str = "S01"


@dataclass(frozen=True, slots=True)
class ContrastiveConfig:
    """All settings of one model; the sections are the tables of its TOML file."""

    model: ModelConfig
    recipe: Recipe
    text: TextConfig = field(default_factory=TextConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    negatives: NegativesConfig = field(default_factory=NegativesConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def to_toml(self) -> str:
        """Return the TOML text that `load_config` reads back to an equal object."""
        tables = []
        for section, table in asdict(self).items():
            lines = [f"[{section}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items())]
            tables.append("\n".join(lines) + "\n")
        return "\n".join(tables)


def load_config(source: str | Path, *, overrides: Sequence[str] = ()) -> ContrastiveConfig:
    """Read a preset ("clip", "baseline", "compact", "tiny") or the TOML file at a path.

    overrides: settings that replace the file's, each as "section.key=value", e.g. "loss.kind=triplet".
    Raises InputError naming the file and the key for an unreadable file, an unknown key or a bad value.
    """
    path = _PRESET_DIRECTORY / f"contrastive-{source}.toml" if source in PRESETS else Path(source)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = f"give a TOML file or one of {', '.join(PRESETS)}"
        raise InputError(path, f"cannot be read ({error.strerror})", remedy) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not TOML ({error})", "mend the file") from error
    for name, table in tables.items():
        if name not in _SECTIONS or not isinstance(table, dict):
            raise _refusal(path, name, "no section of this name", f"the sections are {', '.join(_SECTIONS)}")
    for override in overrides:
        _override(tables, override)
    return _config(tables, path)


def _config(tables: Mapping[str, Any], path: Path) -> ContrastiveConfig:
    for section, key in _REQUIRED:
        if key not in tables.get(section, {}):
            raise _refusal(path, f"{section}.{key}", "absent", "give a value, as the presets do")
    built = {name: _section(kind, name, tables.get(name, {}), path) for name, kind in _SECTIONS.items()}
    config = ContrastiveConfig(**built)
    _check_together(config, path)
    return config


def _section(kind: type, section: str, table: Mapping[str, Any], path: Path) -> Any:  # noqa: ANN401
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise _refusal(path, f"{section}.{key}", "unknown key", f"[{section}] takes {', '.join(hints)}")
    return kind(**{key: _value(value, hints[key], f"{section}.{key}", path) for key, value in table.items()})


def _value(value: object, hint: object, name: str, path: Path) -> Any:  # noqa: ANN401
    """Return one TOML value as the type of its field, within its allowed range."""
    if get_origin(hint) is tuple:
        of, *rest = get_args(hint)
        count = None if rest == [...] else 1 + len(rest)
        if not isinstance(value, list) or count not in (None, len(value)):
            raise _unfit(path, name, value, "a list" if count is None else f"a list of {count} values")
        return tuple(_value(item, of, name, path) for item in value)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise _unfit(path, name, value, f"one of {', '.join(get_args(hint))}")
        return value
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise _unfit(path, name, value, _TYPES[hint])
    if isinstance(value, float) and not math.isfinite(value):
        raise _unfit(path, name, value, "a finite number")
    accepts, wanted = _RANGES.get(name, (lambda _: True, ""))
    if not accepts(value):
        raise _unfit(path, name, value, wanted)
    return value


def _unfit(path: Path, name: str, value: object, wanted: str) -> InputError:
    return _refusal(path, name, f"{value!r} does not fit", f"give {wanted}")


def _refusal(path: Path, name: str, fact: str, remedy: str) -> InputError:
    where = f"{path}: {name}"
    return InputError(where, fact, remedy)


def _check_together(config: ContrastiveConfig, path: Path) -> None:
    """Refuse values that are fine alone and not beside each other."""
    backbone, negatives, size, length = config.model.backbone, config.negatives, config.recipe.size, config.text.length
    if config.model.weights and backbone in ("compact", "tiny"):
        raise _refusal(path, "model.weights", f"{backbone} takes no local weights", "leave it empty")
    if negatives.hard_texts and negatives.top < negatives.count:
        raise _refusal(path, "negatives.top", f"{negatives.top} tracks cannot give {negatives.count}", "raise it")
    if backbone == "clip" and size != _CLIP_SIZE:
        raise _refusal(path, "recipe.size", f"clip takes {_CLIP_SIZE} pixels, not {size}", f"set it to {_CLIP_SIZE}")
    if backbone == "compact" and size % 32:
        raise _refusal(path, "recipe.size", f"compact takes a multiple of 32 pixels, not {size}", "change it")
    if length > _LONGEST[backbone]:
        raise _refusal(path, "text.length", f"{backbone} reads at most {_LONGEST[backbone]} tokens", "lower it")


def _override(tables: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section in _SECTIONS):
        raise InputError(override, "is no setting", "write section.key=value, e.g. loss.kind=triplet")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a text, so that a shell needs no quotes inside quotes
    tables.setdefault(section, {})[key] = value


def _toml_value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace(
            "\x7f", "\\u007f"
        )  # the one that TOML escapes and JSON not
    return repr(value).lower() if isinstance(value, bool) else repr(value)


_SECTIONS = get_type_hints(ContrastiveConfig)
_TYPES: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes"}
_POSITIVE: tuple[Callable[[Any], bool], str] = (lambda value: value > 0, "above zero")
_NOT_NEGATIVE: tuple[Callable[[Any], bool], str] = (lambda value: value >= 0, "zero or more")
_SHARE: tuple[Callable[[Any], bool], str] = (lambda value: 0 <= value <= 1, "between 0 and 1")
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model.width": _POSITIVE,
    "model.motion_width": _POSITIVE,
    "recipe.size": (lambda value: value >= 32, "at least 32"),
    "recipe.frames": (
        lambda value: value in ("last", "largest", "all") or (value.isdecimal() and int(value) > 0),
        "last, largest, all or a number of frames in quotes",
    ),
    "recipe.line_width": _SHARE,
    "recipe.max_points": (lambda value: value >= 2, "at least 2"),
    "recipe.std": _POSITIVE,
    "text.length": (lambda value: value >= 3, "at least 3"),
    "loss.mix": _SHARE,
    "loss.temperature": _POSITIVE,
    "loss.margin": _NOT_NEGATIVE,
    "negatives.count": _POSITIVE,
    "negatives.threshold": (lambda value: -1 <= value <= 1, "a cosine, between -1 and 1"),
    "negatives.top": _POSITIVE,
    "schedule.learning_rate": _POSITIVE,
    "schedule.weight_decay": _NOT_NEGATIVE,
    "schedule.epochs": _POSITIVE,
    "schedule.batch": _POSITIVE,
    "schedule.seed": _NOT_NEGATIVE,
}
_REQUIRED = (("model", "backbone"), ("recipe", "mean"), ("recipe", "std"))
_CLIP_SIZE = 224  # its position codes were learned for this size alone
_LONGEST = {"clip": 77, "baseline": 512, "compact": 512, "tiny": 4096}

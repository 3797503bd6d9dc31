"""What a folder holds of a checkpoint, whichever system's it is, and the module that exports it."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nlvr.engine.errors import InputError
from nlvr.training.checkpoint import CONFIG, TOKENIZER, checkpoint_file, load_weights, trained_steps
from nlvr.training.settings import system_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from .source import Precision

SYSTEMS = ("contrastive", "sbnet")


def system_module(directory: Path) -> ModuleType:
    """Return the module with `read_checkpoint` and `measure` for the system of a checkpoint.

    Raises InputError for a folder that is no checkpoint, or one of a system that is unknown.
    """
    path = checkpoint_file(directory, CONFIG)
    system = system_of(path)
    if system not in SYSTEMS:
        raise InputError(path, f"system is {system!r}", f"give a checkpoint of one of {', '.join(SYSTEMS)}")
    return import_module(f".{system}", __package__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as it is exported.

    model: as it was trained, in evaluation mode.  exported: the same in the bundle's precision.
    settings: the model's, for the manifest.  trained: whether its weights took at least one step.
    """

    config: Any
    model: Any
    exported: Any
    tokenizer: Path
    settings: dict[str, Any]
    trained: bool


def open_checkpoint(
    directory: Path, *, load_config: Callable[[Path], Any], build: Callable[..., Any], precision: Precision
) -> Checkpoint:
    """Load a checkpoint of the system that these two functions are of.

    build: makes the untrained model of a configuration; it has `half_towers`.
    Raises InputError for a folder that is no checkpoint, or one whose files do not fit each other.
    """
    config = load_config(checkpoint_file(directory, CONFIG))
    tokenizer = checkpoint_file(directory, TOKENIZER)
    model = build(config, pretrained=False)
    load_weights(model, directory)
    model.eval()
    settings = asdict(config.model)
    settings.pop("weights")  # where the weights once lay on the machine that trained
    return Checkpoint(
        config=config,
        model=model,
        exported=copy.deepcopy(model).half_towers() if precision == "fp16" else model,
        tokenizer=tokenizer,
        settings=settings,
        trained=trained_steps(directory) > 0,
    )

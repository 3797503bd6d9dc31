"""Which system's checkpoint a folder holds, and the module that exports it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nlvr.engine.errors import InputError
from nlvr.training.checkpoint import CONFIG, checkpoint_file
from nlvr.training.settings import system_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

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

"""The systems that can be trained. A further one is one more function here and one more line in `_SYSTEMS`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlvr.engine.errors import InputError

from .settings import system_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import tokenizers
    from torch import nn

    from .loop import Task

_DEFAULT = "contrastive"  # whose presets need no prefix, and whose files need not name their system


@dataclass(frozen=True, slots=True)
class System:
    """What a system brings to training; its configuration has a `schedule` and `to_toml`.

    name: as in its files.  presets: the names of its settings.  load_config: a preset or a file, and overrides.
    model, tokenizer: built from a configuration.  task: see the systems' own.
    memory: what tasks over the same tracks with the same frozen backbones share, empty.
    """

    name: str
    presets: Sequence[str]
    load_config: Callable[..., Any]
    model: Callable[..., nn.Module]
    tokenizer: Callable[[Any], tokenizers.Tokenizer]
    task: Callable[..., Task]
    memory: Callable[[], Any]


def find_system(source: str) -> tuple[System, str]:
    """Return the system of a configuration, and its name within that system.

    source: "contrastive-compact", "sbnet-tiny" and so on; a preset of the contrastive system without the prefix; or the
    path of a TOML file, whose `system` names it.
    Raises InputError for what is none of these.
    """
    systems = {name: build() for name, build in _SYSTEMS.items()}
    presets = {f"{name}-{preset}": (system, preset) for name, system in systems.items() for preset in system.presets}
    for name in (source, f"{_DEFAULT}-{source}"):
        if name in presets:
            return presets[name]
    if not Path(source).is_file():
        place = f"--config {source}"
        raise InputError(place, "is no preset and no file", f"give a TOML file or one of {', '.join(presets)}")
    system = system_of(Path(source)) or _DEFAULT
    if system not in systems:
        raise InputError(source, f"system is {system!r}", f"give settings of one of {', '.join(systems)}")
    return systems[system], source


def _contrastive() -> System:
    from .contrastive.config import PRESETS, load_config
    from .contrastive.memory import Memory
    from .contrastive.model import ContrastiveModel
    from .contrastive.task import ContrastiveTask
    from .contrastive.tokenizers import build_tokenizer

    return System("contrastive", PRESETS, load_config, ContrastiveModel, build_tokenizer, ContrastiveTask, Memory)


def _sbnet() -> System:
    from .sbnet.config import PRESETS, load_config
    from .sbnet.memory import Memory
    from .sbnet.model import SBNet
    from .sbnet.task import SBNetTask
    from .sbnet.tokenizers import build_tokenizer

    return System("sbnet", PRESETS, load_config, SBNet, build_tokenizer, SBNetTask, Memory)


_SYSTEMS = {"contrastive": _contrastive, "sbnet": _sbnet}

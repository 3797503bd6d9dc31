"""A checkpoint directory: `model.safetensors`, `config.toml`, `tokenizer.json`. Knows nothing of the model in it.

While a run is under way the directory also holds `training-state.pt`, from which the run is resumed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from nlvr.engine.errors import InputError, unwritable
from nlvr.engine.output import write_whole

if TYPE_CHECKING:
    from torch import nn

WEIGHTS, CONFIG, TOKENIZER, STATE = "model.safetensors", "config.toml", "tokenizer.json", "training-state.pt"
_REMEDY = "give the folder that `nlvr-engine train --output` wrote"


def make_directory(directory: Path) -> None:
    """Create the directory and those above it. Raises OutputError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error) from error


def save_checkpoint(directory: Path, model: nn.Module, *, config: str, tokenizer: str, steps: int) -> None:
    """Write the three files, each whole or not at all; equal weights give equal bytes. Raises OutputError.

    config, tokenizer: the texts of `config.toml` and `tokenizer.json`.  steps: how many made the weights.
    """
    make_directory(directory)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_whole(directory / CONFIG, config.encode())
    write_whole(directory / TOKENIZER, tokenizer.encode())
    write_whole(directory / WEIGHTS, save_tensors(weights, {"steps": str(steps)}))


def checkpoint_file(directory: str | Path, name: str) -> Path:
    """Return the path of one file of a checkpoint. Raises InputError when it is not there."""
    path = Path(directory) / name
    if not path.is_file():
        raise InputError(directory, f"is no checkpoint, it has no {name}", _REMEDY)
    return path


def trained_steps(directory: str | Path) -> int:
    """Return how many optimiser steps made a checkpoint's weights, as training recorded it beside them."""
    with safe_open(checkpoint_file(directory, WEIGHTS), framework="pt") as weights:
        return int((weights.metadata() or {}).get("steps", 0))


def load_weights(model: nn.Module, directory: str | Path) -> None:
    """Load a checkpoint's weights into a model built from its configuration.

    Raises InputError when the file is missing or damaged, or a tensor is missing, unknown or of another shape.
    """
    path = checkpoint_file(directory, WEIGHTS)
    try:
        weights = load_tensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise InputError(path, f"cannot be read ({error})", "train again or copy the file again") from error
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            fact = f"tensor {name} is {_shape(found.get(name))}, {CONFIG} wants it {_shape(expected.get(name))}"
            raise InputError(path, fact, "restore the configuration that this checkpoint was trained with")
    model.load_state_dict(weights)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else f"of shape {list(shape)}"


def save_state(directory: Path, state: dict[str, Any]) -> None:
    """Write what a run needs to go on: tensors, numbers and text in plain containers. Raises OutputError."""
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(directory / STATE, content.getvalue())


def load_state(directory: Path) -> dict[str, Any]:
    """Read what `save_state` wrote. Raises InputError when there is nothing to resume, or it cannot be read."""
    path = directory / STATE
    if not path.is_file():
        raise InputError(directory, f"has no {STATE}: the run is finished or was never begun", "drop --resume")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different kind for each way a file can be damaged
        raise InputError(path, f"cannot be read ({error})", "remove it and train from the start") from error


def drop_state(directory: Path) -> None:
    """Remove the state of a run that is finished."""
    (directory / STATE).unlink(missing_ok=True)

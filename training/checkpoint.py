"""A checkpoint directory: `model.safetensors`, `config.toml`, `tokenizer.json`. Knows nothing of the model in it.

The weights are those that training made. A network of the model that is still what a package publishes, as a frozen
backbone is, stands in the metadata of `model.safetensors` by package, file and sha256, and its tensors do not.

While a run is under way the directory also holds `training-state.pt`, from which the run is resumed.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from nlvr.engine.errors import InputError, OutputError, unwritable
from nlvr.engine.output import write_whole

from .backbones.weights import PackagedWeights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn

WEIGHTS, CONFIG, TOKENIZER, STATE = "model.safetensors", "config.toml", "tokenizer.json", "training-state.pt"
METRICS = "metrics.jsonl"
_STEPS, _PACKAGED = "steps", "packaged"  # keys of the metadata
_REMEDY = "give the folder that `nlvr-engine train --output` wrote"


def make_directory(directory: Path) -> None:
    """Create the directory and those above it. Raises OutputError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error) from error


def check_new(directory: Path) -> None:
    """Refuse a place for a new run that holds more than the metrics of one which was killed before it saved anything.

    Raises OutputError, InputError for an interrupted run.
    """
    if (directory / STATE).exists():
        raise InputError(
            directory, "holds a run that was interrupted", f"go on with --resume, or remove {STATE} to start again"
        )
    if directory.exists() and (not directory.is_dir() or {path.name for path in directory.iterdir()} - {METRICS}):
        raise OutputError(directory, "is there already", "choose a folder that is new or empty")


def save_checkpoint(directory: Path, model: nn.Module, *, config: str, tokenizer: str, steps: int) -> None:
    """Write the three files, each whole or not at all; equal weights give equal bytes. Raises OutputError.

    What a network holds is compared with what its package publishes, so it does not matter how it came by it: by
    loading it, or from the state of an interrupted run.
    config, tokenizer: the texts of `config.toml` and `tokenizer.json`.  steps: how many made the weights.
    """
    make_directory(directory)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_whole(directory / CONFIG, config.encode())
    write_whole(directory / TOKENIZER, tokenizer.encode())
    left_out = []
    for name, network, source in _packaged_networks(model):
        if _is_published(network, source):
            left_out.append({"network": name, **asdict(source.file)})
            for key in network.state_dict():
                del weights[f"{name}.{key}"]
    metadata = {_STEPS: str(steps), **({_PACKAGED: json.dumps(left_out)} if left_out else {})}
    write_whole(directory / WEIGHTS, _serialised(weights, metadata))


def _packaged_networks(model: nn.Module) -> Iterator[tuple[str, nn.Module, PackagedWeights]]:
    """Yield the name, the module and the published weights of each network that a package has weights of."""
    for name, network in model.named_modules():
        source = getattr(network, "packaged", None)
        if isinstance(source, PackagedWeights):
            yield name, network, source


def _is_published(network: nn.Module, source: PackagedWeights) -> bool:
    try:
        published = source.tensors(network)
    except InputError:  # then nothing was taken from it
        return False
    state = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    return all(
        tensor.dtype == published[name].dtype and torch.equal(tensor, published[name]) for name, tensor in state.items()
    )


def _serialised(weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the content of a safetensors file. The library orders the metadata's keys anew in every process."""
    content = save_tensors(dict(weights), dict(metadata))
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(metadata.items()))
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + ordered.ljust(end - 8) + content[end:]


def checkpoint_file(directory: str | Path, name: str) -> Path:
    """Return the path of one file of a checkpoint. Raises InputError when it is not there."""
    path = Path(directory) / name
    if not path.is_file():
        raise InputError(directory, f"is no checkpoint, it has no {name}", _REMEDY)
    return path


def trained_steps(directory: str | Path) -> int:
    """Return how many optimiser steps made a checkpoint's weights, as training recorded it beside them."""
    return int(_metadata(checkpoint_file(directory, WEIGHTS)).get(_STEPS, 0))


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as weights:
        return weights.metadata() or {}


def load_weights(model: nn.Module, directory: str | Path) -> None:
    """Load a checkpoint's weights into a model built from its configuration, what it left out from the packages.

    Raises InputError when the file is missing or damaged, a tensor is missing, unknown or of another shape, or a
    package that the file names is not installed, has another version, or is none that the model knows.
    """
    path = checkpoint_file(directory, WEIGHTS)
    try:
        weights = load_tensors(path.read_bytes())
        left_out = {record.pop("network"): record for record in json.loads(_metadata(path).get(_PACKAGED, "[]"))}
    except (OSError, SafetensorError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(path, f"cannot be read ({error})", "train again or copy the file again") from error
    weights |= _published_tensors(model, left_out, path)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            fact = f"tensor {name} is {_shape(found.get(name))}, {CONFIG} wants it {_shape(expected.get(name))}"
            raise InputError(path, fact, "restore the configuration that this checkpoint was trained with")
    model.load_state_dict(weights)


def _published_tensors(model: nn.Module, left_out: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """Return the tensors of the networks that a file left out, by their names in the model. Raises InputError."""
    known = {name: (network, source) for name, network, source in _packaged_networks(model)}
    found = {}
    for name, record in left_out.items():
        network, source = known.get(name, (None, None))
        if network is None or source is None or record != asdict(source.file):
            fact = f"leaves {name} to {record}, which this version does not know"
            raise InputError(path, fact, "install the nlvr-engine that trained it, or train again")
        tensors = source.tensors(network, wanted_by=f"{path}: {name}")
        found |= {f"{name}.{key}": tensor for key, tensor in tensors.items()}
    return found


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

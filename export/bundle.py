"""A checkpoint's parts → a bundle on disk, whole and measured, or nothing."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nlvr.engine.bundle import MANIFEST, SCHEMA, checksum, open_bundle, recipe_record, write_bundle
from nlvr.engine.errors import OutputError, unwritable
from nlvr.training.checkpoint import TOKENIZER, WEIGHTS

from .graph import write_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nlvr.engine.bundle import Bundle

    from .source import BundleSource

_TOOLS = ("nlvr-engine", "torch", "onnx", "onnxscript", "onnxruntime")
_REMEDY = "choose a folder that is new, empty or a bundle"


def check_output(output: Path, *, checkpoint: Path) -> None:
    """Refuse an output that cannot be written, is no bundle, or holds another checkpoint. Raises OutputError."""
    present = next(path for path in (output.absolute(), *output.absolute().parents) if path.exists())
    if not present.is_dir():
        raise OutputError(present, "is no folder", _REMEDY)
    if not os.access(present, os.W_OK):
        raise OutputError(present, "cannot be written", "choose another place")
    if not output.exists() or (checkpoint.exists() and output.samefile(checkpoint)):
        return
    if (output / WEIGHTS).exists():
        raise OutputError(output, "holds another checkpoint", "export into that checkpoint's own folder or a new one")
    if any(output.iterdir()) and not (output / MANIFEST).is_file():
        raise OutputError(output, "is neither empty nor a bundle", _REMEDY)


def write(source: BundleSource, output: Path, *, gate: Callable[[Bundle], dict[str, Any]]) -> Bundle:
    """Export the graphs, measure them, and put the bundle at `output`, where `check_output` found nothing to refuse.

    gate: is given the bundle before it has its place; returns the manifest's parity figures, or raises.
    Raises OutputError when a file cannot be written, and what the gate raises; then `output` is as it was.
    """
    with _folder_for(output) as folder:
        with _write_errors(output):
            manifest = _write_files(source, folder)
        manifest["parity"] = gate(write_bundle(folder, manifest))
        write_bundle(folder, manifest)
        with _write_errors(output):
            _place(folder, output)
    return open_bundle(output)


@contextmanager
def _folder_for(output: Path) -> Iterator[Path]:
    """Yield a new folder on the output's file system; whatever is in it afterwards is removed."""
    present = next(path for path in (output.absolute(), *output.absolute().parents) if path.is_dir())
    with _write_errors(output):
        temporary = TemporaryDirectory(prefix=f".{output.absolute().name}.", suffix=".tmp", dir=present)
    with temporary:
        # A temporary directory is closed to other users; the folder in it has the rights of any other.
        folder = Path(temporary.name) / "bundle"
        folder.mkdir()
        yield folder


@contextmanager
def _write_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(output, error) from error


def _write_files(source: BundleSource, folder: Path) -> dict[str, Any]:
    """Write graphs and tokenizer into a folder. Returns the manifest, without parity figures."""
    graphs = {}
    for name, graph in source.graphs.items():
        path = folder / f"{name}.onnx"
        record = write_graph(path, graph, system=source.system, name=name)
        graphs[name] = {**record, "sha256": checksum(path), "block": dict(graph.block)}
    tokenizer = Path(shutil.copyfile(source.tokenizer, folder / TOKENIZER))
    return {
        "schema": SCHEMA,
        "name": source.name,
        "system": source.system,
        "trained": source.trained,
        "settings": dict(source.settings),
        "graphs": graphs,
        "preprocessing": recipe_record(source.recipe),
        "tokenizer": {"file": tokenizer.name, "sha256": checksum(tokenizer), "length": source.text_length},
        "vector": {
            "dtype": "float32",
            "dims": max((stop for _, stop in source.vector.values()), default=0),
            "normalised": source.normalised,
            "slices": {name: list(part) for name, part in source.vector.items()},
        },
        **({"scoring": dict(source.scoring)} if source.scoring else {}),
        "tools": {package: version(package) for package in _TOOLS},
    }


def _place(folder: Path, output: Path) -> None:
    """Rename the folder to its place, or its files over those of the bundle that is there, the manifest last.

    Between two of these renames the checksums do not fit, so a bundle that is cut short there never opens.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    if not output.exists():
        folder.rename(output)
        return
    for path in sorted(folder.iterdir(), key=lambda path: path.name == MANIFEST):
        path.replace(output / path.name)

"""A bundle: a directory with a manifest, graphs and a tokenizer, checked before anything runs.

checkpoints/<name>/manifest.json   what follows, and sha256 of every file
checkpoints/<name>/*.onnx          the graphs; precision is a property of the file
checkpoints/<name>/tokenizer.json
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import path_of
from .errors import BundleError
from .output import write_whole
from .preprocess import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

Signature = tuple[str, tuple[int | str, ...]]  # of an input or output: dtype and dims

SCHEMA = 1
MANIFEST = "manifest.json"
REMEDY = "export the bundle again with `nlvr-engine export`"


@dataclass(frozen=True, slots=True)
class GraphFile:
    """One graph: its file, and what it takes and returns.

    inputs, outputs: name → (dtype, dims), a dim being a number or a name; the first is the batch.
    block: device → rows of a run; a graph is only ever run with that many, padded where fewer are left.
    """

    path: Path
    precision: str
    opset: int
    inputs: Mapping[str, Signature]
    outputs: Mapping[str, Signature]
    block: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every file was read and matched.

    embedding_id: sha256 over the manifest; vectors of two bundles compare only where it is equal.
    vector: layout of a track's and a query's vector, slice name → (start, stop).
    manifest: the whole manifest, for `inspect`.
    """

    path: Path
    system: str
    trained: bool
    embedding_id: str
    graphs: Mapping[str, GraphFile]
    recipe: Recipe
    tokenizer: Path
    text_length: int
    vector: Mapping[str, tuple[int, int]]
    manifest: Mapping[str, Any]

    @property
    def scoring(self) -> Mapping[str, Any]:
        """What the system must know beside its graphs."""
        found = self.manifest.get("scoring", {})
        return found if isinstance(found, dict) else {}

    @property
    def dims(self) -> int:
        """The length of a vector."""
        return max((stop for _, stop in self.vector.values()), default=0)


def open_bundle(path: str | Path) -> Bundle:
    """Read and check a bundle.

    Raises InputError for what is no path, BundleError when the folder is none, the schema is unknown, a field is
    missing or of the wrong type, or a file is absent or does not match its checksum.
    """
    path = path_of("bundle", path)
    manifest = _read_manifest(path)
    reader = _Reader(path / MANIFEST, manifest)
    recipe = dict(reader.record("preprocessing"))
    if recipe.pop("colour", None) != "RGB":
        raise BundleError(path / MANIFEST, "preprocessing.colour is not RGB", REMEDY)
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in recipe.items()}
    try:
        parsed = Recipe(**values)
    except (TypeError, ValueError) as error:
        raise BundleError(path / MANIFEST, f"preprocessing cannot be read ({error})", REMEDY) from error
    return Bundle(
        path=path,
        system=reader.field("system", str),
        trained=reader.field("trained", bool),
        embedding_id=embedding_id(manifest),
        graphs={name: _graph(reader, path, name) for name in reader.record("graphs")},
        recipe=parsed,
        tokenizer=_checked(path, reader, "tokenizer"),
        text_length=reader.count("tokenizer.length"),
        vector={name: reader.span(f"vector.slices.{name}") for name in reader.record("vector.slices")},
        manifest=manifest,
    )


def write_bundle(path: str | Path, manifest: Mapping[str, Any]) -> Bundle:
    """Write the manifest of a directory that already holds the files it names, and open the result."""
    path = Path(path)
    write_whole(path / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return open_bundle(path)


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """Return the manifest's `preprocessing` for a recipe."""
    return {"colour": "RGB", **asdict(recipe)}


def embedding_id(manifest: Mapping[str, Any]) -> str:
    """Return the sha256 over a manifest in one canonical form."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def checksum(path: Path) -> str:
    """Return a file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    place = path / MANIFEST
    try:
        manifest = json.loads(place.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _no_bundle(path) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(place, f"cannot be read ({error})", REMEDY) from error
    if not isinstance(manifest, dict):
        raise BundleError(place, "is not a JSON object", REMEDY)
    if manifest.get("schema") != SCHEMA:
        fact = f"has schema {manifest.get('schema')!r}, and this engine reads schema {SCHEMA}"
        raise BundleError(place, fact, f"{REMEDY}, or install the engine that wrote it")
    return manifest


def _no_bundle(path: Path) -> BundleError:
    """Return the error for a path where no manifest lies."""
    remedy = f"give a folder that holds {MANIFEST}, such as checkpoints/NAME"
    if path.is_dir():
        return BundleError(path, f"is no bundle: it holds no {MANIFEST}", remedy)
    if not path.exists():
        return BundleError(path, "does not exist", remedy)
    if (path.parent / MANIFEST).is_file():
        remedy = f"give its folder, {path.parent}"
    return BundleError(path, "is a file, and a bundle is a folder", remedy)


def _graph(reader: _Reader, path: Path, name: str) -> GraphFile:
    place = f"graphs.{name}"
    if not reader.record(f"{place}.outputs"):
        raise BundleError(reader.place, f"{place}.outputs names none", REMEDY)
    return GraphFile(
        path=_checked(path, reader, place),
        precision=reader.field(f"{place}.precision", str),
        opset=reader.field(f"{place}.opset", int),
        inputs=_signatures(reader, f"{place}.inputs"),
        outputs=_signatures(reader, f"{place}.outputs"),
        block={
            device: reader.count(f"{place}.block.{device}")
            for device in {"cpu": 0, "cuda": 0, **reader.record(f"{place}.block")}
        },
    )


def _signatures(reader: _Reader, place: str) -> dict[str, Signature]:
    return {
        name: (reader.field(f"{place}.{name}.dtype", str), tuple(reader.field(f"{place}.{name}.dims", list)))
        for name in reader.record(place)
    }


def _checked(path: Path, reader: _Reader, place: str) -> Path:
    name: str = reader.field(f"{place}.file", str)
    wanted = reader.field(f"{place}.sha256", str)
    if Path(name).name != name or "\0" in name:
        raise BundleError(reader.place, f"{place}.file {name!r} leaves the bundle", REMEDY)
    file = path / name
    try:
        found = checksum(file)
    except OSError as error:
        raise BundleError(file, f"cannot be read ({error.strerror})", REMEDY) from error
    if found != wanted:
        fact = f"has sha256 {found[:12]}…, and the manifest says {wanted[:12]}…"
        raise BundleError(file, fact, f"fetch the bundle again or {REMEDY}")
    return file


class _Reader:
    """Reads typed fields of a manifest by dotted name, so that a fault is named where it stands."""

    def __init__(self, place: Path, manifest: Mapping[str, Any]) -> None:
        self.place = place
        self._manifest = manifest

    def field(self, name: str, kind: type[Any]) -> Any:  # noqa: ANN401
        value: Any = self._manifest
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise BundleError(self.place, f"{name} is {value!r}, wanted {kind.__name__}", REMEDY)
        return value

    def record(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = self.field(name, dict)
        return value

    def count(self, name: str) -> int:
        value: int = self.field(name, int)
        if value < 1:
            raise BundleError(self.place, f"{name} is {value}, wanted a number above 0", REMEDY)
        return value

    def span(self, name: str) -> tuple[int, int]:
        value = self.field(name, list)
        if len(value) != 2 or any(type(edge) is not int for edge in value) or not 0 <= value[0] <= value[1]:
            raise BundleError(self.place, f"{name} is {value!r}, wanted [start, stop]", REMEDY)
        return value[0], value[1]

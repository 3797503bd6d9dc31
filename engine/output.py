"""Results are written whole or not at all, and a place that cannot be written is refused before the work."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .arguments import path_of
from .errors import unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Staging:
    """Writes several files beside their places and then renames them all, so that none stands where one failed.

    A pipe or a device such as /dev/stdout is written to at the end, never replaced. A link keeps pointing where it
    points: what it names is what is replaced.
    """

    def __init__(self) -> None:
        self._renames: list[tuple[Path, Path, Path]] = []  # asked for, temporary, target
        self._devices: list[tuple[Path, bytes]] = []
        self._made: list[Path] = []  # folders, outermost first

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _path, temporary, _target in self._renames:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        for folder in reversed(self._made):
            with suppress(OSError):  # it is not empty: what it was made for is in it
                folder.rmdir()

    def make_folder(self, path: str | Path) -> None:
        """Make a folder and those above it; what was made goes again if nothing comes to stand in it."""
        path = Path(path).absolute()
        with _naming(path):
            for folder in reversed([path, *path.parents]):
                if not folder.exists():
                    folder.mkdir()
                    self._made.append(folder)

    def add(self, path: str | Path, content: bytes) -> None:
        """Write a file's temporary neighbour. Raises OutputError."""
        path = Path(path)
        with _naming(path):
            _refuse_directory(path)
            if _is_device(path):
                self._devices.append((path, content))
                return
            target = Path(os.path.realpath(path))
            name = f".nlvr-{os.getpid()}-{threading.get_ident()}-{len(self._renames)}.tmp"
            self._renames.append((path, target.with_name(name), target))
            with target.with_name(name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def commit(self) -> None:
        """Put every file in its place. Raises OutputError."""
        for path, content in self._devices:
            with _naming(path):
                path.write_bytes(content)
        for path, temporary, target in self._renames:
            with _naming(path):
                temporary.replace(target)


def write_whole(path: str | Path, content: bytes) -> None:
    """Write one file whole or not at all. Raises OutputError, InputError for what is no path."""
    path = path_of("path", path)
    with Staging() as staging:
        staging.add(path, content)
        staging.commit()


def check_folder(path: str | Path) -> None:
    """Refuse a folder that could not be made or written into, before the work is done. Raises OutputError."""
    nearest = Path(path).absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    with _naming(path):
        if not nearest.is_dir():
            raise NotADirectoryError(20, f"{nearest} is no folder")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError(13, "permission denied")


def check_writable(path: str | Path) -> None:
    """Refuse an output that cannot be written, before the work it would hold is done. Raises OutputError."""
    path = Path(path)
    with _naming(path):
        _refuse_directory(path)
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise FileNotFoundError(2, f"folder {folder} does not exist")
        if not (_is_device(path) or os.access(folder, os.W_OK)) or (path.exists() and not os.access(path, os.W_OK)):
            raise PermissionError(13, "permission denied")


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Turn what the operating system refuses into an OutputError that names the output."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def _refuse_directory(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(21, "is a directory")


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()

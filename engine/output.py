"""Results are written whole or not at all, and a place that cannot be written is refused before the work."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from .errors import unwritable


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a temporary neighbour and rename it, so that `path` is never half-written. Raises OutputError.

    A pipe or a device such as /dev/stdout is written to, never replaced.
    """
    path = Path(path)
    try:
        _refuse_directory(path)
        if _is_device(path):
            path.write_bytes(content)
            return
        # A link keeps pointing where it points: what it names is what is replaced.
        target = Path(os.path.realpath(path))
        temporary = target.with_name(f".nlvr-{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def check_folder(path: str | Path) -> None:
    """Refuse a folder that could not be made or written into, before the work is done. Raises OutputError."""
    nearest = Path(path).absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        if not nearest.is_dir():
            raise NotADirectoryError(20, f"{nearest} is no folder")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise unwritable(path, error) from error


def check_writable(path: str | Path) -> None:
    """Refuse an output that cannot be written, before the work it would hold is done. Raises OutputError."""
    path = Path(path)
    try:
        _refuse_directory(path)
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise FileNotFoundError(2, f"folder {folder} does not exist")
        if not (_is_device(path) or os.access(folder, os.W_OK)) or (path.exists() and not os.access(path, os.W_OK)):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise unwritable(path, error) from error


def _refuse_directory(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(21, "is a directory")


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()

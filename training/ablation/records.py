"""One JSON file a finished run, by which a later call knows that it need not be done again."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nlvr.engine.errors import InputError
from nlvr.engine.output import write_whole

from ..checkpoint import make_directory

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """What one run measured after its last epoch.

    mrr, recall_5, recall_10: in [0, 1], of ranking so many held-out tracks (`ranked`).
    loss: the last epoch's mean.  seconds: of training and measuring.  settings: all of the configuration's.
    """

    mrr: float
    recall_5: float
    recall_10: float
    ranked: int
    loss: float
    seconds: float
    settings: dict[str, Any]


class Records:
    """The finished runs in a folder.

    A run is known by its settings, the tracks and the seed of the views that its frozen backbones saw.
    """

    def __init__(self, folder: Path, *, tracks: str, views_seed: int) -> None:
        """tracks: a digest of the tracks, those held out among them."""
        self._folder, self._data = folder, (tracks, views_seed)

    def find(self, config: Any) -> Record | None:  # noqa: ANN401
        """Return the record of a finished run, None where it is still to be done. Raises InputError for a bad file."""
        path = self._path(config)
        try:
            return Record(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                path, f"is no record of a run ({error})", "remove it, and the run is done again"
            ) from error

    def add(self, config: Any, record: Record) -> None:  # noqa: ANN401
        """Keep a record, whole or not at all. Raises OutputError."""
        make_directory(self._folder)
        write_whole(self._path(config), json.dumps(asdict(record), indent=1).encode() + b"\n")

    def _path(self, config: Any) -> Path:  # noqa: ANN401
        known_by = repr((config.to_toml(), *self._data))
        return self._folder / f"{hashlib.sha256(known_by.encode()).hexdigest()[:16]}.json"


def settings_of(config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a configuration of any system as plain tables."""
    return tomllib.loads(config.to_toml())

"""Fixtures that several folders of tests share."""

from __future__ import annotations

import json
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from nlvr.engine.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Machines that share their cores miss deadlines that say nothing of the code.
settings.register_profile("shared", deadline=None, print_blob=True)
settings.load_profile("shared")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def sample() -> Iterator[Path]:
    """The folder of the shipped clip, tracks, queries and truth."""
    with as_file(files("nlvr.engine") / "sample") as folder:
        yield folder


@pytest.fixture(scope="session")
def tiny() -> Path:
    """The shipped bundle with seeded random weights."""
    return REPOSITORY / "checkpoints" / "contrastive-tiny"


@pytest.fixture(scope="session")
def sbnet() -> Path:
    """The shipped bundle of SBNet with seeded random weights."""
    return REPOSITORY / "checkpoints" / "sbnet-tiny"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command line in this process and return its exit status."""

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["nlvr-engine", *map(str, words)])
        return main()

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, object], Path]:
    """Write a value as a JSON file of the test's folder."""

    def put(name: str, value: object) -> Path:
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    return put

"""An engine on the tiny bundle, and the sample encoded by it."""

from __future__ import annotations

import pytest

from nlvr.engine import Engine, load_tracks


@pytest.fixture(scope="module")
def engine(tiny):
    with Engine(tiny, device="cpu") as engine:
        yield engine


@pytest.fixture(scope="module")
def index(engine, sample):
    return engine.encode_tracks(load_tracks(sample / "carpark" / "tracks.json"), sample)

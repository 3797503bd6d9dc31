"""nlvr-engine: finds vehicles in a camera network by an English description.

    from nlvr.engine import Engine, load_tracks

    with Engine("checkpoints/contrastive-tiny") as engine:
        index = engine.encode_tracks(load_tracks("tracks.json"), "frames")
        ranking = engine.ask(index, "a red pickup turning left", top_k=5)

Names are loaded when they are first used, so that importing this package costs no more than numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import kernels as kernels
    from .bundle import Bundle as Bundle
    from .bundle import open_bundle as open_bundle
    from .cityflow import Query as Query
    from .cityflow import Track as Track
    from .cityflow import load_queries as load_queries
    from .cityflow import load_submission as load_submission
    from .cityflow import load_tracks as load_tracks
    from .cityflow import load_truth as load_truth
    from .cityflow import write_submission as write_submission
    from .engine import Engine as Engine
    from .errors import NlvrError as NlvrError
    from .frames import FrameStore as FrameStore
    from .fusion import fuse as fuse
    from .index import TrackIndex as TrackIndex
    from .language import read as read
    from .language import read_query as read_query
    from .notices import Notices as Notices
    from .ranking import Ranking as Ranking

_HOMES = {
    "Bundle": "bundle",
    "Engine": "engine",
    "FrameStore": "frames",
    "NlvrError": "errors",
    "Notices": "notices",
    "Query": "cityflow",
    "Ranking": "ranking",
    "Track": "cityflow",
    "TrackIndex": "index",
    "fuse": "fusion",
    "load_queries": "cityflow",
    "load_submission": "cityflow",
    "load_tracks": "cityflow",
    "load_truth": "cityflow",
    "open_bundle": "bundle",
    "read": "language",
    "read_query": "language",
    "write_submission": "cityflow",
}

__all__ = sorted([*_HOMES, "kernels"])  # noqa: PLE0605  the list is derived from the table that serves the names


def __getattr__(name: str) -> object:
    if name == "kernels":
        return import_module(".kernels", __name__)
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__

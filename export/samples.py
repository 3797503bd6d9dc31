"""Real inputs to measure a bundle by: footage cut into many short tracks, and the sentences that describe it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from nlvr.engine.cityflow import load_queries, load_tracks
from nlvr.engine.errors import InputError
from nlvr.engine.geometry import spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nlvr.engine.cityflow import Track

WINDOW = 16  # frames of a sample track
FEWEST, MOST = 100, 128
TRACKS, QUERIES = "tracks.json", "queries.json"


@dataclass(frozen=True, slots=True)
class Samples:
    """root: where the frame references start.  tracks: FEWEST to MOST of them.  sentences: distinct, sorted."""

    root: Path
    tracks: tuple[Track, ...]
    sentences: tuple[str, ...]


@contextmanager
def shipped_samples() -> Iterator[Samples]:
    """Yield the samples of the clip that comes with the engine."""
    with as_file(files("nlvr.engine") / "sample") as folder:
        yield read_samples(folder / "carpark")


def read_samples(directory: str | Path) -> Samples:
    """Read a folder that holds `tracks.json`, its frames, and `queries.json` or tracks with sentences of their own.

    The frame references start from the folder, or from the one above it.
    Raises InputError for files that cannot be used, or give fewer tracks or sentences than a measurement needs.
    """
    directory = Path(directory)
    tracks = load_tracks(directory / TRACKS)
    if (directory / QUERIES).is_file():
        sentences = {sentence for query in load_queries(directory / QUERIES) for sentence in query.nl}
    else:
        sentences = {sentence for track in tracks for sentence in track.nl}
    if not sentences:
        raise InputError(directory, f"has no sentences: neither {QUERIES} nor nl in {TRACKS}", "add one of them")
    camera = tracks[0].frames[0].partition("/")[0]
    root = directory if (directory / camera).exists() else directory.resolve().parent
    return Samples(root, tuple(_windows(tracks, directory)), tuple(sorted(sentences)))


def _windows(tracks: Sequence[Track], directory: Path) -> list[Track]:
    """Cut the tracks into windows of WINDOW frames, one from every frame on, and keep MOST of them, evenly spread."""
    places = [(track, first) for track in tracks for first in range(max(1, len(track.frames) - WINDOW + 1))]
    if len(places) < FEWEST:
        fact = f"its {len(tracks)} tracks give {len(places)} windows of {WINDOW} frames, and {FEWEST} are wanted"
        raise InputError(directory / TRACKS, fact, "give more tracks, or longer ones")
    return [_window(*places[place]) for place in spread(len(places), MOST)]


def _window(track: Track, first: int) -> Track:
    part = slice(first, first + WINDOW)
    return replace(track, id=f"{track.id}/{first}", frames=track.frames[part], boxes=track.boxes[part])

"""How well bundles rank a test set whose true colours, types and motions are known, and how long they take.

    python -m nlvr.benchmarks.quality CITY --model checkpoints/contrastive-compact --model checkpoints/sbnet-compact

prints a table: each model with each number of frames a track, or with a bare crop of it (`--bare`), all of them fused,
and beside them what chance and perfect readers of all of a query's sentences, and of its own view's, reach. CITY is a
folder that `nlvr-engine city` wrote.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import typer

from nlvr.engine import Engine, NlvrError, Query, Track, fuse
from nlvr.engine.bundle import open_bundle
from nlvr.engine.cityflow import load_queries, load_tracks, load_truth
from nlvr.engine.errors import FrameError
from nlvr.engine.frames import FrameStore
from nlvr.engine.geometry import part_cells, pixel_box, spread
from nlvr.engine.language import read_query
from nlvr.engine.metrics import better_and_tied, expected_metrics
from nlvr.engine.sampling import ShotPlan, check_boxes
from nlvr.training.city.oracle import load_labels, oracle

from .machine import machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nlvr.engine import Ranking
    from nlvr.engine.index import TrackIndex
    from nlvr.engine.metrics import Metrics
    from nlvr.training.city.oracle import Labels

SHOWN = 60  # queries whose masks are measured
HEAD = (
    "| | frames | tracks, s | ranking, s | MRR | R@1 | R@5 | R@10 | R@1 of its colour and type | chance there |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Tracks of a city and the queries whose targets they are.  truth: query → track.  labels: track → what is true."""

    root: Path
    tracks: Sequence[Track]
    queries: Sequence[Query]
    truth: Mapping[str, str]
    labels: Mapping[str, Labels]

    @classmethod
    def load(cls, root: Path, count: int | None) -> HeldOut:
        """Read a city's test set, or so many of its tracks, spread evenly over the ids. Raises InputError."""
        every, asked = load_tracks(root / "test-tracks.json"), load_queries(root / "test-queries.json")
        places = range(len(every)) if count is None else spread(len(every), count)
        tracks = [every[row] for row in places]
        names = {"query_ids": {query.id for query in asked}, "track_ids": {track.id for track in every}}
        truth = load_truth(root / "test-truth.json", **names)
        ids = {track.id for track in tracks}
        labels = {name: label for name, label in load_labels(root / "labels.json").items() if name in ids}
        return cls(root, tracks, [query for query in asked if truth[query.id] in ids], truth, labels)


def main(
    city: Annotated[Path, typer.Argument(help="Folder that `nlvr-engine city` wrote.")],
    model: Annotated[list[str], typer.Option(help="Bundle; may be repeated.")],
    frames: Annotated[list[str] | None, typer.Option(help="Rule or number of frames a track.")] = None,
    tracks: Annotated[int | None, typer.Option(min=2, help="Take only so many test tracks, spread evenly.")] = None,
    bare: Annotated[bool, typer.Option(help="Show of a track the crop of its largest box alone.")] = False,
) -> None:
    """Print how well the bundles rank the city's test tracks."""
    tested = HeldOut.load(city, tracks)
    for bundle in model:
        open_bundle(bundle)
    typer.echo(f"{len(tested.tracks)} tracks, {len(tested.queries)} queries; {machine()}\n\n{HEAD}")
    for name, metrics in oracle(tested.labels, tested.queries, tested.truth).items():
        typer.echo(row(f"perfect: {name}", "", metrics))
    alone = [Query(query.id, query.nl) for query in tested.queries]
    for name, metrics in oracle(tested.labels, alone, tested.truth).items():
        if name != "chance":
            typer.echo(row(f"perfect, by the sentences of its own view: {name}", "", metrics))
    with TemporaryDirectory() as folder:
        if bare:
            tested = cut_out(tested, Path(folder))
            typer.echo("| *by one bare crop a track:* | | | | | | | | | |")
        for rule in frames or [None]:
            rankings = {}
            for bundle in model:
                with Engine(bundle) as engine, FrameStore(tested.root, decode_threads=engine.threads) as store:
                    rankings[bundle] = measure(engine, tested, store, rule)
            if len(rankings) > 1:
                fused = fuse(rankings)
                typer.echo(row("fused", "", metrics_of(fused, tested.truth), None, within(fused, tested)))


def cut_out(tested: HeldOut, folder: Path) -> HeldOut:
    """Return the same where all that is seen of a track is the crop of its largest box, written into a folder."""
    tracks = []
    with FrameStore(tested.root) as store:
        check_boxes(tested.tracks, store)
        for shot in ShotPlan(tested.tracks, store, "largest").shots:
            track = tested.tracks[shot.row]
            image = store.read(track.frames[shot.position])
            if image is None:
                raise FrameError(track.frames[shot.position], "cannot be read", "render the city again")
            x0, y0, x1, y1 = pixel_box(track.boxes[shot.position], image.shape[1], image.shape[0])
            (folder / f"{shot.row}.png").write_bytes(cv2.imencode(".png", image[y0:y1, x0:x1, ::-1])[1].tobytes())
            tracks.append(Track(track.id, (f"{shot.row}.png",), np.array([[0.0, 0.0, x1 - x0, y1 - y0]])))
    return replace(tested, root=folder, tracks=tracks)


def measure(engine: Engine, tested: HeldOut, store: FrameStore, rule: str | None) -> list[Ranking]:
    """Rank, print a row of the table, and below it how masks tell a box from the rest of what is seen."""
    started = time.perf_counter()
    index = engine.encode_tracks(tested.tracks, store, frames_per_track=rule)
    encoded = time.perf_counter()
    rankings = engine.rank(index, tested.queries)
    seconds = encoded - started, time.perf_counter() - encoded
    name, shown = Path(engine.bundle.path).name, engine.frames_per_track(rule)
    typer.echo(row(name, shown, metrics_of(rankings, tested.truth), seconds, within(rankings, tested)))
    if engine.has_masks:
        inside, outside = masks(engine, index, tested)
        around = "" if outside is None else f"{outside:.3f}"
        typer.echo(f"| mean mask of {name} | | | | inside the box {inside:.3f} | outside {around} | | | | |")
    return rankings


def metrics_of(rankings: Sequence[Ranking], truth: Mapping[str, str]) -> Metrics:
    """Return the metrics, ties by their expected values."""
    targets = [ranking.track_ids.index(truth[ranking.query_id]) for ranking in rankings]
    return expected_metrics(*better_and_tied(np.stack([ranking.scores for ranking in rankings]), targets))


def within(rankings: Sequence[Ranking], tested: HeldOut) -> tuple[float, float] | None:
    """Return how often the target leads the tracks of its colour and type, and how often it would by chance.

    Of the queries whose sentences say a motion, and of whose colour and type there is more than one track; None where
    there are none.
    """
    hits, chances = [], []
    said = {query.id: query for query in tested.queries}
    labels = tested.labels
    for ranking in rankings:
        target = tested.truth[ranking.query_id]
        own = labels[target]
        same = (own.colour, own.kind)
        alike = [track for track in ranking.track_ids if (labels[track].colour, labels[track].kind) == same]
        if len(alike) > 1 and read_query(said[ranking.query_id].nl).motion is not None:
            hits.append(alike[0] == target)
            chances.append(1 / len(alike))
    return (float(np.mean(hits)), float(np.mean(chances))) if hits else None


def masks(engine: Engine, index: TrackIndex, tested: HeldOut) -> tuple[float, float | None]:
    """Return the mean of some queries' masks inside the box of their target, and outside of it, None if nothing is."""
    some = tested.queries[:: max(1, len(tested.queries) // SHOWN)]
    encoded = engine.encode_queries(some)
    tracks = {track.id: track for track in tested.tracks}
    inside, outside = [], []
    for number, query in enumerate(some):
        track = tracks[tested.truth[query.id]]
        for view in engine.mask_views(index, encoded, number, [index.track_ids.index(track.id)]):
            own = track.boxes[view.position : view.position + 1]
            left, top, right, bottom = part_cells(own, view.part, len(view.mask))[0]
            box = np.zeros(view.mask.shape, bool)
            box[top:bottom, left:right] = True
            inside.append(view.mask[box].mean())
            if not box.all():
                outside.append(view.mask[~box].mean())
    return float(np.mean(inside)), float(np.mean(outside)) if outside else None


def row(
    name: str,
    frames: str,
    metrics: Metrics,
    seconds: tuple[float, float] | None = None,
    motion: tuple[float, float] | None = None,
) -> str:
    """Return a line of the table."""
    spent = [f"{value:.1f}" for value in seconds] if seconds else ["", ""]
    shares = [f"{value:.3f}" for value in (metrics.mrr, metrics.recall_1, metrics.recall_5, metrics.recall_10)]
    apart = [f"{value:.3f}" for value in motion] if motion else ["", ""]
    return f"| {' | '.join([name, frames, *spent, *shares, *apart])} |"


if __name__ == "__main__":
    try:
        typer.run(main)
    except NlvrError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)

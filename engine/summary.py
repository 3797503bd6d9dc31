"""What the verbs print: tables for people, records for machines."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .bundle import open_bundle
from .cityflow import load_queries, load_submission, load_tracks, load_truth
from .errors import InputError
from .language import read, read_query
from .metrics import MISSING_RANK, ranking_metrics, target_ranks
from .report_content import UNTRAINED, metric_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .batch import Quality, RankResult

SHOWN_QUERIES, SHOWN_TRACKS, LISTED_TRACKS = 20, 3, 10


def rank_record(result: RankResult) -> dict[str, Any]:
    """Return a job's summary for machines; of each ranking the first ten tracks."""
    return {
        **result.engine,
        "tracks": result.tracks,
        "queries": len(result.queries),
        "frames_decoded": result.frames_decoded,
        "warnings": dict(result.warnings),
        "seconds": {stage: round(seconds, 4) for stage, seconds in result.seconds.items()},
        "metrics": None if result.quality is None else _quality_record(result.quality),
        "written": {what: str(path) for what, path in result.written.items()},
        "rankings": {
            ranking.query_id: [
                {
                    "track": track,
                    "score": float(ranking.scores[place]),
                    "terms": {name: float(values[place]) for name, values in ranking.terms.items()},
                }
                for place, track in enumerate(ranking.track_ids[:LISTED_TRACKS])
            ]
            for ranking in result.rankings
        },
    }


def _quality_record(quality: Quality) -> dict[str, Any]:
    ties = None if quality.ties is None else asdict(quality.ties)
    return {**asdict(quality.metrics), "chance_mrr": quality.chance_mrr, "ties_broken_at_random": ties}


def print_rank(result: RankResult) -> None:
    """Print a job's best tracks, its metrics, and where its results are."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = _console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("query")
    table.add_column("rank", justify="right")
    table.add_column("track", no_wrap=True)
    table.add_column("score", justify="right")
    few = len(result.queries) == 1
    for query, ranking in list(zip(result.queries, result.rankings, strict=True))[:SHOWN_QUERIES]:
        target = None if result.truth is None else result.truth[query.id]
        for place, track in enumerate(ranking.track_ids[: LISTED_TRACKS if few else SHOWN_TRACKS]):
            mark = "  <- true" if track == target else ""
            table.add_row(
                _printable(query.nl[0]) if place == 0 else "",
                str(place + 1),
                track + mark,
                f"{ranking.scores[place]:.4f}",
            )
    console.print(table)
    if len(result.queries) > SHOWN_QUERIES:
        console.print(f"… and {len(result.queries) - SHOWN_QUERIES} more queries")
    if result.quality is not None:
        console.print("   ".join(f"{name} {value}" for name, value in metric_lines(result.quality)))
    console.print(
        f"{result.tracks} tracks, {len(result.queries)} queries, {result.frames_decoded} frames decoded, "
        f"device {result.engine['device']}, {sum(result.seconds.values()):.1f} s"
    )
    for what, path in result.written.items():
        console.print(f"{what}: {path}", soft_wrap=True)
    if not result.engine["trained"]:
        console.print(UNTRAINED)


def evaluate(submission: Path, truth: Path) -> dict[str, Any]:
    """Return a submission's metrics. Raises InputError when the files do not belong together."""
    rankings = load_submission(submission)
    targets = load_truth(truth, query_ids=rankings.keys())
    ranks = target_ranks(rankings, targets)
    missing = sum(target not in rankings[query] for query, target in targets.items())
    return {**asdict(ranking_metrics(ranks)), "missing_targets": missing, "missing_rank": MISSING_RANK}


def print_pairs(record: Mapping[str, Any]) -> None:
    """Print names and values, a line each."""
    for name, value in record.items():
        _console().print(
            f"{name.replace('_', ' '):<16} {value:.4f}"
            if isinstance(value, float)
            else f"{name.replace('_', ' '):<16} {value}"
        )


def reading_records(sentences: Sequence[str]) -> list[dict[str, str | None]]:
    """Return what was read from each sentence, in order."""
    return [
        {"sentence": sentence, "colour": found.colour, "type": found.type, "motion": found.motion}
        for sentence, found in ((sentence, read(sentence)) for sentence in sentences)
    ]


def print_readings(sentences: Sequence[str]) -> None:
    """Print what was read from each sentence, and the vote."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("sentence", "colour", "type", "motion"):
        table.add_column(name)
    for record in reading_records(sentences):
        table.add_row(*(_printable(value or "-") for value in record.values()))
    if len(sentences) > 1:
        vote = read_query(sentences)
        table.add_section()
        table.add_row("vote", vote.colour or "-", vote.type or "-", vote.motion or "-")
    _console().print(table)


def describe(path: Path) -> Iterator[str]:
    """Yield what a bundle, a tracks file or a queries file holds. Raises BundleError, InputError."""
    if path.is_dir():
        yield from _describe_bundle(path)
        return
    with suppress(InputError):
        yield from _describe_submission(path, load_submission(path))
        return
    try:
        queries = load_queries(path)
    except InputError as no_queries:
        try:
            tracks = load_tracks(path)
        except InputError as no_tracks:
            fact = f"is neither a queries file ({no_queries}) nor a tracks file ({no_tracks})"
            raise InputError(path, fact, "give a bundle's folder, a tracks file or a queries file") from no_tracks
        lengths = np.array([len(track.frames) for track in tracks])
        cameras = {track.frames[0].rpartition("/")[0] for track in tracks}
        distinct = {frame for track in tracks for frame in track.frames}
        sides = np.median(np.concatenate([track.boxes[:, 2:] for track in tracks]), axis=0)
        yield f"{path}: {len(tracks)} tracks from {len(cameras)} folders of frames"
        yield f"frames a track: {lengths.min()} to {lengths.max()}, median {np.median(lengths):g}"
        yield f"frame references: {lengths.sum()}, of {len(distinct)} distinct frames"
        yield f"median box: {sides[0]:g} x {sides[1]:g} pixels"
        yield f"tracks with descriptions: {sum(bool(track.nl) for track in tracks)}"
        return
    sentences = [sentence for query in queries for sentence in query.nl]
    words = np.array([len(sentence.split()) for sentence in sentences])
    yield f"{path}: {len(queries)} queries, {len(sentences)} sentences ({len(set(sentences))} distinct)"
    yield f"words a sentence: {words.min()} to {words.max()}, median {np.median(words):g}"
    yield f"queries with descriptions of other views: {sum(bool(query.nl_other_views) for query in queries)}"
    for name in ("colour", "type", "motion"):
        found = sum(getattr(read_query(query.nl, query.nl_other_views), name) is not None for query in queries)
        yield f"queries that name a {name}: {found}"


def _describe_submission(path: Path, rankings: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield what a submission holds. Raises InputError when its lists hold sentences: it is a queries file."""
    ids = {track for ranking in rankings.values() for track in ranking}
    if any(" " in track for track in ids):
        raise InputError(path, "holds sentences", "read it as queries")
    lengths = sorted({len(ranking) for ranking in rankings.values()})
    yield f"{path}: a submission of {len(rankings)} queries over {len(ids)} tracks"
    yield f"tracks a query: {lengths[0]} to {lengths[-1]}"


def _describe_bundle(path: Path) -> Iterator[str]:
    bundle = open_bundle(path)
    yield f"{path}: system {bundle.system}, {'trained' if bundle.trained else 'never trained'}"
    yield f"embedding id: {bundle.embedding_id}"
    yield f"vector: {bundle.dims} float32, " + ", ".join(f"{name} {a}:{b}" for name, (a, b) in bundle.vector.items())
    recipe = bundle.recipe
    yield (
        f"images: {recipe.size} x {recipe.size}, {recipe.resize} resize, frames per track {recipe.frames}, "
        f"trajectory over the whole {recipe.trajectory}, at most {recipe.max_points} points"
    )
    yield f"text: {bundle.text_length} tokens"
    for name, graph in bundle.graphs.items():
        size = graph.path.stat().st_size / 2**20
        yield f"graph {name}: {graph.path.name}, {graph.precision}, opset {graph.opset}, {size:.1f} MiB"
    parity = bundle.manifest.get("parity")
    if isinstance(parity, dict) and isinstance(parity.get("batches"), dict):
        batches = parity["batches"].values()
        cosine = min(min(figures["vehicle_cosine"], figures["text_cosine"]) for figures in batches)
        overlap = min(figures["overlap"] for figures in batches)
        yield (
            f"parity with PyTorch on {parity['tracks']} tracks and {parity['sentences']} sentences, at batch "
            f"{', '.join(parity['batches'])}: cosine at least {cosine}, top-10 overlap at least {overlap}"
        )


def _printable(text: str) -> str:
    """Return text on one line without control characters, which could steer the terminal."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _console() -> Any:  # noqa: ANN401
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=120)

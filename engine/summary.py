"""What the verbs print: tables for people, records for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .bundle import open_bundle
from .cityflow import load_queries, load_submission, load_tracks, load_truth, read_object
from .index import TrackIndex
from .language import read, read_query
from .metrics import MISSING_RANK, ranking_metrics, target_ranks
from .report_content import UNTRAINED, metric_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .batch import Quality, RankResult
    from .cityflow import Query, Track

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
    few = len(result.queries) == 1
    shown = list(zip(result.queries, result.rankings, strict=True))[:SHOWN_QUERIES]
    width = max(len(track) for _, ranking in shown for track in ranking.track_ids[:LISTED_TRACKS])
    print(f"{'rank':>6}  {'track':<{width}}  {'score':>8}")
    for query, ranking in shown:
        target = None if result.truth is None else result.truth[query.id]
        print(f"{_short(query.nl[0])}")
        for place, track in enumerate(ranking.track_ids[: LISTED_TRACKS if few else SHOWN_TRACKS]):
            mark = "  <- true" if track == target else ""
            print(f"{place + 1:>6}  {track:<{width}}  {ranking.scores[place]:>8.4f}{mark}")
    if len(result.queries) > SHOWN_QUERIES:
        print(f"and {len(result.queries) - SHOWN_QUERIES} more queries")
    print()
    if result.quality is not None:
        print("   ".join(f"{name} {value}" for name, value in metric_lines(result.quality)))
    print(
        f"{_count(result.tracks, 'track')}, {_count(len(result.queries), 'query', 'queries')}, "
        f"{_count(result.frames_decoded, 'frame')} decoded, device {result.engine['device']}, "
        f"{sum(result.seconds.values()):.1f} s"
    )
    for what, path in result.written.items():
        print(f"{what}: {path}")
    if not result.engine["trained"]:
        print(UNTRAINED)


def evaluate(submission: Path, truth: Path) -> dict[str, Any]:
    """Return a submission's metrics. Raises InputError when the files do not belong together."""
    rankings = load_submission(submission)
    targets = load_truth(truth, query_ids=rankings.keys(), queries_file=submission)
    ranks = target_ranks(rankings, targets)
    missing = sum(target not in rankings[query] for query, target in targets.items())
    return {**asdict(ranking_metrics(ranks)), "missing_targets": missing, "missing_rank": MISSING_RANK}


def print_pairs(record: Mapping[str, Any]) -> None:
    """Print names and values, a line each."""
    for name, value in record.items():
        print(f"{name.replace('_', ' '):<16} {f'{value:.4f}' if isinstance(value, float) else value}")


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
        table.add_row(*(_short(value or "-") for value in record.values()))
    if len(sentences) > 1:
        vote = read_query(sentences)
        table.add_section()
        table.add_row("vote", vote.colour or "-", vote.type or "-", vote.motion or "-")
    _console().print(table)


def describe(path: Path) -> Iterator[str]:
    """Yield what a bundle, or a file of tracks, queries, truth, rankings or vectors holds. Raises NlvrError."""
    if path.is_dir():
        return _describe_bundle(path)
    if path.suffix == ".npz":
        return _describe_vectors(path, TrackIndex.load(path))
    kind = file_kind(path)
    if kind == "tracks":
        return _describe_tracks(path, load_tracks(path))
    if kind == "rankings":
        return _describe_submission(path, load_submission(path))
    if kind == "truth":
        return iter([f"{path}: a truth, the track of each of {_count(len(read_object(path)), 'query', 'queries')}"])
    return _describe_queries(path, load_queries(path))


def file_kind(path: Path) -> Literal["tracks", "queries", "rankings", "truth"]:
    """Return what a JSON file holds, judged by its first record. Raises InputError when it cannot be read."""
    first = next(iter(read_object(path).values()), None)
    if isinstance(first, dict):
        return "tracks" if "frames" in first else "queries"
    if isinstance(first, str):
        return "truth"
    spaced = isinstance(first, list) and any(isinstance(item, str) and " " in item for item in first)
    return "queries" if spaced or not first else "rankings"


def _describe_tracks(path: Path, tracks: Sequence[Track]) -> Iterator[str]:
    lengths = np.array([len(track.frames) for track in tracks])
    cameras = {track.frames[0].rpartition("/")[0] for track in tracks}
    distinct = {frame for track in tracks for frame in track.frames}
    sides = np.median(np.concatenate([track.boxes[:, 2:] for track in tracks]), axis=0)
    yield f"{path}: {_count(len(tracks), 'track')} from {_count(len(cameras), 'folder')} of frames"
    yield f"frames a track: {lengths.min()} to {lengths.max()}, median {np.median(lengths):g}"
    yield f"frame references: {lengths.sum()}, of {len(distinct)} distinct frames"
    yield f"median box: {sides[0]:g} x {sides[1]:g} pixels"
    yield f"tracks with descriptions: {sum(bool(track.nl) for track in tracks)}"


def _describe_queries(path: Path, queries: Sequence[Query]) -> Iterator[str]:
    sentences = [sentence for query in queries for sentence in query.nl]
    words = np.array([len(sentence.split()) for sentence in sentences])
    yield (
        f"{path}: {_count(len(queries), 'query', 'queries')}, {_count(len(sentences), 'sentence')} "
        f"({len(set(sentences))} distinct)"
    )
    yield f"words a sentence: {words.min()} to {words.max()}, median {np.median(words):g}"
    yield f"queries with descriptions of other views: {sum(bool(query.nl_other_views) for query in queries)}"
    for name in ("colour", "type", "motion"):
        found = sum(getattr(read_query(query.nl, query.nl_other_views), name) is not None for query in queries)
        yield f"queries that name a {name}: {found}"


def _describe_vectors(path: Path, index: TrackIndex) -> Iterator[str]:
    yield f"{path}: vectors of {_count(len(index), 'track')}, {index.vectors.shape[1]} float32 each"
    yield f"embedding id: {index.embedding_id}"
    yield f"frames per track: {index.frames_per_track}"
    yield f"warnings when they were made: {len(index.warnings)}"


def _describe_submission(path: Path, rankings: Mapping[str, Sequence[str]]) -> Iterator[str]:
    ids = {track for ranking in rankings.values() for track in ranking}
    lengths = sorted({len(ranking) for ranking in rankings.values()})
    yield f"{path}: rankings for {_count(len(rankings), 'query', 'queries')} over {_count(len(ids), 'track')}"
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


def _short(text: str, limit: int = 76) -> str:
    """Return text on one line of at most so many characters."""
    line = _printable(text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _count(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def _console() -> Any:  # noqa: ANN401
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=120)

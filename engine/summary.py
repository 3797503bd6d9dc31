"""What the verbs print: tables for people, records for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .language import read, read_query
from .report_content import metric_lines, score_line, untrained_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .batch import Quality, RankResult
    from .rescoring import Pruning

SHOWN_QUERIES, SHOWN_TRACKS, LISTED_TRACKS = 20, 3, 10


def rank_record(result: RankResult) -> dict[str, Any]:
    """Return a job's summary for machines; of each ranking the first ten tracks."""
    return {
        "models": [asdict(model) for model in result.models],
        "threads": result.threads,
        "vectors": result.vectors,
        "tracks": result.tracks,
        "queries": len(result.queries),
        "frames_decoded": result.frames_decoded,
        "warnings": dict(result.warnings),
        "seconds": {stage: round(seconds, 4) for stage, seconds in result.seconds.items()},
        "pruning": None if result.pruning is None else asdict(result.pruning),
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
    listed = LISTED_TRACKS if len(result.queries) == 1 else SHOWN_TRACKS
    shown = list(zip(result.queries, result.rankings, strict=True))[:SHOWN_QUERIES]
    width = max(len(track) for _, ranking in shown for track in ranking.track_ids[:LISTED_TRACKS])
    print(f"{'rank':>6}  {'track':<{width}}  {'score':>8}")
    for query, ranking in shown:
        target = None if result.truth is None else result.truth[query.id]
        print(f"{_short(query.nl[0])}")
        for place, track in enumerate(ranking.track_ids[:listed]):
            mark = "  <- true" if track == target else ""
            print(f"{place + 1:>6}  {track:<{width}}  {ranking.scores[place]:>8.4f}{mark}")
    cut = any(len(ranking.track_ids) > listed for _, ranking in shown)
    if cut:
        print(f"the first {count(listed, 'track')} of each")
    if len(result.queries) > SHOWN_QUERIES:
        print(f"and {len(result.queries) - SHOWN_QUERIES} more queries")
    print()
    if result.quality is not None:
        print("   ".join(f"{name} {value}" for name, value in metric_lines(result.quality)))
    print(
        f"{count(result.tracks, 'track')}, {count(len(result.queries), 'query', 'queries')}, "
        f"{count(result.frames_decoded, 'frame')} decoded, "
        f"device {', '.join(dict.fromkeys(model.device for model in result.models))}, "
        f"{sum(result.seconds.values()):.1f} s"
    )
    if len(result.models) > 1:
        print(f"score: {_printable(score_line(result.models))}")
    if result.pruning is not None:
        print(_pruning_line(result.pruning))
    for what, path in result.written.items():
        print(f"{what}: {path}")
    untrained = untrained_line(result.models)
    if untrained is not None:
        print(_printable(untrained))


def _pruning_line(pruning: Pruning) -> str:
    """Say how many pairs a list of the best needed, and why it did without the others."""
    share = pruning.parts / pruning.all_parts if pruning.all_parts else 0.0
    return (
        f"masks: {count(pruning.pairs, 'pair')} of query and track considered; {pruning.unseen} skipped, their other "
        f"terms too low for any mask to lift into the list; {pruning.dropped} dropped after some of their frames; "
        f"{pruning.complete} looked at whole ({pruning.parts} of {pruning.all_parts} frames, {share:.0%})"
    )


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


def _printable(text: str) -> str:
    """Return text on one line without control characters, which could steer the terminal."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _short(text: str, limit: int = 76) -> str:
    """Return text on one line of at most so many characters."""
    line = _printable(text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def count(number: int, one: str, more: str | None = None) -> str:
    """Return a number with its noun, `more` being the plural where it is not `one` and an s."""
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def _console() -> Any:  # noqa: ANN401
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=120)

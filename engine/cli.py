"""The command line. Verbs parse their options, call the room that does the work, and print what it returns."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from functools import cache
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import InputError, NlvrError

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERRUPTED = 130
app = typer.Typer(
    help="Find vehicles in a camera network by an English description.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if show or context.invoked_subcommand is None:
        typer.echo(version("nlvr-engine") if show else context.get_help())
        raise typer.Exit


@app.command()
def rank(
    *,
    tracks: Annotated[Path, typer.Option(help="Tracks: id -> {frames, boxes}.")],
    frames: Annotated[
        Path, typer.Option(help="Folder the frame references start from: images, or one video a camera.")
    ],
    model: Annotated[
        list[Path],
        typer.Option(
            metavar="<path>",
            help="Bundle, such as checkpoints/NAME. Given more than once, the systems' scores are standardised per "
            "query over all tracks and averaged.",
        ),
    ],
    queries: Annotated[Path | None, typer.Option(help="Queries: id -> sentences.")] = None,
    query: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A description instead of a file; may be repeated.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Truth: query id -> track id; adds metrics.")] = None,
    output: Annotated[Path | None, typer.Option(help="Submission to write: query id -> track ids, best first.")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a page with pictures (index.html).")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Score matrix and its terms to write (.npz), of every track whatever --top-k.")
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(help="Track vectors (.npz) of one model: used where the file exists and fits, else written."),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Keep only the first so many tracks a query. Masks of sbnet that cannot change such a list are "
            "skipped; with --scores, or with several models, all are computed.",
        ),
    ] = None,
    frames_per_track: Annotated[
        str | None,
        typer.Option(
            metavar="last|largest|released|N|all", help="Frames that show a track; by default the bundle's choice."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|tensorrt", help="A device that is named is used or refused.")
    ] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Rows in flight; changes speed alone.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Graph runs and ranking tasks at once.")] = None,
    decode_threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Frames decoded at once.")] = None,
    frame_cache: Annotated[
        str, typer.Option(metavar="SIZE", help="Decoded frames kept for reuse, such as 512MiB or 2GiB.")
    ] = "256MiB",
    feature_cache: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="Feature maps held in memory, of each sbnet model; beyond it they are in a temporary file.",
        ),
    ] = "2GiB",
    strict: Annotated[bool, typer.Option("--strict", help="Turn warnings into an error; write nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Rank the tracks for each query, best first."""
    import cv2

    from . import batch, summary
    from .progress import progress_bars

    job = batch.RankJob(
        tracks=tracks,
        frames=frames,
        models=tuple(model),
        queries=queries,
        texts=tuple(query or ()),
        truth=truth,
        output=output,
        report=report,
        scores=scores,
        vectors=vectors,
        top_k=top_k,
        frames_per_track=frames_per_track,
        device=device,
        batch_size=batch_size,
        threads=threads,
        decode_threads=decode_threads,
        cache_bytes=parse_size(frame_cache),
        feature_bytes=parse_size(feature_cache, option="--feature-cache"),
        strict=strict,
    )
    # One process, one owner of the cores: the decode threads and the sessions share them, OpenCV's own pool does not.
    cv2.setNumThreads(1)
    with progress_bars(quiet=quiet) as progress:
        result = batch.run(job, progress=progress, note=lambda line: typer.echo(f"note: {line}", err=True))
    for line in result.warning_lines:
        typer.echo(f"warning: {line}", err=True)
    if as_json:
        _print_json(summary.rank_record(result))
    else:
        summary.print_rank(result)


@app.command()
def evaluate(
    submission: Annotated[Path, typer.Argument(help="Submission: query id -> track ids, best first.")],
    truth: Annotated[Path, typer.Argument(help="Truth: query id -> track id.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Score a submission against a truth."""
    from . import evaluation, summary

    record = evaluation.evaluate(submission, truth)
    if as_json:
        _print_json(record)
    else:
        summary.print_pairs(record)


@app.command()
def read(
    sentences: Annotated[list[str], typer.Argument(metavar="SENTENCE...", help="Descriptions of one vehicle.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of the readings as JSON.")] = False,
) -> None:
    """Read colour, type and motion from descriptions."""
    from . import summary

    for sentence in sentences:
        _check_sentence(sentence)
    if as_json:
        _print_json(summary.reading_records(sentences))
    else:
        summary.print_readings(sentences)


@app.command()
def inspect(
    path: Annotated[
        Path, typer.Argument(help="A bundle's folder, or a file of tracks, queries, truth, rankings or vectors.")
    ],
) -> None:
    """Say what a bundle or a file holds."""
    from . import contents

    for line in contents.describe(path):
        typer.echo(line)


@app.command()
def doctor(
    *,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda|tensorrt", help="The device that must work.")] = "auto",
    model: Annotated[Path | None, typer.Option(help="A bundle that must open on that device.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what runs on this machine, and what mends the rest.

    Shows versions, kernels, and the devices a session really runs on. Exits with 1 if what is asked for cannot run.
    """
    from .doctor import examine

    findings = examine(device=device, model=model)
    if as_json:
        _print_json([{**asdict(item), "works": item.works and item.remedy is None} for item in findings])
    else:
        for item in findings:
            mark = "BAD" if item.remedy is not None else "ok " if item.works else "-- "
            fact, _, advice = item.state.partition("; ")
            typer.echo(f"{mark}  {item.name:<22} {fact}")
            if advice:
                typer.echo(f"     {'':<22} {advice}")
            if item.remedy is not None:
                typer.echo(f"     {'':<22} -> {item.remedy}")
    if any(item.remedy is not None for item in findings):
        raise typer.Exit(1)


def parse_size(text: str, option: str = "--frame-cache") -> int:
    """Return the bytes of a size such as 4096, 512MiB, 2g or 2GB, in letters of either case.

    A letter alone and with iB counts in 1024s, with B in 1000s. Raises InputError naming the option.
    """
    units = {"": 1, "b": 1}
    for power, letter in enumerate("kmgt", 1):
        units |= {letter: 1024**power, f"{letter}ib": 1024**power, f"{letter}b": 1000**power}
    size_text = text.strip().lower()
    digits = size_text.rstrip("kmgtib ")
    unit = size_text[len(digits) :].strip()
    try:
        size = int(float(digits) * units[unit])
    except (ValueError, KeyError, OverflowError) as error:
        raise InputError(option, f"{text!r} is no size", "give one such as 512MiB or 2GiB") from error
    if size < 0:
        raise InputError(option, f"is {text}", "give 0 or more")
    return size


def main() -> int:
    """Run the command line and return its exit status."""
    # What a damaged file is worth saying is said once, by the counted warnings.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    extras = _plug_in()
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        _abandon_output()  # the reader of a pipe had enough
        return 0
    except Exception as error:
        fault = _fault(error, extras)
        if fault is None:
            raise
        return _fail(*fault)
    if status == INTERRUPTED:
        return _fail("interrupted; nothing half-written was left", INTERRUPTED)
    return status if isinstance(status, int) else 0


def _fault(error: Exception, extras: Mapping[str, str]) -> tuple[str, int] | None:
    """Return the line and the exit status of an error that is the user's, None for one of ours."""
    if isinstance(error, NlvrError):
        return str(error), error.exit_status
    verb = next((word for word in sys.argv[1:] if word in extras), None)
    if isinstance(error, ModuleNotFoundError) and verb is not None:
        return f"{verb}: {error.name} is not installed; pip install 'nlvr-engine[{extras[verb]}]' brings it", 2
    if isinstance(error, OSError):
        # What is written to files has its own error, so this is standard output: a full disk, a closed device.
        _abandon_output()
        return f"standard output: cannot be written ({error.strerror}); send it elsewhere", 2
    if hasattr(error, "format_message"):  # the parser's own errors: unknown options, missing values
        context = getattr(error, "ctx", None)
        verb = f"{context.info_name} " if context is not None and context.parent is not None else ""
        return f"{error.format_message()}; see `nlvr-engine {verb}--help`".replace(".;", ";"), 2
    return None


@cache
def _plug_in() -> dict[str, str]:
    """Add the verbs of the other packages. Returns verb → its entry's name, which is the extra it needs."""
    extras = {}
    for entry in entry_points(group="nlvr_engine.verbs"):
        for command in entry.load().registered_commands:
            app.registered_commands.append(command)
            extras[command.name] = entry.name
    return extras


def _abandon_output() -> None:
    """Let what the interpreter still flushes at exit go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(line: str, status: int) -> int:
    sys.stdout.flush()
    typer.echo(f"error: {' '.join(line.split())}", err=True)
    return status


def _print_json(value: Any) -> None:  # noqa: ANN401
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def _check_sentence(sentence: str) -> None:
    from .cityflow import query_from_text

    query_from_text(sentence, place="read")

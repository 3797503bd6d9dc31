"""The verb `city`: a rendered city in CityFlow-NL's format. `nlvr-engine` plugs it in by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from nlvr.engine.errors import InputError

app = typer.Typer()


@app.command("city")
def build_city(
    *,
    output: Annotated[Path | None, typer.Option(help="New folder for the city, or for the contact sheets.")] = None,
    scenes: Annotated[int, typer.Option(help="Places; the last third of them, one at least, are the test set.")] = 6,
    tracks: Annotated[int, typer.Option(help="Tracks in all.")] = 2000,
    seed: Annotated[int, typer.Option(help="Equal seeds and settings give equal bytes.")] = 0,
    resolution: Annotated[
        str | None, typer.Option(metavar="WxH", help="Of every camera; by default one of CityFlow's four for each.")
    ] = None,
    max_frames_per_track: Annotated[
        int | None, typer.Option(help="Keep at most so many frames of a track, spread evenly.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Cameras rendered at once; all CPUs.")] = None,
    videos: Annotated[
        bool, typer.Option("--videos", help="One lossless vdo.avi a camera instead of JPEG files.")
    ] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Annotators who never err and never differ, for ablation.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Write contact sheets instead of a city.")] = False,
    oracle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Print what a perfect reader of a city's test set reaches.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Render a synthetic city in CityFlow-NL's format.

    A folder in the layout of CityFlow-NL: train/S01/c001/img1/000001.jpg, train-tracks.json, test-tracks.json,
    test-queries.json, test-truth.json, gt.txt beside each camera's frames, and city.json, which says what is in it.
    """
    if oracle is not None:
        from .oracle import oracle_table, read_oracle

        typer.echo(oracle_table(read_oracle(oracle)))
        return
    if output is None:
        option = "--output"
        raise InputError(option, "is missing", "name a new folder")
    import panda3d.core  # noqa: F401  a city takes minutes to plan before anything is rendered

    from nlvr.engine.progress import progress_bars
    from nlvr.engine.runtime.devices import usable_cpus

    from .plan import Settings

    settings = Settings(
        scenes=scenes,
        tracks=tracks,
        seed=seed,
        resolution=None if resolution is None else parse_resolution(resolution),
        longest=max_frames_per_track,
        noisy=not clean,
    )
    if preview:
        from .preview import write_sheets

        for path in write_sheets(settings, output):
            typer.echo(path)
        return
    from .build import build
    from .oracle import oracle_table
    from .statistics import statistics_table

    with progress_bars(quiet=quiet) as progress:
        city = build(settings, output, workers=workers or usable_cpus(), videos=videos, progress=progress)
    typer.echo(f"{statistics_table(city.statistics)}\n\n{oracle_table(city.oracle)}\n\n{output}: {city}")


def parse_resolution(text: str) -> tuple[int, int]:
    """Return width and height of a text such as 1920x1080. Raises InputError."""
    found = re.fullmatch(r"(\d{2,5})x(\d{2,5})", text)
    option = "--resolution"
    if not found:
        raise InputError(option, f"{text!r} is no resolution", "give one such as 1920x1080")
    width, height = int(found[1]), int(found[2])
    if not (160 <= width <= 8192 and 120 <= height <= 8192):
        raise InputError(option, f"is {text}", "give 160x120 to 8192x8192")
    return width, height

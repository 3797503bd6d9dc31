"""The verb `ablate`: a configuration and tracks in, the paper's tables out. `nlvr-engine` plugs it in by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer()


@app.command("ablate")
def ablate(
    *,
    config: Annotated[
        str,
        typer.Option(help="A preset of either system, such as contrastive-compact or sbnet-compact, or a TOML file."),
    ],
    tracks: Annotated[Path, typer.Option(help="CityFlow-NL train-tracks.json.")],
    frames: Annotated[Path, typer.Option(help="Folder that the frame references start from.")],
    output: Annotated[
        Path,
        typer.Option(help="Folder for tables.md and a record of each run; runs it has a record of are not repeated."),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row; intervals need two at least.")] = 3,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting of every run; may be repeated."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of each run, in place of the configuration's.")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Print the tables of a system's paper, measured anew by short runs.

    Frozen backbones look at the tracks once, and every run trains on what they saw. Rows that differ only where the
    backbones are trained too run on a GPU alone. Each run is measured after its last epoch, on the held-out scene
    (schedule.validation_scene). An interrupted ablation goes on when the same command is given again.
    """
    from nlvr.engine.notices import Notices
    from nlvr.engine.progress import progress_bars

    from .. import cpu
    from ..cli import choose_device
    from . import job

    cpu.prepare()
    overrides = [*(settings or []), *([f"schedule.epochs={epochs}"] if epochs else [])]
    what = job.Job(config, tracks, frames, output, seeds=seeds, overrides=overrides, device=choose_device(device))
    notices = Notices()

    def note(line: str) -> None:
        if not quiet:
            typer.echo(line, err=True)

    try:
        with progress_bars(quiet=quiet) as progress:
            page = job.ablate(what, notices=notices, note=note, progress=progress)
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on with the runs that are left", err=True)
        raise typer.Exit(130) from None
    finally:
        for line in notices.lines():
            typer.echo(f"warning: {line}", err=True)
    typer.echo(page, nl=False)

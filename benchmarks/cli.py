"""The verb `bench`: suites of benchmarks in, a page with their figures out. `nlvr-engine` plugs it in by name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class Suite(StrEnum):
    """What is measured; each has its files in `suites`."""

    KERNELS = "kernels"
    ENCODE = "encode"
    RANK = "rank"


@app.command("bench")
def bench(
    *,
    suite: Annotated[
        list[Suite] | None,
        typer.Option(help="kernels, encode or rank; may be repeated. All by default."),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Bundle for encode and rank; may be repeated. By default those in checkpoints/."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for a page with plots (index.html) and results.json.")
    ] = None,
) -> None:
    """Measure how fast this machine ranks, beside other libraries and beside what it can do at most.

    A figure that was measured while others kept the CPUs busy is not reported, so give the machine a quiet minute. The
    exit status is 1 when a target is missed.
    """
    from . import suites

    missed = suites.run(suite or list(Suite), models=model or [], report=report)
    raise typer.Exit(1 if missed else 0)

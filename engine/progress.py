"""Progress on stderr: counts and rates while a terminal watches, nothing otherwise."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .systems import Progress


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator[Progress]:
    """Yield a callback that draws one bar a stage, with counts and rate; it is silent when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>9}/s"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, rate="")
            task = next(task for task in bars.tasks if task.id == tasks[stage])
            speed = f"{done / task.elapsed:.1f}" if task.elapsed else ""
            bars.update(tasks[stage], completed=done, total=total, rate=speed)

        yield report

"""The verb `train`: a configuration and tracks in, a checkpoint directory out. `nlvr-engine` plugs it in by name."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nlvr.engine.errors import DeviceUnavailableError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from .loop import Record
    from .systems import System

app = typer.Typer()


@app.command("train")
def train(
    *,
    config: Annotated[
        str,
        typer.Option(
            help="contrastive-clip, -baseline, -compact or -tiny (or these without the prefix), "
            "sbnet-paper, -released, -compact or -tiny, or a TOML file."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Checkpoint directory to write.")],
    tracks: Annotated[Path | None, typer.Option(help="CityFlow-NL train-tracks.json.")] = None,
    frames: Annotated[Path | None, typer.Option(help="Folder that the frame references start from.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in the output.")] = False,
    epochs: Annotated[
        int | None, typer.Option(min=0, help="In place of the configuration's; 0 writes the untrained checkpoint.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the configuration's.")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")] = "auto",
    pretrained: Annotated[
        bool, typer.Option("--pretrained/--random-weights", help="Start from published weights, or from random ones.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train a model on CityFlow-NL tracks that have descriptions.

    The output holds the best checkpoint by MRR on the held-out scene (schedule.validation_scene), and metrics.jsonl.
    """
    from .checkpoint import check_new
    from .systems import find_system

    system, source = find_system(config)
    overrides = list(settings or [])
    overrides += [f"schedule.epochs={epochs}"] if epochs else []
    overrides += [f"schedule.seed={seed}"] if seed is not None else []
    loaded = system.load_config(source, overrides=overrides)
    chosen = choose_device(device)
    if not resume:
        check_new(output)
    if epochs == 0:
        _write_untrained(system, loaded, output, pretrained=pretrained)
    elif tracks is None or frames is None:
        place = "--tracks, --frames"
        raise InputError(place, "are missing", "training needs both; only --epochs 0 does without")
    else:
        if not quiet:
            typer.echo(f"training on {chosen}", err=True)
        # A resumed run takes its weights from its state.
        start = pretrained and not resume
        _train(
            system,
            loaded,
            output,
            tracks=tracks,
            frames=frames,
            device=chosen,
            pretrained=start,
            resume=resume,
            quiet=quiet,
        )


def _write_untrained(system: System, config: Any, output: Path, *, pretrained: bool) -> None:  # noqa: ANN401
    from .checkpoint import save_checkpoint

    model = system.model(config, pretrained=pretrained)
    save_checkpoint(output, model, config=config.to_toml(), tokenizer=system.tokenizer(config).to_str(), steps=0)
    typer.echo(f"{output}: untrained checkpoint, seed {config.schedule.seed}")


def _train(
    system: System,
    config: Any,  # noqa: ANN401
    output: Path,
    *,
    tracks: Path,
    frames: Path,
    device: torch.device,
    pretrained: bool,
    resume: bool,
    quiet: bool,
) -> None:
    from nlvr.engine.cityflow import load_tracks
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.notices import Notices
    from nlvr.engine.progress import progress_bars
    from nlvr.engine.runtime.devices import usable_cpus

    from . import cpu, loop
    from .scenes import overlapping, split_by_scene

    cpu.prepare()
    held_out = config.schedule.validation_scene
    training, validation = split_by_scene(load_tracks(tracks), held_out)
    notices = Notices()
    for track in overlapping(validation, training):
        notices.add("evaluation track overlaps a training track", track)
    with FrameStore(frames, decode_threads=usable_cpus(), notices=notices) as store:
        model = system.model(config, pretrained=pretrained).to(device)
        with progress_bars(quiet=quiet) as progress:
            split = {"training": training, "validation": validation}
            task = system.task(config, model, system.tokenizer(config), store, **split, progress=progress)
        try:
            with training_bar(config.schedule.epochs, task.steps, hidden=quiet or not sys.stderr.isatty()) as report:
                end = loop.train(task, config.schedule, output, resume=resume, report=report)
        except KeyboardInterrupt:
            typer.echo(f"interrupted; go on with --resume --output {output}", err=True)
            raise typer.Exit(130) from None
        finally:
            for line in notices.lines():
                typer.echo(f"warning: {line}", err=True)
    measured = "" if end.best is None else f", best MRR {end.best:.4f} on {held_out}"
    typer.echo(f"{output}: checkpoint after {end.epoch} epochs{measured}")


def choose_device(name: str) -> torch.device:
    """Return the device of `--device`: auto, cpu or cuda. Raises DeviceUnavailableError."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        remedy = "install a CUDA build of torch and the GPU's driver, or choose --device cpu"
        raise DeviceUnavailableError(name, "PyTorch finds no CUDA device it can use", remedy)
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def training_bar(epochs: int, steps: int, *, hidden: bool) -> Iterator[Callable[[Record], None]]:
    """Yield a function that shows the loop's records on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=hidden) as bar:
        row = bar.add_task("train", total=epochs * steps)

        def report(record: Record) -> None:
            number = record["epoch"] + 1
            if "step" in record:
                words = f"epoch {number}/{epochs} loss {record['loss']:.3f}"
                bar.update(row, completed=record["epoch"] * steps + record["step"] + 1, description=words)
            elif not hidden:
                mrr = f", MRR {record['mrr']:.4f}, R@5 {record['recall_5']:.4f}" if "mrr" in record else ""
                bar.console.print(f"epoch {number}: mean loss {record['mean_loss']:.4f}{mrr}")

        yield report

"""The verb `export`: a checkpoint in, a bundle out. `nlvr-engine` plugs it in by name."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer()


@app.command("export")
def export(
    *,
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint folder that `train` wrote.")],
    output: Annotated[Path, typer.Option(help="Bundle folder to write; may be the checkpoint's own.")],
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(
            help="Of the backbones. int8 stores large weights in a quarter of the bytes (of sbnet, those of the text "
            "alone) and computes in float32."
        ),
    ] = "fp32",
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Folder with tracks.json, queries.json and frames to measure on; by default the shipped clip."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Turn a checkpoint into a bundle that the engine runs.

    The bundle is kept when ONNX Runtime ranks real tracks with it as PyTorch does with the checkpoint; its manifest
    holds the figures. Otherwise nothing is written.
    """
    from . import bundle
    from .checkpoints import system_module
    from .samples import read_samples, shipped_samples

    def say(line: str) -> None:
        if not quiet:
            typer.echo(line, err=True)

    bundle.check_output(output, checkpoint=checkpoint)
    with ExitStack() as stack:
        footage = read_samples(samples) if samples else stack.enter_context(shipped_samples())
        system = system_module(checkpoint)
        source = system.read_checkpoint(checkpoint, precision=precision)
        say(f"exporting {', '.join(source.graphs)}")

        def gate(written: bundle.Bundle) -> dict[str, object]:
            say(f"measuring on {len(footage.tracks)} tracks and {len(footage.sentences)} sentences")
            return system.measure(source, written, footage, place=output)

        made = bundle.write(source, output, gate=gate)
    parity = made.manifest["parity"]
    measured = f"measured on {parity['tracks']} tracks and {parity['sentences']} sentences"
    typer.echo(f"{output}: {made.manifest['name']}, {precision}, {measured}")

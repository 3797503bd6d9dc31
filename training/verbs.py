"""The verbs of training together, as `nlvr-engine` plugs them in: they share one extra."""

from __future__ import annotations

import typer

from . import cli
from .ablation import cli as ablation

app = typer.Typer()
for part in (cli, ablation):
    app.registered_commands.extend(part.app.registered_commands)

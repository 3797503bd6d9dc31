"""Which runs the tables of a system need: a configuration for each row and seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlvr.engine.errors import InputError

from .tables import ABLATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..systems import System
    from .tables import Row, Table


@dataclass(frozen=True, slots=True)
class Plan:
    """The runs of one ablation.

    base: the configuration that every row varies.  seen_by: the one of the task that has frozen backbones look.
    tables: each with its rows, and of each row the configurations of its runs, one a seed.
    """

    base: Any
    seen_by: Any
    tables: tuple[tuple[Table, tuple[tuple[Row, tuple[Any, ...]], ...]], ...]


def plan(system: System, source: str, *, overrides: Sequence[str], seeds: int) -> Plan:
    """Return the runs of a system's tables. source, overrides: as the system's `load_config` takes them.

    A configuration that does not run on features by itself is made to: its backbones are frozen, and it takes the rate
    that suits what is left. The seeds count up from its own.
    Raises InputError for settings that cannot be used, and where no scene is held out.
    """
    ablation = ABLATIONS[system.name]
    overrides = [*ablation.common, *overrides]
    if not system.load_config(source, overrides=overrides).schedule.copies:
        overrides = [*ablation.on_features, *overrides]
    base = system.load_config(source, overrides=overrides)
    if not base.schedule.validation_scene:
        place = "schedule.validation_scene"
        raise InputError(place, "is empty, so there is nothing to measure runs on", "name a scene of the tracks")

    def config(row: Row, seed: int) -> Any:  # noqa: ANN401
        settings = [*overrides, *row.settings, f"schedule.seed={seed}"]
        varied = system.load_config(source, overrides=settings)
        if not row.preset:
            return varied
        other = system.load_config(row.preset)
        return replace(varied, model=other.model, recipe=other.recipe, text=other.text)

    every = range(base.schedule.seed, base.schedule.seed + seeds)
    return Plan(
        base,
        system.load_config(source, overrides=[*overrides, *ablation.seen_by]),
        tuple(
            (table, tuple((row, tuple(config(row, seed) for seed in every)) for row in table.rows))
            for table in ablation.tables
        ),
    )

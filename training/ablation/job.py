"""A whole ablation: its plan, the runs that are still to be done, and the page of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from nlvr.engine.cityflow import load_tracks
from nlvr.engine.errors import InputError
from nlvr.engine.frames import FrameStore
from nlvr.engine.output import check_folder, write_whole
from nlvr.engine.runtime.devices import usable_cpus

from ..checkpoint import make_directory
from ..data import identity
from ..scenes import overlapping, split_by_scene
from ..systems import find_system
from .plan import plan
from .records import Records
from .report import Measured, tables_markdown
from .runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nlvr.engine.notices import Notices
    from nlvr.engine.systems import Progress

    from .records import Record
    from .tables import Row

RECORDS, TABLES = "runs", "tables.md"


@dataclass(frozen=True, slots=True)
class Job:
    """What the verb was given.

    config: a preset or a file.  overrides: settings, as "section.key=value".  seeds: runs of each row.
    """

    config: str
    tracks: Path
    frames: Path
    output: Path
    seeds: int
    overrides: Sequence[str]
    device: torch.device


def ablate(job: Job, *, notices: Notices, note: Callable[[str], None], progress: Progress) -> str:
    """Do the runs that `job.output` has no record of, write the tables beside the records, and return them.

    note: is given a line for each finished run.  progress: is told how much frozen backbones have seen.
    Raises InputError for settings and tracks that cannot be used, OutputError where nothing can be written.
    """
    check_folder(job.output)
    system, source = find_system(job.config)
    planned = plan(system, source, overrides=job.overrides, seeds=job.seeds)
    schedule = planned.base.schedule
    training, validation = split_by_scene(load_tracks(job.tracks), schedule.validation_scene)
    for track in overlapping(validation, training):
        notices.add("evaluation track overlaps a training track", track)
    digest = identity(planned.base, [*training, *validation])["tracks"]
    records = Records(job.output / RECORDS, tracks=digest, views_seed=schedule.seed)
    with FrameStore(job.frames, decode_threads=usable_cpus(), notices=notices) as store:
        split = {"training": training, "validation": validation}
        runs = Runs(system, planned.seen_by, store, **split, device=job.device, progress=progress)
        tables = [
            (table, [_measure(row, configs, runs, records, note, device=job.device) for row, configs in rows])
            for table, rows in planned.tables
        ]
    changed = ", ".join(f"`{setting}`" for setting in job.overrides) or "none"
    heading = (
        f"# Ablation of {job.config}\n\n"
        f"{len(training)} tracks to train on, {len(validation)} held out (scene {schedule.validation_scene}). "
        f"Epochs of a run: {schedule.epochs}. Views of each track: {schedule.copies}. "
        f"Learning rate: {schedule.learning_rate:g}. Settings that were changed: {changed}."
    )
    page = tables_markdown(heading, tables)
    make_directory(job.output)
    write_whole(job.output / TABLES, page.encode())
    return page


def _measure(
    row: Row,
    configs: Sequence[Any],
    runs: Runs,
    records: Records,
    note: Callable[[str], None],
    *,
    device: torch.device,
) -> Measured:
    """Return a row's records, doing the runs that have none yet."""
    found: list[Record] = []
    for config in configs:
        record = records.find(config)
        if record is None:
            if row.trains_backbones and not can_train_backbones(device):
                return Measured(row, found, "its runs train the backbones, which needs a GPU")
            try:
                untrained = runs.build(config)
            except InputError as error:
                if not row.preset:
                    raise
                return Measured(row, found, f"its weights cannot be had ({error})")
            record = runs.measure(untrained)
            records.add(config, record)
            note(f"{row.name}, seed {config.schedule.seed}: MRR {record.mrr:.4f} ({record.seconds:.0f} s)")
        found.append(record)
    return Measured(row, found)


def can_train_backbones(device: torch.device) -> bool:
    """Tell whether a run that trains backbones takes hours there rather than weeks."""
    return device.type == "cuda"

"""The tables as Markdown: what was measured beside what the papers print, and whether the rows keep their order."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlvr.engine.metrics import chance_mrr

from .intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .records import Record
    from .tables import Figures, Row, Table

_METRICS = {"mrr": "MRR", "recall_5": "R@5", "recall_10": "R@10"}


@dataclass(frozen=True, slots=True)
class Measured:
    """A row's finished runs, one a seed, and the reason where some are missing."""

    row: Row
    records: Sequence[Record] = ()
    reason: str = ""

    @property
    def mrr(self) -> Interval:
        """Over the seeds, of which there is one at least."""
        return self.interval("mrr")

    def interval(self, metric: str) -> Interval:
        """Return the mean of "mrr", "recall_5" or "recall_10" over the seeds, and its confidence interval."""
        return Interval.of([getattr(record, metric) for record in self.records])


def verdict(first: Measured, second: Measured) -> str:
    """Say whether two measured rows of a table come in the paper's order by MRR: "agree", "disagree" or "undecided".

    It is undecided where their confidence intervals overlap.
    """
    if first.mrr.overlaps(second.mrr):
        return "undecided"
    paper = first.row.paper.mrr > second.row.paper.mrr
    return "agree" if paper == (first.mrr.mean > second.mrr.mean) else "disagree"


def tables_markdown(heading: str, tables: Iterable[tuple[Table, Sequence[Measured]]]) -> str:
    """Return the whole page. heading: says what ran, in Markdown."""
    tables = list(tables)
    ranked = sorted({record.ranked for _, rows in tables for row in rows for record in row.records})
    chance = ", ".join(f"{_number(chance_mrr(count))} among {count} tracks" for count in ranked)
    notes = [
        "Mean ± half of the 95 % confidence interval (t distribution) over the seeds, measured on the held-out scene "
        "after the last epoch, never the best one: nothing is selected on what is reported. Seeds vary the weights "
        "that are trained and the draws of training, not the tracks, nor the views that frozen backbones saw.",
        f"Chance MRR: {chance}." if chance else "",
    ]
    parts = [heading, *notes, *(_table(table, rows) for table, rows in tables)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(table: Table, rows: Sequence[Measured]) -> str:
    names = list(_METRICS.values())
    lines = [f"## {table.title}", ""]
    lines += _line("", *names, "seeds", *(f"paper's {name}" for name in names))
    lines += ["|---" * (2 + 2 * len(names)) + "|"]
    for row in rows:
        found = [_interval(row.interval(metric)) if row.records else "not measured" for metric in _METRICS]
        lines += _line(row.row.name, *found, str(len(row.records)), *_figures(row.row.paper))
    reasons = [
        f"{row.row.name}: {'further seeds ' if row.records else ''}not measured, {row.reason}."
        for row in rows
        if row.reason
    ]
    lines += ["", *itertools.chain.from_iterable((reason, "") for reason in reasons)]
    return "\n".join([*lines, *_orders(rows)]).rstrip()


def _orders(rows: Sequence[Measured]) -> list[str]:
    """Return a table of each pair of measured rows, the paper's better one first."""
    measured = sorted((row for row in rows if row.records), key=lambda row: -row.row.paper.mrr)
    pairs = list(itertools.combinations(measured, 2))
    lines = [f"| {one.row.name} above {other.row.name} | {verdict(one, other)} |" for one, other in pairs]
    return ["| by MRR, the paper has | the runs |", "|---|---|", *lines] if lines else []


def _line(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def _figures(paper: Figures) -> list[str]:
    return ["" if (value := getattr(paper, metric)) is None else _number(value) for metric in _METRICS]


def _interval(interval: Interval) -> str:
    return _number(interval.mean) + (f" ± {_number(interval.half)}" if math.isfinite(interval.half) else "")


def _number(value: float) -> str:
    return f"{value:.4f}"

"""Scores a submission against a truth."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .cityflow import load_submission, load_truth
from .metrics import MISSING_RANK, ranking_metrics, target_ranks

if TYPE_CHECKING:
    from pathlib import Path


def evaluate(submission: Path, truth: Path) -> dict[str, Any]:
    """Return a submission's metrics. Raises InputError when the files do not belong together."""
    rankings = load_submission(submission)
    targets = load_truth(truth, query_ids=rankings.keys(), queries_file=submission)
    ranks = target_ranks(rankings, targets)
    missing = sum(target not in rankings[query] for query, target in targets.items())
    return {**asdict(ranking_metrics(ranks)), "missing_targets": missing, "missing_rank": MISSING_RANK}

"""How alike two bundles rank: `python -m nlvr.benchmarks.agreement ONE.npz OTHER.npz [TRUTH.json]`.

The files are what `nlvr-engine rank --scores` writes for each bundle, of the same tracks and queries.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.cityflow import load_truth
from nlvr.engine.errors import InputError
from nlvr.engine.metrics import better_and_tied, expected_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP = 10
_REMEDY = "give two files that `nlvr-engine rank --scores` wrote for the same tracks and queries"


def agreement(one: Path, other: Path, truth: Path | None = None) -> dict[str, float]:
    """Compare two score matrices, float [Q, N].

    Returns "overlap", the mean share of a query's TOP best tracks that both have; "first", the share of queries with
    the same best track; "difference", the greatest of a score; and with a truth each file's MRR, "mrr_one" and
    "mrr_other". Ties go by track id.
    Raises InputError for a file that is none of scores, and for two that are not of the same queries and tracks.
    """
    (ids, tracks, ours), (other_ids, other_tracks, theirs) = _read(one), _read(other)
    if ids != other_ids or tracks != other_tracks:
        raise InputError(other, f"has other queries or tracks than {one}", _REMEDY)
    first, second = (np.argsort(-scores, axis=1, kind="stable")[:, :TOP] for scores in (ours, theirs))
    shared = [len(np.intersect1d(*pair)) / first.shape[1] for pair in zip(first, second, strict=True)]
    figures = {
        "overlap": float(np.mean(shared)),
        "first": float((first[:, 0] == second[:, 0]).mean()),
        "difference": float(abs(ours - theirs).max()),
    }
    if truth is not None:
        targets = load_truth(truth, query_ids=ids, track_ids=set(tracks), queries_file=one)
        figures["mrr_one"], figures["mrr_other"] = (_mrr(scores, ids, tracks, targets) for scores in (ours, theirs))
    return figures


def _read(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Return the queries, the tracks and the scores of a file."""
    try:
        with np.load(path) as arrays:
            return arrays["query_ids"].tolist(), arrays["track_ids"].tolist(), arrays["scores"].astype(np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"holds no scores ({error})", _REMEDY) from error


def _mrr(scores: np.ndarray, ids: list[str], tracks: list[str], targets: Mapping[str, str]) -> float:
    rows = [tracks.index(targets[query]) for query in ids]
    return expected_metrics(*better_and_tied(scores, rows)).mrr


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        for figure, value in agreement(*map(Path, sys.argv[1:])).items():
            print(f"{figure:12s}{value:.6g}")
    except InputError as error:
        sys.exit(str(error))

"""Suites of benchmarks, run by pytest in a process of their own, and what became of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest_benchmark  # noqa: F401  a missing one is told of before anything runs

from nlvr.engine.errors import InputError, OutputError, unwritable
from nlvr.engine.output import write_whole

from .bundles import NAMED
from .page import page

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = {
    "kernels": ("test_topk.py", "test_scaling.py", "test_pooling.py", "test_mask_ratio.py"),
    "encode": ("test_decode_encode.py",),
    "rank": ("test_latency.py", "test_sbnet_job.py", "test_sbnet_mask.py"),
}
RESULTS, PAGE = "results.json", "index.html"
_USAGE = 2  # pytest's exit statuses from here on mean that it did not run


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one benchmark.

    outcome: `met` its targets, `missed` one, was `skipped`, or `failed` to run.  why: of the last three.
    median: seconds, None where none was recorded.  facts: what it recorded besides (`extra_info`).
    """

    suite: str
    name: str
    outcome: str
    why: str
    median: float | None
    facts: dict[str, Any]


def run(suites: Sequence[str], *, models: Sequence[Path], report: Path | None) -> bool:
    """Run suites, showing their lines as they come, and write the report. Returns whether a target was missed.

    Raises InputError for a model that is no bundle, or when nothing could be run; OutputError for the report.
    """
    for model in models:
        if not (model / "manifest.json").is_file():
            raise InputError(model, "is no bundle, it has no manifest.json", "give the folder that `export` wrote")
    if report is not None:
        try:
            report.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(report, error) from error
    results = [result for suite in dict.fromkeys(suites) for result in _run_suite(suite, models)]
    if report is not None:
        write_whole(report / RESULTS, (json.dumps([asdict(one) for one in results], indent=1) + "\n").encode())
        write_whole(report / PAGE, page(results).encode())
        print(f"\n{report / PAGE}")
    return any(result.outcome in {"missed", "failed"} for result in results)


def _run_suite(suite: str, models: Sequence[Path]) -> list[Result]:
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        figures, outcomes = Path(folder) / "figures.json", Path(folder) / "outcomes.xml"
        command = [sys.executable, "-m", "pytest", "-s", "-q", "--import-mode=importlib", "-p", "no:cacheprovider"]
        command += ["--no-header", "--no-summary", "--tb=no", f"--rootdir={here}", "-c", os.devnull]
        command += ["--benchmark-quiet", f"--benchmark-json={figures}", f"--junitxml={outcomes}"]
        named = {NAMED: os.pathsep.join(map(str, models))} if models else {}
        command += [str(here / name) for name in FILES[suite]]
        ended = subprocess.run(command, check=False, env=os.environ | named)
        if ended.returncode >= _USAGE or not outcomes.is_file():
            place = f"suite {suite}"
            raise OutputError(place, f"pytest ended with status {ended.returncode}", "see its lines above")
        recorded = json.loads(figures.read_bytes())["benchmarks"] if figures.stat().st_size else []
        cases = ElementTree.parse(outcomes).getroot().iter("testcase")
        return [_result(suite, case, {one["name"]: one for one in recorded}) for case in cases]


def _result(suite: str, case: ElementTree.Element, recorded: dict[str, Any]) -> Result:
    name = case.attrib["name"]
    own = recorded.get(name, {})
    outcome, why = "met", ""
    for child in case:
        if child.tag in {"skipped", "failure", "error"}:
            outcome = "skipped" if child.tag == "skipped" else "missed" if child.tag == "failure" else "failed"
            why = child.attrib.get("message", "").splitlines()[0]
    median = own["stats"]["median"] if own else None
    return Result(suite, name, outcome, why, median, own.get("extra_info", {}))

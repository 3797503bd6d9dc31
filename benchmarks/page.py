"""The page of a benchmark report: a table of figures with their peers, and curves beside their bounds."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .suites import Result

_COLOURS = {
    "ours": "#0a57a4",
    "bound": "#777777",
    "numpy": "#b4574a",
    "p50": "#0a57a4",
    "p95": "#b4574a",
    "p99": "#d9a13b",
}
_DECADE = 10
_MACHINE = ("cpu", "cpus", "kernels", "nlvr-engine", "numpy", "onnxruntime", "opencv-python-headless")
_OWN = {*_MACHINE, "title", "milliseconds", "series", "other_load"}


def page(results: Sequence[Result]) -> str:
    """Return the page as HTML in one piece."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nlvr.benchmarks"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    facts = next((result.facts for result in results if result.facts), {})
    return environment.get_template("bench.html.j2").render(
        made=datetime.now(UTC).date().isoformat(),
        machine={name: facts[name] for name in _MACHINE if name in facts},
        rows=[_row(result) for result in results],
        plots=[*_curves(results), *_percentiles(results)],
    )


def _row(result: Result) -> dict[str, Any]:
    facts = result.facts
    of_many = "series" in facts or "percentiles" in facts  # the time of all of them together says nothing
    beside = facts.get("milliseconds", {})  # timed in turn, the kernel as its peers
    peers = {name: (value, value / beside["kernel"]) for name, value in beside.items() if name != "kernel"}
    median = None if result.median is None else 1e3 * result.median
    return {
        "suite": result.suite,
        "title": facts.get("title", result.name),
        "median": None if of_many else beside.get("kernel", median),
        "peers": peers,
        "facts": {
            name.replace("_", " "): _said(value)
            for name, value in facts.items()
            if name not in _OWN and value is not None
        },
        "load": facts.get("other_load"),
        "outcome": result.outcome,
        "why": result.why,
    }


def _said(value: Any) -> str:
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, dict) else str(value)


def _curves(results: Sequence[Result]) -> list[tuple[str, Markup]]:
    """Draw each benchmark that recorded a series."""
    return [
        (
            f"{result.facts['title']}, over {series['over']}",
            _plot(series["over"], series["values"], series["milliseconds"]),
        )
        for result in results
        if (series := result.facts.get("series"))
    ]


def _percentiles(results: Sequence[Result]) -> list[tuple[str, Markup]]:
    """Draw the latencies of each bundle over the sizes of its galleries."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for result in results:
        if "percentiles" in result.facts:
            found.setdefault(result.facts["bundle"], {})[result.facts["tracks"]] = result.facts["percentiles"]
    return [
        (
            f"one sentence, {bundle}",
            _plot(
                "tracks",
                sorted(own),
                {name: [own[size][name] for size in sorted(own)] for name in ("p50", "p95", "p99")},
            ),
        )
        for bundle, own in found.items()
    ]


def _scale(numbers: Sequence[float], much: float) -> str:
    return "log" if max(numbers) >= much * min(numbers) else "linear"


def _plot(over: str, values: Sequence[int], curves: dict[str, Sequence[float]]) -> Markup:
    """Return curves in milliseconds over values as SVG, either axis logarithmic where it spans decades."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for name, heights in curves.items():
        axes.plot(values, heights, "--" if name == "bound" else "o-", color=_COLOURS[name], label=name, markersize=4)
    times = [time for heights in curves.values() for time in heights]
    axes.set(xscale=_scale(values, _DECADE), yscale=_scale(times, _DECADE**2), xlabel=over, ylabel="milliseconds")
    if axes.get_yscale() == "linear":
        axes.set_ylim(0)
    axes.set_xticks(values, [f"{value:,}" for value in values], rotation=45 if len(values) > 4 else 0)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawing = buffer.getvalue()
    return Markup(drawing[drawing.index("<svg") :])

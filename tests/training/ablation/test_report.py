"""The page says what was measured, what was not and why, and where the rows keep the paper's order."""

from __future__ import annotations

import pytest

from nlvr.training.ablation.records import Record
from nlvr.training.ablation.report import Measured, tables_markdown, verdict
from nlvr.training.ablation.tables import Figures, Row, Table

GOOD, BAD = Row("good", Figures(0.2, 0.3, 0.4)), Row("bad", Figures(0.1))


def measured(row, *mrrs, reason=""):
    records = [Record(mrr, 0.5, 0.75, ranked=4, loss=1.0, seconds=2.0, settings={}) for mrr in mrrs]
    return Measured(row, records, reason)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ((0.50, 0.51), (0.10, 0.11), "agree"),
        ((0.10, 0.11), (0.50, 0.51), "disagree"),
        ((0.50, 0.60), (0.40, 0.45), "undecided"),
        ((0.50,), (0.10, 0.11), "undecided"),
    ],
)
def test_intervals_that_lie_apart_decide(good, bad, said):
    assert verdict(measured(GOOD, *good), measured(BAD, *bad)) == said
    assert verdict(measured(BAD, *bad), measured(GOOD, *good)) == said


def test_the_page():
    rows = [
        measured(BAD, 0.10, 0.12),
        measured(GOOD, 0.5),
        measured(Row("none", Figures(0.3)), reason="for want of a GPU"),
        measured(Row("some", Figures(0.05)), 0.25, reason="for want of time"),
    ]
    page = tables_markdown("# Heading", [(Table("What (P9, Table 9)", ()), rows)])
    assert page.startswith("# Heading\n\nMean ± half")
    assert page.endswith("|\n")
    assert "never the best one" in page
    assert "Chance MRR: 0.5208 among 4 tracks." in page
    assert "| bad | 0.1100 ± 0.1271 | 0.5000 ± 0.0000 | 0.7500 ± 0.0000 | 2 | 0.1000 |  |  |" in page
    assert "| good | 0.5000 | 0.5000 | 0.7500 | 1 | 0.2000 | 0.3000 | 0.4000 |" in page
    assert "| none | not measured | not measured | not measured | 0 | 0.3000 |  |  |" in page
    assert "\nnone: not measured, for want of a GPU.\n" in page
    assert "\nsome: further seeds not measured, for want of time.\n" in page
    assert "| good above bad | undecided |\n| good above some | undecided |\n| bad above some | undecided |" in page

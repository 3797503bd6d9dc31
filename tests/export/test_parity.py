from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine.errors import BundleError
from nlvr.export import contrastive
from nlvr.export.parity import BOUNDS, TIE, TOP, Bounds, Side, check_parity, cosines, overlap, served_vectors


@pytest.fixture(scope="module")
def sides(exported, source, samples):
    rows = contrastive.vehicle_rows(exported.recipe, samples)[::10], contrastive.text_rows(exported, samples)
    return [
        Side(name, exported.graphs[name], source.graphs[name].reference, own)
        for name, own in zip(("vehicle", "text"), rows, strict=True)
    ]


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([0.0, 1e-3, 1.0]))
def test_overlap_is_the_share_of_the_reference_list_where_scores_are_apart(seed, columns, noise):
    generator = np.random.default_rng(seed)
    theirs = generator.permuted(np.tile(np.arange(columns) / columns, (3, 1)), axis=1)
    ours = theirs + noise * generator.standard_normal(theirs.shape)
    count = min(TOP, columns)
    shared = [
        len(set(np.argsort(-mine)[:count]) & set(np.argsort(-other)[:count])) / count
        for mine, other in zip(ours, theirs, strict=True)
    ]
    assert overlap(ours, theirs) == pytest.approx(np.mean(shared))


def test_overlap_does_not_count_an_order_that_the_reference_leaves_open():
    theirs = np.arange(40.0)[None, ::-1] / 40
    swapped = theirs.copy()
    swapped[0, [TOP - 1, TOP]] = swapped[0, [TOP, TOP - 1]]
    assert overlap(swapped, theirs) == pytest.approx(1 - 1 / TOP)
    tied = theirs.copy()
    tied[0, TOP] = tied[0, TOP - 1] - TIE / 2
    assert overlap(swapped, tied) == 1


def test_the_cosine_of_what_is_no_number_fails_every_bound():
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0], [-1.0, 0.0]])
    assert cosines(rows, np.array([[0.6, 0.8], [1, 0], [1, 0], [1, 0]])).tolist() == pytest.approx([1, -1, -1, -1])


def test_every_size_of_block_gives_the_same_vectors(sides):
    for side in sides:
        one, *others = (served_vectors(side.file, side.rows, batch=batch) for batch in (1, 2, 7, 64))
        assert one.shape == (len(side.rows), 256)
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
        for other in others:
            np.testing.assert_allclose(other, one, atol=2e-6)


def test_the_figures_are_those_of_the_wanted_batches(sides):
    figures = check_parity(*sides, bounds=BOUNDS["fp32"], place=Path("out"))
    assert list(figures["batches"]) == ["1", "2", "7", "64"]
    for record in figures["batches"].values():
        assert min(record["vehicle_cosine"], record["text_cosine"]) >= 0.99999
        assert record["overlap"] == 1
    assert (figures["tracks"], figures["sentences"]) == (11, 12)


@pytest.mark.parametrize("position", [0, 1])
def test_a_graph_that_differs_is_named_with_batch_figure_and_bound(sides, position):
    changed = list(sides)
    name, file, reference, rows = (getattr(sides[position], key) for key in ("name", "file", "reference", "rows"))
    changed[position] = Side(name, file, _Turned(reference), rows)
    with pytest.raises(BundleError, match=rf"^out: graph {name} at batch 1: the cosine to PyTorch is 0\.\d+, wanted"):
        check_parity(*changed, bounds=BOUNDS["fp32"], place=Path("out"))


def test_a_ranking_that_differs_is_refused(sides):
    with pytest.raises(BundleError, match=r"vehicle and text at batch 1: the overlap of the first 10 is 1, wanted at"):
        check_parity(*sides, bounds=Bounds(cosine=0.99999, overlap=1.1), place=Path("out"))


class _Turned(torch.nn.Module):
    """A module whose vectors are turned a little."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, **inputs):
        vectors = self.module(**inputs)
        return vectors + 0.1 * vectors.roll(1, dims=1)

"""How alike two bundles rank, from their score matrices."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nlvr.benchmarks.agreement import TOP, agreement
from nlvr.engine.errors import InputError

QUERIES, TRACKS = ["p", "q"], [f"t{number:02}" for number in range(40)]


def write(path, scores, *, queries=QUERIES):
    np.savez(path, query_ids=np.array(queries), track_ids=np.array(TRACKS), scores=scores.astype(np.float32))
    return path


@pytest.fixture
def scores():
    return np.tile(np.arange(40.0)[::-1], (2, 1))


def test_a_track_that_leaves_the_list_is_counted(scores, tmp_path):
    other = scores.copy()
    other[0, [TOP - 1, TOP]] = other[0, [TOP, TOP - 1]]
    other[1, 0] = 38.5
    files = write(tmp_path / "a.npz", scores), write(tmp_path / "b.npz", other)
    (tmp_path / "truth.json").write_text(json.dumps({"p": "t09", "q": "t00"}))
    assert agreement(files[0], files[0]) == {"overlap": 1, "first": 1, "difference": 0}
    assert agreement(*files, tmp_path / "truth.json") == pytest.approx(
        {"overlap": 0.95, "first": 1, "difference": 1, "mrr_one": (1 / 10 + 1) / 2, "mrr_other": (1 / 11 + 1) / 2}
    )


def test_files_that_do_not_belong_together_are_refused(scores, tmp_path):
    one, other = write(tmp_path / "a.npz", scores), write(tmp_path / "b.npz", scores, queries=["p", "r"])
    (tmp_path / "c.npz").write_bytes(b"no scores")
    with pytest.raises(InputError, match=r"b\.npz: has other queries or tracks than .*a\.npz; give two files"):
        agreement(one, other)
    for name in ("c.npz", "absent.npz"):
        with pytest.raises(InputError, match=rf"{name}: holds no scores"):
            agreement(one, tmp_path / name)

"""A run is found again by what made it, and by nothing else."""

from __future__ import annotations

import pytest

from nlvr.engine.errors import InputError
from nlvr.training.ablation.records import Record, Records, settings_of
from nlvr.training.contrastive.config import load_config

CONFIG = load_config("tiny")
RECORD = Record(0.5, 0.75, 1.0, ranked=8, loss=0.25, seconds=1.5, settings=settings_of(CONFIG))


def test_a_record_comes_back(tmp_path):
    records = Records(tmp_path / "runs", tracks="abc", views_seed=0)
    assert records.find(CONFIG) is None
    assert not (tmp_path / "runs").exists()
    records.add(CONFIG, RECORD)
    assert records.find(CONFIG) == RECORD
    assert RECORD.settings["model"]["backbone"] == "tiny"


def test_other_settings_tracks_and_views_are_other_runs(tmp_path):
    Records(tmp_path, tracks="abc", views_seed=0).add(CONFIG, RECORD)
    for tracks, seed in (("abd", 0), ("abc", 1)):
        assert Records(tmp_path, tracks=tracks, views_seed=seed).find(CONFIG) is None
    for change in ("schedule.epochs=3", "schedule.seed=1", "loss.kind=triplet"):
        found = Records(tmp_path, tracks="abc", views_seed=0).find(load_config("tiny", overrides=[change]))
        assert found is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"mrr": 1.0}'])
def test_a_damaged_record_is_refused(tmp_path, content):
    records = Records(tmp_path, tracks="abc", views_seed=0)
    records.add(CONFIG, RECORD)
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is no record of a run .* remove it"):
        records.find(CONFIG)

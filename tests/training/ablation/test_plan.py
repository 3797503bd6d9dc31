"""The rows are the papers', each with the settings that make it, and what cannot be measured is refused."""

from __future__ import annotations

import pytest

from nlvr.engine.errors import InputError
from nlvr.training.ablation.plan import plan
from nlvr.training.ablation.tables import ABLATIONS
from nlvr.training.contrastive.config import load_config as contrastive
from nlvr.training.sbnet.config import load_config as sbnet
from nlvr.training.systems import find_system


def planned(config, *overrides, seeds=2):
    system, source = find_system(config)
    return plan(system, source, overrides=overrides, seeds=seeds)


def rows(config, *overrides):
    tables = planned(config, *overrides).tables
    return [{row.name: configs for row, configs in own} for _, own in tables]


def test_the_papers_figures():
    (modules,) = ABLATIONS["sbnet"].tables
    assert [row.paper.mrr for row in modules.rows] == [0.0977, 0.1025, 0.1124, 0.1195]
    for table in ABLATIONS["contrastive"].tables:
        assert table.rows[0].paper.mrr == 0.1778
        assert all(row.paper.mrr < row.paper.recall_5 < row.paper.recall_10 for row in table.rows)


def test_every_system_has_tables():
    for name in ABLATIONS:
        assert find_system(f"{name}-tiny")[0].name == name


def test_sbnet_s_modules_are_added_one_by_one():
    (modules,) = rows("sbnet-tiny")
    switches = [
        (first.modules.classification, first.modules.substitution, first.modules.future)
        for first, _ in modules.values()
    ]
    assert switches == [(False, False, False), (True, False, False), (True, True, False), (True, True, True)]
    assert planned("sbnet-tiny", "modules.future=false").seen_by.modules.future


def test_what_p1_has_not_is_in_no_row_whatever_the_preset_does():
    assert sbnet("compact").schedule.beside
    for config in (config for table in rows("sbnet-compact") for configs in table.values() for config in configs):
        settings = (config.model.mixing, config.model.grid, config.schedule.beside, config.modules.motion)
        assert not any(settings)


def test_the_contrastive_rows_vary_one_thing_each():
    backbone, negatives, loss, towers, direction = rows("contrastive-tiny")
    assert {name: one.model.backbone for name, (one, _) in backbone.items()} == {
        "clip": "clip",
        "baseline": "baseline",
    }
    assert backbone["clip"][0].recipe == contrastive("clip").recipe
    mined = [(one.negatives.hard_texts, one.negatives.hard_vehicles) for one, _ in negatives.values()]
    assert mined == [(False, False), (True, False), (False, True), (True, True)]
    assert [one.loss.kind for one, _ in loss.values()] == ["infonce", "triplet"]
    assert [one.model.shared for one, _ in towers.values()] == [True, False]
    assert [one.loss.direction for one, _ in direction.values()] == ["both", "text_to_vehicle", "vehicle_to_text"]
    # The full system is the first row of three tables, and is the same run in all of them.
    assert negatives["none"] == loss["InfoNCE"] == direction["both"]


def test_rows_run_on_features_unless_they_train_the_backbones():
    for table, own in planned("contrastive-tiny").tables:
        for row, (config, _) in own:
            assert bool(config.schedule.copies) != row.trains_backbones, table.title
            assert bool(config.schedule.frozen) != row.trains_backbones
            assert config.schedule.learning_rate == (1e-5 if row.trains_backbones else 1e-3)


def test_a_configuration_that_runs_on_features_is_taken_as_it_is(tmp_path):
    path = tmp_path / "mine.toml"
    frozen = ['schedule.frozen=["image", "text"]', "schedule.copies=7", "schedule.learning_rate=5e-3"]
    path.write_text(contrastive("tiny", overrides=frozen).to_toml())
    schedule = planned(str(path)).base.schedule
    assert (schedule.copies, schedule.learning_rate) == (7, 5e-3)


def test_settings_hold_for_every_row_and_seeds_count_up():
    for own in rows("contrastive-tiny", "schedule.seed=4", "schedule.epochs=3"):
        for configs in own.values():
            assert [config.schedule.seed for config in configs] == [4, 5]
            assert {config.schedule.epochs for config in configs} == {3}


def test_nothing_held_out_is_refused():
    with pytest.raises(InputError, match="name a scene"):
        planned("contrastive-tiny", "schedule.validation_scene=''")


def test_negatives_are_drawn_in_every_row_whatever_the_preset_does():
    assert contrastive("compact").negatives.within_batch
    tables = rows("contrastive-compact")
    assert not any(
        config.negatives.within_batch for table in tables for configs in table.values() for config in configs
    )

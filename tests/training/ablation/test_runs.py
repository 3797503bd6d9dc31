"""Runs that share what frozen backbones saw end where runs of their own do, and have them look once."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import torch

from nlvr.engine.cityflow import load_tracks
from nlvr.engine.frames import FrameStore
from nlvr.training import loop
from nlvr.training.ablation.plan import plan
from nlvr.training.ablation.runs import Runs
from nlvr.training.scenes import split_by_scene
from nlvr.training.systems import find_system

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = ("text.length=32", "recipe.size=32", "schedule.batch=4", "schedule.validation_scene=S02", "schedule.epochs=2")
OTHER = {"contrastive": "loss.kind=triplet", "sbnet": "modules.future=false"}


@pytest.fixture(params=list(OTHER))
def bench(request, data):
    """A system with tiny settings, and what makes its runs: (system, plan, open runs, a function from settings)."""
    system, source = find_system(f"{request.param}-tiny")
    planned = plan(system, source, overrides=SMALL, seeds=2)
    held_out = planned.base.schedule.validation_scene
    training, validation = split_by_scene(load_tracks(data[1]), held_out)

    def config(*settings):
        frozen = planned.seen_by.schedule
        kept = [f"schedule.frozen={list(frozen.frozen)}", f"schedule.copies={frozen.copies}"]
        return system.load_config(source, overrides=[*SMALL, *kept, *settings])

    @contextmanager
    def opened():
        with FrameStore(data[3], decode_threads=1, cache_bytes=0) as store:
            split = {"training": training, "validation": validation}
            yield Runs(system, planned.seen_by, store, **split, device=torch.device("cpu")), store, split

    return system, config, opened


def test_a_run_ends_where_one_with_a_task_of_its_own_does(bench, tmp_path):
    system, config, opened = bench
    other = config(OTHER[system.name])
    with opened() as (runs, store, split):
        for before in (config("schedule.seed=1"), config()):
            runs.measure(runs.build(before))
        record = runs.measure(runs.build(other))
        task = system.task(other, system.model(other, pretrained=True), system.tokenizer(other), store, **split)
        loop.train(task, other.schedule, tmp_path / "run")
    *_, last = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    assert record.loss == last["mean_loss"]
    assert [record.mrr, record.recall_5, record.recall_10] == [last["mrr"], last["recall_5"], last["recall_10"]]
    assert record.ranked == 2
    assert record.settings["schedule"]["epochs"] == 2


def test_backbones_look_once_whatever_the_seed(bench):
    system, config, opened = bench
    with opened() as (runs, store, _):
        first = config()
        runs.measure(runs.build(first))
        decoded = store.decoded
        for later in (config("schedule.seed=1"), config(OTHER[system.name])):
            runs.measure(runs.build(later))
        assert store.decoded == decoded > 0


def test_random_backbones_are_those_that_looked_and_the_rest_follows_the_seed(bench):
    _, config, opened = bench
    with opened() as (runs, *_):
        one, other = runs.build(config()).model, runs.build(config("schedule.seed=1")).model
    frozen = {weight for tower in one.frozen_towers() for weight in tower.parameters()}
    pairs = list(zip(one.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(own, same) for own, same in pairs if own in frozen)
    assert not all(torch.equal(own, same) for own, same in pairs if own not in frozen)


def test_runs_without_features_share_nothing(bench):
    _, config, opened = bench
    whole = config("schedule.frozen=[]", "schedule.copies=0")
    with opened() as (runs, *_):
        records = [runs.measure(runs.build(whole)) for _ in range(2)]
        assert records[0].loss == records[1].loss
        assert "_shared" not in vars(runs)

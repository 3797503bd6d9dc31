"""The settings: the presets carry the paper's values, a file is read strictly, and what is written reads back equal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nlvr.engine.errors import InputError
from nlvr.training.contrastive.config import (
    PRESETS,
    LossConfig,
    NegativesConfig,
    ScheduleConfig,
    load_config,
)

MINIMAL = '[model]\nbackbone = "tiny"\n[recipe]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n'


@pytest.fixture
def settings_file(tmp_path):
    def write(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("preset", ["clip", "baseline"])
def test_presets_of_the_paper_carry_its_values(preset):
    config = load_config(preset)
    assert (config.model.backbone, config.model.shared) == (preset, True)
    assert (config.model.width, config.model.motion_width) == (256, 64)
    assert (config.recipe.size, config.recipe.frames, config.recipe.trajectory) == (224, "last", "track")
    assert config.loss == LossConfig("infonce", "both", mix=0.3, temperature=0.07, margin=0.5)
    assert config.negatives == NegativesConfig(count=5, hard_vehicles=False, hard_texts=False, threshold=0.9, top=50)
    schedule = config.schedule
    assert (schedule.learning_rate, schedule.epochs, schedule.batch) == (1e-5, 10, 16)
    assert (schedule.mixed_precision, schedule.validation_scene, schedule.frozen) == (True, "S01", ())


@pytest.mark.parametrize(("preset", "size", "frames"), [("compact", 224, "8"), ("tiny", 64, "largest")])
def test_own_presets_resize_by_area_and_show_more_than_a_last_box(preset, size, frames):
    recipe = load_config(preset).recipe
    assert (recipe.size, recipe.resize, recipe.frames) == (size, "area", frames)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_survives_the_round_trip(preset, settings_file):
    config = load_config(preset)
    assert load_config(settings_file(config.to_toml())) == config


def test_absent_keys_take_the_papers_values(settings_file):
    config = load_config(settings_file(MINIMAL))
    assert (config.loss, config.negatives, config.schedule) == (LossConfig(), NegativesConfig(), ScheduleConfig())


@pytest.mark.parametrize(
    ("addition", "key"),
    [
        ("[loss]\ntau = 0.1", "loss.tau"),
        ("[optimiser]\nname = 'sgd'", "optimiser"),
        ("[loss]\nkind = 'hinge'", "loss.kind"),
        ("[loss]\ndirection = 1", "loss.direction"),
        ("[loss]\nmix = 1.5", "loss.mix"),
        ("[loss]\ntemperature = 0", "loss.temperature"),
        ("[loss]\ntemperature = nan", "loss.temperature"),
        ("[negatives]\ncount = true", "negatives.count"),
        ("[negatives]\ncount = 2.0", "negatives.count"),
        ("[negatives]\ncount = 6\ntop = 5\nhard_texts = true", "negatives.top"),
        ("[schedule]\nbatch = 0", "schedule.batch"),
        ("[schedule]\nlearning_rate = inf", "schedule.learning_rate"),
        ("[schedule]\nfrozen = 'image'", "schedule.frozen"),
        ("[schedule]\nfrozen = ['motion']", "schedule.frozen"),
        ("[text]\nlength = 99999", "text.length"),
    ],
)
def test_a_bad_setting_is_refused_by_file_and_key(addition, key, settings_file):
    path = settings_file(f"{MINIMAL}{addition}\n")
    with pytest.raises(InputError) as refusal:
        load_config(path)
    assert f"{path}: {key}: " in str(refusal.value)


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("model.backbone=vgg", "model.backbone"),
        ("model.weights=/somewhere", "model.weights"),
        ("recipe.mean=[0.5, 0.5]", "recipe.mean"),
        ("recipe.std=[0.5, 0.5, 0]", "recipe.std"),
        ("recipe.around=3", "recipe.around"),
        ("augment.bare=1.5", "augment.bare"),
        ("recipe.frames=0", "recipe.frames"),
        ("recipe.frames='first'", "recipe.frames"),
        ("recipe.frames='\"007\"'", "recipe.frames"),
        ("recipe.frames='007'", "recipe.frames"),
        ("recipe.mean=[2.0, 0, 0]", "recipe.mean"),
        ("recipe.std=[2.0, 1, 1]", "recipe.std"),
        ("recipe.line_width=2.0", "recipe.line_width"),
        ("recipe.max_points=1", "recipe.max_points"),
        ("recipe.size=100", "recipe.size"),
        ("model.width=29", "model.width"),
    ],
)
def test_a_bad_override_is_refused_by_key(setting, key):
    with pytest.raises(InputError, match=f": {key}: "):
        load_config("compact", overrides=[setting])


def test_clip_takes_one_image_size_alone():
    with pytest.raises(InputError, match=r"recipe\.size.*224"):
        load_config("clip", overrides=["recipe.size=256"])


def test_overrides_replace_the_files_settings():
    config = load_config("clip", overrides=["loss.kind=triplet", "model.shared=false", "schedule.frozen=['text']"])
    assert (config.loss.kind, config.model.shared, config.schedule.frozen) == ("triplet", False, ("text",))
    assert (
        replace(config, loss=LossConfig(), model=replace(config.model, shared=True)).recipe
        == load_config("clip").recipe
    )


@pytest.mark.parametrize("key", ["backbone", "mean", "std"])
def test_what_belongs_to_the_backbone_has_no_default(key, settings_file):
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(key)]
    with pytest.raises(InputError, match=rf"\.{key}: absent"):
        load_config(settings_file("\n".join(lines)))

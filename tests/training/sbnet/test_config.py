"""SBNet's settings: the presets carry the paper's values, and `released` differs in what its authors' code does."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from nlvr.engine.errors import InputError
from nlvr.training.sbnet.config import (
    PRESETS,
    LossConfig,
    ModulesConfig,
    NegativesConfig,
    ScheduleConfig,
    ScoreConfig,
    load_config,
)
from nlvr.training.settings import system_of

MINIMAL = (
    '[model]\nimage = "tiny"\nlanguage = "tiny"\n[recipe]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n[text]\n'
)


@pytest.fixture
def settings_file(tmp_path):
    def write(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def test_the_papers_preset_carries_its_values():
    config = load_config("paper")
    model, schedule, loss = config.model, config.schedule, config.loss
    assert (model.image, model.language, model.width) == ("resnet50", "electra", 2048)
    assert (config.recipe.size, config.cells, config.text.length) == (384, 24, 30)
    assert config.modules == ModulesConfig(classification=True, substitution=True, future=True)
    assert (loss.segmentation, loss.classification, loss.substitution, loss.future) == (1.0, 0.2, 1.0, 0.2)
    assert (loss.mask, loss.gamma, loss.label_smoothing, loss.detach_targets) == ("focal", 2.0, 0.1, True)
    assert (schedule.learning_rate, schedule.weight_decay, schedule.beta1) == (3e-5, 3e-5, 0.9)
    assert (schedule.decay, schedule.decay_epochs, schedule.epochs, schedule.batch) == (0.1, (5, 8), 10, 64)
    assert config.score == ScoreConfig(ctm_weight=0.5, nl_labels=True)
    assert config.negatives.probability == 0.2


def test_released_differs_from_the_paper_in_what_its_code_computes():
    paper, released = asdict(load_config("paper")), asdict(load_config("released"))
    differences = {
        f"{section}.{key}": (value, released[section][key])
        for section, table in paper.items()
        for key, value in table.items()
        if value != released[section][key]
    }
    assert differences == {
        "model.attention_scale": (True, False),
        "modules.substitution": (True, False),
        "modules.future": (True, False),
        "recipe.frames": ("8", "released"),
        "score.nl_labels": (True, False),
    }


@pytest.mark.parametrize(("preset", "size", "width"), [("compact", 384, 128), ("tiny", 96, 64)])
def test_own_presets_are_small(preset, size, width):
    config = load_config(preset)
    assert (config.recipe.size, config.recipe.resize, config.model.width) == (size, "area", width)
    assert config.modules == ModulesConfig(motion=preset == "compact")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_survives_the_round_trip(preset, settings_file):
    config = load_config(preset)
    path = settings_file(config.to_toml())
    assert load_config(path) == config
    assert system_of(path) == "sbnet"


def test_absent_keys_take_the_papers_values(settings_file):
    config = load_config(settings_file(MINIMAL))
    assert (config.modules, config.loss, config.negatives) == (ModulesConfig(), LossConfig(), NegativesConfig())
    assert (config.schedule, config.score) == (ScheduleConfig(), ScoreConfig())


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("model.image=vgg", "model.image"),
        ("model.width=40", "model.width"),
        ("model.figt=crop", "model.figt"),
        ("model.weights=/somewhere", "model.weights"),
        ("recipe.size=100", "recipe.size"),
        ("recipe.size=16", "recipe.size"),
        ("recipe.around=0.5", "recipe.around"),
        ("recipe.around=-3", "recipe.around"),
        ("recipe.frames='first'", "recipe.frames"),
        ("recipe.frames='0'", "recipe.frames"),
        ("recipe.mean=[0, 0, 2]", "recipe.mean"),
        ("recipe.std=[0, 1, 1]", "recipe.std"),
        ("augment.crop=0", "augment.crop"),
        ("text.length=5000", "text.length"),
        ("loss.mask=dice", "loss.mask"),
        ("loss.segmentation=0", "loss.segmentation"),
        ("loss.label_smoothing=1", "loss.label_smoothing"),
        ("negatives.probability=1.5", "negatives.probability"),
        ("schedule.beta1=1", "schedule.beta1"),
        ("schedule.decay_epochs=[0]", "schedule.decay_epochs"),
        ("schedule.frozen=['text']", "schedule.frozen"),
        ("schedule.beside=1", "schedule.beside"),
        ("schedule.beside=8", "schedule.beside"),
        ("score.ctm_weight=-1", "score.ctm_weight"),
    ],
)
def test_a_bad_override_is_refused_by_key(override, key):
    with pytest.raises(InputError, match=f": {key}: "):
        load_config("tiny", overrides=[override])


@pytest.mark.parametrize("off", ["schedule.copies=0", "model.grid=0", "modules.classification=false"])
def test_boxes_beside_a_batch_want_views_and_a_grid_that_learns(off):
    assert load_config("compact").schedule.beside
    with pytest.raises(InputError, match=r": schedule\.beside: .*set schedule\.copies"):
        load_config("compact", overrides=[off])
    load_config("compact", overrides=[off, "schedule.beside=0"])


@pytest.mark.parametrize("frames", ["released", "last", "largest", "all", "16"])
def test_every_choice_of_frames_is_taken(frames):
    assert load_config("tiny", overrides=[f'recipe.frames="{frames}"']).recipe.frames == frames


@pytest.mark.parametrize("key", ["image", "language", "mean", "std"])
def test_what_belongs_to_the_backbones_has_no_default(key, settings_file):
    lines = [line for line in MINIMAL.splitlines() if not line.startswith(key)]
    with pytest.raises(InputError, match=rf"\.{key}: absent"):
        load_config(settings_file("\n".join(lines)))

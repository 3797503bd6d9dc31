"""Which system a configuration is of, by its name or by its file."""

from __future__ import annotations

import pytest

from nlvr.engine.errors import InputError
from nlvr.training.contrastive.config import ContrastiveConfig
from nlvr.training.contrastive.config import load_config as contrastive
from nlvr.training.sbnet.config import SBNetConfig
from nlvr.training.sbnet.config import load_config as sbnet
from nlvr.training.systems import find_system

CONTRASTIVE = ("clip", "baseline", "compact", "tiny")
SBNET = ("paper", "released", "compact", "tiny")


@pytest.mark.parametrize("name", [*CONTRASTIVE, *(f"contrastive-{name}" for name in CONTRASTIVE)])
def test_contrastive_presets_go_with_and_without_the_prefix(name):
    system, source = find_system(name)
    assert system.load_config(source) == contrastive(name.removeprefix("contrastive-"))


@pytest.mark.parametrize("name", SBNET)
def test_sbnet_presets_take_the_prefix(name):
    system, source = find_system(f"sbnet-{name}")
    assert system.load_config(source) == sbnet(name)


def test_a_file_names_its_system_or_is_contrastive(tmp_path):
    path = tmp_path / "mine.toml"
    for config, kind in ((contrastive("tiny"), ContrastiveConfig), (sbnet("tiny"), SBNetConfig)):
        path.write_text(config.to_toml())
        system, source = find_system(str(path))
        loaded = system.load_config(source)
        assert isinstance(loaded, kind)
        assert loaded == config
    path.write_text(contrastive("tiny").to_toml().partition("\n")[2])
    system, source = find_system(str(path))
    assert system.load_config(source) == contrastive("tiny")


def test_what_is_neither_preset_nor_file_is_refused_with_the_presets(tmp_path):
    for source in ("paper", "sbnet", str(tmp_path / "absent.toml")):
        with pytest.raises(InputError, match=r"is no preset and no file; .* contrastive-compact, .* sbnet-paper"):
            find_system(source)


def test_an_unknown_system_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('system = "other"\n')
    with pytest.raises(InputError, match="system is 'other'; give settings of one of contrastive, sbnet"):
        find_system(str(path))

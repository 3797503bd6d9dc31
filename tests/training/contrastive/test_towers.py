"""The backbones: sizes, agreement with the libraries they come from, and weights that cannot be had."""

from __future__ import annotations

import socket

import numpy as np
import pytest
import torch

from nlvr.engine.errors import InputError
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.tokenizers import build_tokenizer
from nlvr.training.contrastive.towers import build_towers
from nlvr.training.torchvision_schemas import declare_missing_operators

pytestmark = pytest.mark.usefixtures("no_network")
IDS = torch.tensor([[1, 7, 9, 2, 0, 0], [1, 5, 2, 0, 0, 0]])
MASK = (IDS > 0).long()


@pytest.fixture(scope="module")
def no_network():
    """No test here may reach for a network."""
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_):
            message = "a test tried to use the network"
            raise OSError(message)

        patch.setattr(socket.socket, "connect", refuse)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def compact(no_network):
    return build_towers(load_config("compact"), pretrained=True)


@pytest.mark.parametrize(
    ("preset", "shared", "widths"),
    [
        ("clip", True, (512, None, 512)),
        ("baseline", True, (2048, None, 768)),
        ("baseline", False, (2048, 512, 768)),
        ("compact", True, (1512, None, 384)),
        ("compact", False, (1512, 1512, 384)),
        ("tiny", True, (64, None, 64)),
        ("tiny", False, (64, 64, 64)),
    ],
)
def test_images_give_features_of_the_size_the_tower_states(preset, shared, widths):
    config = load_config(preset, overrides=[f"model.shared={str(shared).lower()}", "text.length=6"])
    with torch.device("meta"):
        towers = build_towers(config, pretrained=False)
        images = torch.zeros(2, 3, config.recipe.size, config.recipe.size)
        found = [tower and tower.module.eval()(images).shape for tower in (towers.image, towers.crop)]
        grids = [tower.module.see(images)[1].shape for tower in (towers.image, towers.crop) if tower and tower.grid]
    assert found == [width and (2, width) for width in widths[:2]]
    cells = config.recipe.size // 16
    assert all(shape == (2, towers.image.grid, cells, cells) for shape in grids)
    assert bool(grids) == (preset in {"compact", "tiny"})
    assert [tower and tower.width for tower in (towers.image, towers.crop, towers.text)] == list(widths)


def test_an_unshared_crop_tower_starts_as_a_copy_of_its_own():
    towers = build_towers(load_config("tiny", overrides=["model.shared=false"]), pretrained=False)
    images = torch.rand(1, 3, 64, 64)
    first, second = towers.image.module.eval(), towers.crop.module.eval()
    assert torch.equal(first(images), second(images))
    next(first.parameters()).data.zero_()
    assert not torch.equal(first(images), second(images))


@torch.no_grad()
def test_minilm_puts_like_sentences_close(compact):
    config = load_config("compact")
    tokens = Tokenizer(build_tokenizer(config), length=config.text.length)(
        ["A red sedan is turning right.", "A red sedan turns right.", "A white bus stops at the lights."]
    )
    features = compact.text.module.eval()(torch.from_numpy(tokens.ids), torch.from_numpy(tokens.mask))
    cosines = np.corrcoef(features)
    assert cosines[0, 1] > 0.9 > 0.6 > cosines[0, 2]


@torch.no_grad()
@pytest.mark.parametrize("preset", ["compact", "tiny"])
def test_padding_does_not_change_a_sentences_features(preset, compact):
    towers = compact if preset == "compact" else build_towers(load_config(preset), pretrained=False)
    text = towers.text.module.eval()
    padded, bare = text(IDS, MASK)[1], text(IDS[1:, :3], MASK[1:, :3])[0]
    torch.testing.assert_close(padded, bare, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_clips_text_is_read_at_the_end_of_text():
    config = load_config("clip", overrides=["text.length=6"])
    text = build_towers(config, pretrained=False).text.module.eval()
    ids = torch.tensor([[49406, 320, 736, 49407, 0, 0], [49406, 320, 736, 2, 5, 49407]])
    found = text(ids, torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]]))
    text.transformer.pool_type = "argmax"  # open_clip's own reading
    torch.testing.assert_close(found, text.transformer(ids), rtol=1e-5, atol=1e-6)


def test_bert_weights_that_are_not_there_are_named_with_a_remedy(tmp_path):
    config = load_config("baseline", overrides=[f"model.weights={tmp_path}"])
    with pytest.raises(InputError, match=r"bert-base-uncased: cannot be loaded .*; set model\.weights to a folder"):
        build_towers(config, pretrained=True)


def test_clip_weights_that_cannot_be_fetched_are_named_with_a_remedy(monkeypatch):
    declare_missing_operators()
    import open_clip

    def offline(*_, **__):
        message = "no route to host\nand much more"
        raise ConnectionError(message)

    monkeypatch.setattr(open_clip, "create_model", offline)
    with pytest.raises(InputError) as refusal:
        build_towers(load_config("clip"), pretrained=True)
    assert str(refusal.value) == (
        "ViT-B-32-quickgelu (openai): cannot be loaded (no route to host); "
        "set model.weights to a checkpoint file of that model"
    )

"""SBNet whole: shapes at the paper's size, frames and sentences shared, padding, switches, seeds, frozen backbones."""

from __future__ import annotations

import pytest
import torch

from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.model import SBNet

pytestmark = pytest.mark.usefixtures("one_thread")
LENGTH = 12


def build(*overrides, preset="tiny"):
    return SBNet(load_config(preset, overrides=overrides), pretrained=False)


def samples(config, *, frames=2, sentences=3, rows=((0, 0), (1, 2), (1, 1), (0, 2)), seed=0):
    """Return the model's inputs for samples of these (frame, sentence) rows, each with a box of its own."""
    generator = torch.Generator().manual_seed(seed)
    size, cells = config.recipe.size, config.cells
    lengths = torch.tensor([[LENGTH], [5], [3]])[:sentences]
    mask = (torch.arange(LENGTH) < lengths).long()
    boxes = torch.zeros(len(rows), cells, cells, dtype=torch.bool)
    for number, box in enumerate(boxes):
        box[number : number + 2, cells - 1 - number :] = True
    frame_rows, text_rows = torch.tensor(rows).T
    return {
        "images": torch.randint(0, 256, (frames, size, size, 3), generator=generator, dtype=torch.uint8),
        "ids": torch.randint(3, 250, (sentences, LENGTH), generator=generator) * mask,
        "mask": mask,
        "boxes": boxes,
        "frame_rows": frame_rows,
        "text_rows": text_rows,
    }


def tensors(output):
    """Return every tensor of an output that has a row per sample, by name."""
    found = {"mask": output.mask}
    for name in ("text", "image"):
        part = getattr(output, name)
        found |= {f"{name}.colour": part.colour, f"{name}.type": part.type} if part else {}
    if output.substitutes:
        found |= {name: getattr(output.substitutes, name) for name in ("figt", "fig", "fngt", "fng")}
    return found


@pytest.fixture(scope="module")
def model():
    return build().eval()


@torch.no_grad()
def test_shapes_at_the_papers_full_size():
    config = load_config("paper")
    output = SBNet(config, pretrained=False).eval()(**samples(config, frames=1, sentences=1, rows=((0, 0),)))
    shapes = {name: tuple(value.shape) for name, value in tensors(output).items()}
    wide = (1, 2048)
    assert shapes == {
        "mask": (1, 24, 24),
        "text.colour": (1, 12),
        "text.type": (1, 10),
        "image.colour": (1, 12),
        "image.type": (1, 10),
        "figt": wide,
        "fig": wide,
        "fngt": wide,
        "fng": wide,
    }
    assert output.future.shape == (1, 3, 24, 24)
    assert all(value.isfinite().all() for value in tensors(output).values())


@torch.no_grad()
def test_a_sample_does_not_depend_on_those_it_shares_frames_and_sentences_with(model):
    whole = samples(model.config)
    together = tensors(model(**whole))
    for number, (frame, sentence) in enumerate(zip(whole["frame_rows"], whole["text_rows"], strict=True)):
        alone = model(
            whole["images"][frame : frame + 1],
            whole["ids"][sentence : sentence + 1],
            whole["mask"][sentence : sentence + 1],
            whole["boxes"][number : number + 1],
            frame_rows=torch.tensor([0]),
            text_rows=torch.tensor([0]),
        )
        for name, value in tensors(alone).items():
            torch.testing.assert_close(value[0], together[name][number], rtol=1e-4, atol=1e-6, msg=name)


def test_each_distinct_frame_and_sentence_is_encoded_once(model):
    counts = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: counts.append(len(inputs[0])))
        for module in (model.image.backbone, model.language.backbone)
    ]
    model(**samples(model.config))
    for hook in hooks:
        hook.remove()
    assert counts == [2, 3]


@torch.no_grad()
@pytest.mark.parametrize("order", ["sequential", "parallel"])
def test_padding_changes_nothing(order):
    network = build(f"model.attention_order={order}").eval()
    padded = samples(network.config, sentences=3, rows=((0, 2), (1, 2)))
    real = int(padded["mask"][2].sum())
    bare = padded | {name: padded[name][:, :real] for name in ("ids", "mask")}
    found, expected = tensors(network(**padded)), tensors(network(**bare))
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6, msg=name)


@torch.no_grad()
def test_the_position_code_reaches_the_mask_and_nothing_else():
    outputs = [build(f"model.pos2d={on}").eval()(**samples(load_config("tiny"))) for on in ("true", "false")]
    with_code, without = (tensors(output) for output in outputs)
    assert not torch.allclose(with_code.pop("mask"), without.pop("mask"), atol=1e-3)
    assert all(torch.equal(value, without[name]) for name, value in with_code.items())


@pytest.mark.parametrize(
    ("switch", "parts"),
    [
        ("classification", ("text_attributes", "image_attributes")),
        ("substitution", ("substitution",)),
        ("future", ("future",)),
    ],
)
def test_a_switch_removes_its_module_and_what_it_says(switch, parts):
    network = build(f"modules.{switch}=false").eval()
    output = network(**samples(network.config))
    says = {"classification": output.image, "substitution": output.substitutes, "future": output.future}
    assert [name for name, value in says.items() if value is None] == [switch]
    assert (output.text is None) == (switch == "classification")
    assert not any(name.startswith(parts) for name in network.state_dict())
    assert any(name.startswith(parts) for name in build().state_dict())


@torch.no_grad()
def test_released_computes_the_paper_without_its_own_modules_and_scale():
    names = {preset: set(_shapes(preset)) for preset in ("paper", "released")}
    assert {name.split(".")[0] for name in names["paper"] - names["released"]} == {"substitution", "future"}
    assert names["released"] < names["paper"]
    scaled, unscaled = (build(f"model.attention_scale={on}").eval() for on in ("true", "false"))
    unscaled.multimodal.coattention.a.weight /= 8  # √c of c = 64
    unscaled.multimodal.coattention.a.bias /= 8
    inputs = samples(scaled.config)
    torch.testing.assert_close(scaled(**inputs).mask, unscaled(**inputs).mask, rtol=1e-5, atol=1e-6)


def _shapes(preset):
    with torch.device("meta"):
        return {name: value.shape for name, value in SBNet(load_config(preset), pretrained=False).state_dict().items()}


def test_the_seed_decides_the_weights_and_leaves_the_callers_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = (build(f"schedule.seed={seed}").state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["multimodal.coattention.a.weight"], other["multimodal.coattention.a.weight"])


@pytest.mark.parametrize("frozen", [["image"], ["language"], ["image", "language"]])
def test_frozen_backbones_stay_as_they_are_in_training(frozen):
    network = build(f"schedule.frozen={frozen}").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.Adam([weight for weight in network.parameters() if weight.requires_grad], lr=0.1)
    output = network(**samples(network.config))
    (sum(value.square().sum() for value in tensors(output).values()) + output.future.sum()).backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    for module in ("image", "language"):
        assert any(name.startswith(f"{module}.backbone.") for name in changed) == (module not in frozen)
    parts = {name.split(".")[0] for name in changed}
    assert parts >= {"multimodal", "substitution", "future", "text_attributes", "image_attributes"}
    assert "language.projection.weight" in changed


def test_every_weight_takes_part_in_training():
    network = build().train()
    output = network(**samples(network.config))
    (sum(value.square().sum() for value in tensors(output).values()) + output.future.square().sum()).backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A bias that adds the same to every score of a softmax cannot change it.
    assert set(idle) <= {name for name in idle if name.endswith("bias")}

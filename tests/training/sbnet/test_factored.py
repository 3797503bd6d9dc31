"""The factored modules against the dense ones, in float32 at their real sizes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from nlvr.engine.geometry import window
from nlvr.training.sbnet import factored
from nlvr.training.sbnet.attributes import box_mean
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.factored import MASK_HALO, SUBSTITUTION_HALO, ImageSide, MaskWindow, TextSide, TrackSide
from nlvr.training.sbnet.model import SBNet

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE = 24
EDGES = [(x, y, x + 3, y + 2) for x, y in itertools.product((0, 11, SIDE - 3), (0, 11, SIDE - 2))]
NEAR_EDGES = [(x, y, x + 3, y + 3) for x, y in itertools.product((1, 3, 4, 17, 18, 20), (5, 18))]
CELLS = [(0, 0, 1, 1), (SIDE - 1, SIDE - 1, SIDE, SIDE), (11, 12, 12, 13), (0, SIDE - 1, 1, SIDE)]
LARGE = [(0, 0, SIDE, SIDE), (0, 5, SIDE, 20), (5, 0, 21, SIDE), (2, 1, 23, 23)]
SIDES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24)
TOLERANCE = 5e-6  # CPUs sum in different orders


@pytest.fixture(scope="module", params=["compact", "paper", "compact-released", "compact-parallel", "compact-mean"])
def model(request):
    """A network whose mask is spread over (0, 1), so that a wrong cell of its window shows."""
    preset, _, variant = request.param.partition("-")
    overrides = {
        "": [],
        "released": ["model.attention_scale=false", "model.pos2d=false"],
        "parallel": ["model.attention_order=parallel"],
        "mean": ["model.figt=frame", "model.grid=0", "schedule.beside=0"],
    }[variant]
    network = SBNet(load_config(preset, overrides=overrides), pretrained=False).eval()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for layer in [*network.multimodal.head.modules(), *network.image_attributes.modules()]:
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                learned = (layer.weight, layer.bias) if layer.affine else ()
                for values in (*learned, layer.running_mean, layer.running_var):
                    values.data.uniform_(0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def features(model):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(1, model.config.model.width, SIDE, SIDE, generator=generator).relu()


@pytest.fixture(scope="module")
def sentence(model):
    """Ids and mask of one sentence with padding."""
    ids = torch.arange(5, 5 + model.config.text.length)[None] % 200
    mask = torch.ones_like(ids)
    mask[:, 17:] = 0
    return ids, mask


def cut(box, halo, sides=SIDES):
    rows, columns = window(np.array(box, np.int32), sides, halo)
    return torch.from_numpy(rows)[None], torch.from_numpy(columns)[None]


def masked(box):
    mask = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    x0, y0, x1, y1 = box
    mask[:, y0:y1, x0:x1] = True
    return mask


@torch.no_grad()
def test_the_mask_equals_the_dense_one_on_every_box(model, features, sentence):
    ids, real = sentence
    told = TextSide(model)(ids, real)[:4]
    dense = model.multimodal(features, model.language(ids, real), real).sigmoid()[0]
    assert dense.std() > 0.01, "a flat mask would hide an error"
    module = MaskWindow(model)
    boxes = (
        [*EDGES, *NEAR_EDGES, *CELLS, *LARGE] if model.config.model.width < 1000 else [*EDGES[::2], *CELLS, *LARGE[:2]]
    )
    for box in boxes:
        found = module(features, *told, real, *cut(box, MASK_HALO))[0]
        x0, y0, x1, y1 = box
        difference = (found[: y1 - y0, : x1 - x0] - dense[y0:y1, x0:x1]).abs().max().item()
        assert difference <= TOLERANCE, (box, difference)


@torch.no_grad()
def test_a_halo_of_three_cells_is_too_small(model, features, sentence, monkeypatch):
    """The outermost ring of a window, taken away behind the self-attention, is missed inside the box."""
    ids, real = sentence
    told = TextSide(model)(ids, real)[:4]
    dense = model.multimodal(features, model.language(ids, real), real).sigmoid()[0]
    box = (11, 12, 14, 15)
    rows, columns = cut(box, MASK_HALO)
    whole = MaskWindow(model)(features, *told, real, rows, columns)[0]
    assert (whole - dense[12:15, 11:14]).abs().max() <= TOLERANCE

    def narrower(rows, columns, cells):
        inside = torch.zeros(1, rows.shape[1], columns.shape[1], dtype=torch.bool)
        inside[:, 1:-1, 1:-1] = True
        return inside

    monkeypatch.setattr(factored, "_inside", narrower)
    found = MaskWindow(model)(features, *told, real, rows, columns)[0]
    assert (found - dense[12:15, 11:14]).abs().max() > 4 * TOLERANCE


@torch.no_grad()
def test_a_window_in_a_batch_of_others_is_the_same(model, features, sentence):
    ids, real = sentence
    told = [part.expand(3, *part.shape[1:]) for part in TextSide(model)(ids, real)[:4]]
    boxes = [(0, 0, 3, 3), (9, 20, 12, 23), (21, 21, 24, 24)]
    rows, columns = (torch.cat(parts) for parts in zip(*(cut(box, MASK_HALO) for box in boxes), strict=True))
    together = MaskWindow(model)(features.expand(3, -1, -1, -1), *told, real.expand(3, -1), rows, columns)
    for number in range(3):
        part = slice(number, number + 1)
        own = [piece[part] for piece in told]
        alone = MaskWindow(model)(features, *own, real, rows[part], columns[part])
        torch.testing.assert_close(together[part], alone, rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def cells(model):
    """What a grid reads of each cell, where there is one."""
    return model.by_cell(torch.randn(1, 1515, SIDE, SIDE, generator=torch.Generator().manual_seed(5)))


@torch.no_grad()
def test_what_a_box_shows_equals_the_dense_modules(model, features, cells):
    module = TrackSide(model)
    cosine = torch.nn.functional.cosine_similarity
    for box in [*EDGES, *CELLS, *LARGE]:
        mask = masked(box)
        rows, columns = cut(box, SUBSTITUTION_HALO)
        grid = () if cells is None else (cells,)
        outputs = module(box_mean(features, mask), features, torch.tensor([box]), rows, columns, *grid)
        found = dict(zip(module.outputs, outputs, strict=True))
        dense = model.see_attributes(features, cells, mask)
        torch.testing.assert_close(found["colour"], dense.colour, rtol=0, atol=0)
        torch.testing.assert_close(found["type"], dense.type, rtol=0, atol=0)
        fng = torch.nn.functional.normalize(model.substitution.text_from_image(features, mask), dim=1)
        torch.testing.assert_close(found["fng"], fng, rtol=0, atol=TOLERANCE)
        assert ("figt" in found) == (model.config.model.figt == "box")
        if "figt" in found:
            assert cosine(found["figt"], box_mean(features, mask)).item() == pytest.approx(1, abs=1e-6)


@torch.no_grad()
def test_a_sentence_and_a_frame_give_what_the_dense_modules_compare(model, sentence):
    ids, real = sentence
    side = TextSide(model)
    found = dict(zip(side.outputs, side(ids, real), strict=True))
    tokens = model.language(ids, real)
    told = model.text_attributes(tokens)
    torch.testing.assert_close(found["colour"], told.colour, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(found["type"], told.type, rtol=0, atol=TOLERANCE)
    fngt = (tokens * real[:, :, None]).sum(1) / real.sum()
    for name, vector in (("fngt", fngt), ("fig", model.substitution.image_from_text(fngt))):
        torch.testing.assert_close(found[name], torch.nn.functional.normalize(vector, dim=1), rtol=0, atol=TOLERANCE)
    images = torch.randint(0, 256, (1, 384, 384, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    frame = ImageSide(model)
    seen = dict(zip(frame.outputs, frame(images), strict=True))
    torch.testing.assert_close(seen["features"], model.image(images), rtol=0, atol=0)
    if "figt" in seen:
        figt = torch.nn.functional.normalize(model.image(images).mean((2, 3)), dim=1)
        torch.testing.assert_close(seen["figt"], figt, rtol=0, atol=TOLERANCE)
    assert ("grid" in seen) == bool(model.config.model.grid)
    if "grid" in seen:
        torch.testing.assert_close(seen["grid"], model.by_cell(model.image.see(images)), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("switches", "image", "track", "text"),
    [
        ((), ("features", "figt"), ("colour", "type", "fng"), ("colour", "type", "fig", "fngt")),
        (("classification",), ("features", "figt"), ("fng",), ("fig", "fngt")),
        (("substitution",), ("features",), ("colour", "type"), ("colour", "type")),
        (("classification", "substitution"), ("features",), (), ()),
    ],
)
@pytest.mark.parametrize("grid", [0, 4])
def test_a_module_that_is_off_is_in_no_graph(switches, image, track, text, grid):
    settings = [f"model.grid={grid}", *(f"modules.{name}=false" for name in switches)]
    network = SBNet(load_config("tiny", overrides=settings), pretrained=False)
    is_read = grid and "classification" not in switches
    assert ImageSide(network).outputs == (*image, *(["grid"] if is_read else []))
    assert TrackSide(network).outputs == track
    assert TextSide(network).outputs[4:] == text

"""The exact shortcuts that a fast evaluation may take, each against the dense modules.

The image is never projected by b, d runs once on a vector, the value of the self-attention after its sum, and the mask
is computed on a window of the box and four cells around it.
"""

from __future__ import annotations

import itertools

import pytest
import torch

from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.model import Multimodal, SBNet

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE, WIDTH, LENGTH = 24, 32, 9
BOXES = [(0, 0, 3, 2), (21, 22, 24, 24), (0, 20, 5, 24), (20, 0, 24, 1), (11, 12, 12, 13), (0, 0, SIDE, SIDE)]
BOXES += [(x, y, x + 3, y + 3) for x, y in itertools.product((3, 4, 17), (1, 5, 18))]


def build(*overrides):
    config = load_config("tiny", overrides=[f"model.width={WIDTH}", f"recipe.size={16 * SIDE}", *overrides])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = Multimodal(config.model, config.cells).double().eval()
        for layer in module.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                for values in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                    values.data.uniform_(0.5, 1.5)
    return module


def draw():
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(1, WIDTH, SIDE, SIDE, dtype=torch.float64, generator=generator)
    return features, torch.randn(1, LENGTH, WIDTH, dtype=torch.float64, generator=generator)


def matrix(layer):
    return layer.weight.flatten(1), layer.bias


def factored(module, features, tokens, box, *, halo):
    """features: F, [c, h, w] with the position code.  tokens: X, [l, e], real ones alone.  Returns M on the box."""
    f, co, attention = features.flatten(1), module.coattention, module.selfattention
    (wb, bb), (wd, bd), (wv, bv) = matrix(co.b), matrix(co.d), matrix(attention.value)
    query = co.a(tokens)
    affinity = ((query @ wb) @ f + (query @ bb)[:, None]) / co.scale
    enhanced = f + co.c(tokens).T @ affinity.softmax(0)
    pooled = (f if co.parallel else enhanced) @ affinity.softmax(1).mean(0)
    gate = module.modulation.mlp(tokens.mean(0) + wd @ pooled + bd)
    modulated = enhanced * gate[:, None]
    x0, y0, x1, y1 = box
    left, top, right, bottom = max(0, x0 - halo), max(0, y0 - halo), min(SIDE, x1 + halo), min(SIDE, y1 + halo)
    window = (torch.arange(top, bottom)[:, None] * SIDE + torch.arange(left, right)).flatten()
    wq, bq = matrix(attention.query)
    keys = wq @ modulated + bq[:, None]
    weights = (keys[:, window].T @ keys).softmax(1)
    seen = modulated[:, window] + wv @ (modulated @ weights.T) + bv[:, None]
    mask = module.head(seen.unflatten(1, (bottom - top, right - left))[None])[0]
    return mask[y0 - top : y1 - top, x0 - left : x1 - left].sigmoid()


@torch.no_grad()
@pytest.mark.parametrize("order", ["sequential", "parallel"])
def test_the_factored_mask_equals_the_dense_one_on_every_box(order):
    module = build(f"model.attention_order={order}")
    features, tokens = draw()
    padded = torch.cat([tokens, torch.full((1, 4, WIDTH), 7.0, dtype=torch.float64)], dim=1)
    mask = torch.tensor([[1] * LENGTH + [0] * 4])
    dense = module(features, padded, mask).sigmoid()[0]
    coded = module.position(features)[0]
    for box in BOXES:
        x0, y0, x1, y1 = box
        found = factored(module, coded, tokens[0], box, halo=4)
        torch.testing.assert_close(found, dense[y0:y1, x0:x1], rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_halo_of_three_cells_is_too_small():
    module = build()
    features, tokens = draw()
    dense = module(features, tokens, torch.ones(1, LENGTH, dtype=torch.long)).sigmoid()[0]
    found = factored(module, module.position(features)[0], tokens[0], (11, 12, 12, 13), halo=3)
    assert (found - dense[12:13, 11:12]).abs().max() > 1e-9


@torch.no_grad()
def test_one_frames_share_of_the_first_kernel_serves_all_its_boxes():
    """The box is one more channel of a linear layer, so its share is added to that of the features (eq. 11)."""
    config = load_config("tiny")
    network = SBNet(config, pretrained=False).double().substitution.text_from_image
    features = torch.randn(1, 64, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    boxes = torch.zeros(3, 6, 6, dtype=torch.bool)
    boxes[0, :2, :3] = boxes[1, 5, 5] = boxes[2, 2:4, 1:5] = True
    weight, bias = network.first.weight, network.first.bias
    conv = torch.nn.functional.conv2d
    shared = conv(features, weight[:, :-1], bias, padding=1)
    hidden = shared + conv(boxes[:, None].double(), weight[:, -1:], padding=1)
    both = torch.cat([features.expand(3, -1, -1, -1), boxes[:, None].double()], dim=1)
    torch.testing.assert_close(hidden, network.first(both), rtol=0, atol=1e-12)

"""The score of a pair against its definition, the switches, the labels, and what happens to a NaN."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from nlvr.engine.cityflow import Query
from nlvr.engine.errors import ScoreError
from nlvr.engine.geometry import box_cells
from nlvr.engine.language import COLOURS, MOTIONS, TYPES
from nlvr.training.sbnet.attributes import Attributes
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.model import SBNet
from nlvr.training.sbnet.scoring import (
    Said,
    colour_type_match,
    mask_prediction_ratio,
    motion_match,
    query_says,
    score_pair,
    substitution_similarity,
)
from nlvr.training.sbnet.substitution import Substitutes
from nlvr.training.sbnet.tokenizers import build_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
QUERY = Query("q", ("A red sedan turns left.", "red car", "A maroon vehicle goes left."))
VAGUE = Query("v", ("It drives on.", "A vehicle."))
FRAMES = 3


@pytest.fixture(scope="module")
def pair():
    """Return what `score_pair` takes beside the model: one query, and a track of three frames."""
    config = load_config("tiny")
    encodings = build_tokenizer(config).encode_batch(list(QUERY.nl))
    boxes = torch.zeros(FRAMES, config.cells, config.cells, dtype=torch.bool)
    boxes[0, 0, 5] = boxes[1, 2:4, 1:5] = boxes[2] = True
    size = config.recipe.size
    generator = torch.Generator().manual_seed(0)
    return {
        "ids": torch.tensor([encoding.ids for encoding in encodings]),
        "mask": torch.tensor([encoding.attention_mask for encoding in encodings]),
        "images": torch.randint(0, 256, (FRAMES, size, size, 3), generator=generator, dtype=torch.uint8),
        "boxes": boxes,
        "points": torch.rand(1, 20, 2, generator=generator),
        "lengths": torch.tensor([12]),
    }


def build(*overrides):
    return SBNet(load_config("tiny", overrides=overrides), pretrained=False).eval()


@torch.no_grad()
def every_pair(model, pair):
    """Return the output for all pairs of a frame and a sentence at once, frames first."""
    rows = torch.cartesian_prod(torch.arange(FRAMES), torch.arange(len(pair["ids"])))
    boxes = pair["boxes"][rows[:, 0]]
    inputs = (pair["images"], pair["ids"], pair["mask"], boxes)
    return model(*inputs, frame_rows=rows[:, 0], text_rows=rows[:, 1]), boxes


def test_a_score_is_the_mean_over_frames_and_sentences(pair):
    model = build()
    score = score_pair(model, QUERY, "t", **pair)
    output, boxes = every_pair(model, pair)
    masks = output.mask.sigmoid()
    ratios = [mask[box].mean().item() for mask, box in zip(masks, boxes, strict=True)]
    assert score.mpr == pytest.approx(sum(ratios) / len(ratios), abs=1e-6)
    parts = output.substitutes
    cosines = functional.cosine_similarity(parts.figt, parts.fig) + functional.cosine_similarity(parts.fngt, parts.fng)
    assert score.ss == pytest.approx(cosines.mean().item(), abs=1e-6)
    colours, types = (getattr(output.image, name).mean(0).softmax(0) for name in ("colour", "type"))
    expected = colours[COLOURS.index("red")] + types[TYPES.index("sedan")]
    assert score.ctm == pytest.approx(expected.item(), abs=1e-6)
    assert score.prob == pytest.approx(score.mpr + score.ss + 0.5 * score.ctm)


def test_all_but_the_mask_is_one_inner_product_of_a_track_and_a_query(pair):
    model = build()
    score = score_pair(model, QUERY, "t", **pair)
    output, _ = every_pair(model, pair)
    parts = output.substitutes
    unit = {name: functional.normalize(getattr(parts, name)).mean(0) for name in ("figt", "fig", "fngt", "fng")}
    image = output.image
    track = torch.cat([unit["figt"], unit["fng"], image.colour.mean(0).softmax(0), image.type.mean(0).softmax(0)])
    labels = torch.zeros(22)
    labels[[COLOURS.index("red"), len(COLOURS) + TYPES.index("sedan")]] = 0.5
    query = torch.cat([unit["fig"], unit["fngt"], labels])
    assert score.prob == pytest.approx(score.mpr + (track @ query).item(), abs=1e-5)


@pytest.mark.parametrize(
    ("switch", "absent"), [("classification", {"ctm"}), ("substitution", {"ss"}), ("future", set())]
)
def test_a_switch_removes_its_term_and_no_other(switch, absent, pair):
    whole, cut = build(), build(f"modules.{switch}=false")
    cut.load_state_dict(whole.state_dict(), strict=False)
    full, less = (score_pair(model, QUERY, "t", **pair) for model in (whole, cut))
    for term in ("mpr", "ss", "ctm"):
        assert getattr(less, term) == (0.0 if term in absent else getattr(full, term))
        assert getattr(full, term) != 0.0
    assert less.prob == less.mpr + less.ss + 0.5 * less.ctm


def test_a_path_is_matched_with_what_is_said_of_motion(pair):
    model = build("modules.motion=true", "score.ctm_weight=2")
    score = score_pair(model, QUERY, "t", **pair)
    with torch.no_grad():
        path = model.motion(pair["points"], pair["lengths"])
    assert score.motion == pytest.approx(path.softmax(1)[0, MOTIONS.index("left")].item(), abs=1e-6)
    assert motion_match(path, query_says(VAGUE, "log", None), "log") == 0
    assert score.prob == pytest.approx(score.mpr + score.ss + 2 * (score.ctm + score.motion))
    assert score_pair(build(), QUERY, "t", **pair).motion == 0


def test_lambda_weighs_colour_and_type(pair):
    score = score_pair(build("score.ctm_weight=2"), QUERY, "t", **pair)
    assert score.prob == pytest.approx(score.mpr + score.ss + 2 * score.ctm)


@given(data=st.data())
def test_the_mask_ratio_equals_a_loop_over_the_cells_of_any_box(data):
    pixels = data.draw(st.tuples(*2 * [st.floats(0, 95)], *2 * [st.floats(0.01, 200)]))
    x0, y0, x1, y1 = box_cells(torch.tensor([pixels], dtype=torch.float64).numpy(), 96, 96, 6)[0].tolist()
    mask = torch.rand(1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(x0 + y0))
    box = torch.zeros(1, 6, 6, dtype=torch.bool)
    box[0, y0:y1, x0:x1] = True
    values = [mask[0, row, column].item() for row in range(y0, y1) for column in range(x0, x1)]
    assert mask_prediction_ratio(mask, box).item() == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_similarity_runs_from_minus_two_to_two():
    a = torch.tensor([[3.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    like, unlike = Substitutes(a, 5 * a, a, a / 7), Substitutes(a, -a, a, -3 * a)
    assert substitution_similarity(like).tolist() == pytest.approx([2.0] * 3)
    assert substitution_similarity(unlike).tolist() == pytest.approx([-2.0] * 3)


def says(colour=None, kind=None):
    counts = Said(torch.zeros(12), torch.zeros(10), torch.zeros(4))
    for values, place in ((counts.colour, colour), (counts.type, kind)):
        if place is not None:
            values[place] = 1
    return counts


def test_the_match_is_the_softmax_of_the_mean_logits_and_not_the_mean_softmax():
    logits = torch.tensor([[4.0] + [0.0] * 11, [0.0] * 12])
    image = Attributes(logits, torch.zeros(2, 10))
    expected = logits.mean(0).softmax(0)[0].item()
    assert colour_type_match(image, says(0), "probability").item() == pytest.approx(expected)
    assert colour_type_match(image, says(0, 3), "probability").item() == pytest.approx(expected + 0.1)
    assert colour_type_match(image, says(), "probability").item() == 0.0
    assert abs(expected - logits.softmax(1)[:, 0].mean().item()) > 0.05


def test_logarithms_add_up_by_the_share_of_sentences_that_name_a_value():
    logits = torch.tensor([[4.0, 1.0] + [0.0] * 10])
    image = Attributes(logits, torch.zeros(1, 10))
    said = says()
    said.colour[:2] = torch.tensor([0.75, 0.25])
    first, second = (logits.softmax(1)[0, :2] + 0.01).log().tolist()
    assert colour_type_match(image, said, "log").item() == pytest.approx(0.75 * first + 0.25 * second)
    assert colour_type_match(image, says(), "log").item() == 0.0


def named(said):
    """Return the names that count, colours before types before motions."""
    return [
        values[row]
        for values, counts in ((COLOURS, said.colour), (TYPES, said.type), (MOTIONS, said.motion))
        for row in counts.nonzero()[:, 0].tolist()
    ]


def test_words_name_the_labels_and_the_language_module_what_they_do_not():
    text = Attributes(torch.eye(12)[[3, 3]], torch.eye(10)[[7, 7]])
    assert named(query_says(QUERY, "probability", text)) == ["red", "sedan", "left"]
    assert named(query_says(Query("c", ("A red vehicle.",)), "probability", text)) == ["red", TYPES[7]]
    assert named(query_says(VAGUE, "probability", text)) == [COLOURS[3], TYPES[7]]
    assert named(query_says(VAGUE, "log", text)) == [COLOURS[3], TYPES[7]]
    assert named(query_says(VAGUE, "probability", None)) == []
    elsewhere = Query("o", ("A vehicle.",), ("A red sedan turns left.",))
    assert named(query_says(elsewhere, "probability", None)) == ["red", "sedan"]


def test_sentences_share_what_they_say_between_them():
    query = Query("q", ("A red sedan turns left.", "A red suv.", "It stops."), ("A brown suv stops.",))
    said = query_says(query, "log", None)
    expected = {("colour", "red"): 2 / 3, ("colour", "brown"): 1 / 3, ("type", "sedan"): 1 / 3, ("type", "suv"): 2 / 3}
    expected |= {("motion", "left"): 1 / 2, ("motion", "stop"): 1 / 2}
    for (name, value), share in expected.items():
        values = {"colour": COLOURS, "type": TYPES, "motion": MOTIONS}[name]
        assert getattr(said, name)[values.index(value)].item() == pytest.approx(share)
    assert sum(of.sum().item() for of in (said.colour, said.type, said.motion)) == pytest.approx(3)


def test_released_gives_a_query_without_labels_no_term(pair):
    assert score_pair(build("score.nl_labels=false"), VAGUE, "t", **pair).ctm == 0.0
    assert score_pair(build(), VAGUE, "t", **pair).ctm > 0.0


@pytest.mark.parametrize(
    ("damaged", "term"),
    [
        ("multimodal.head.layers.9.bias", "MPR"),
        ("substitution.image_from_text.mlp.0.bias", "SS"),
        ("image_attributes.types.3.bias", "CTM"),
        ("text_attributes.colours.bias", "CTM"),
    ],
)
def test_a_nan_names_track_query_frame_and_term(damaged, term, pair):
    model = build()
    dict(model.named_parameters())[damaged].data[0] = torch.nan
    with pytest.raises(ScoreError, match=f"^track t7, query q, frame 0: {term}: is not a number; "):
        score_pair(model, QUERY, "t7", **pair)


def test_an_empty_box_is_a_nan_and_is_named(pair):
    boxes = pair["boxes"].clone()
    boxes[1] = False
    with pytest.raises(ScoreError, match="track t, query q, frame 1: MPR"):
        score_pair(build(), QUERY, "t", **pair | {"boxes": boxes})

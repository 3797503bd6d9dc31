from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from nlvr.engine.batch import ModelFacts
from nlvr.engine.cityflow import Query, Track
from nlvr.engine.frames import FrameStore
from nlvr.engine.index import QueryVectors, TrackIndex
from nlvr.engine.mask_view import MaskView
from nlvr.engine.ranking import Ranking
from nlvr.engine.report import mask_picture
from nlvr.engine.report_content import build_report

SENTENCES = ("A red sedan.", "A red car turns left.")
PART = (24, 0, 96, 36)  # of a frame
NAMES = [f"cam/img1/{number:06d}.jpg" for number in range(1, 5)]


@pytest.fixture
def frames(tmp_path):
    (tmp_path / "cam/img1").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        image = np.random.default_rng(number).integers(0, 256, (48, 96, 3), np.uint8)
        cv2.imwrite(str(tmp_path / name), image)
    return tmp_path


def mask(value):
    return np.full((6, 6), value, np.float32)


def model(name, **facts):
    """Return what a report is told of a trained model."""
    values = {"system": "contrastive", "trained": True, "embedding_id": "bundle", "device": "cpu"} | facts
    return ModelFacts(name=name, model=f"checkpoints/{name}", frames_per_track="all", **values)


def built(frames, *, dimensions=4, terms=("cosine",), masks=None, rule="all", models=None):
    """Return the report of two queries over three tracks, ranked 2, 0, 1 and 0, 1, 2, and how many frames it read."""
    boxes = np.array([[4.0, 5, 20, 10], [8, 5, 30, 20], [12, 5, 25, 15], [16, 5, 20, 12]])
    tracks = [Track(f"t{row}", tuple(NAMES), boxes) for row in range(3)]
    vectors = np.ones((3, dimensions), np.float32)
    index = TrackIndex(("t0", "t1", "t2"), vectors, ("a", "b", "c"), "bundle", rule)
    queries = [Query("q0", SENTENCES), Query("q1", SENTENCES[:1])]
    said = {sentence: np.ones(dimensions, np.float32) for sentence in SENTENCES}
    encoded = QueryVectors(("q0", "q1"), np.ones((2, dimensions), np.float32), said, "bundle")
    scores = np.array([0.9, 0.5, 0.1], np.float32)
    rankings = [
        Ranking(query.id, tuple(f"t{row}" for row in rows), np.array(rows), scores, dict.fromkeys(terms, scores))
        for query, rows in zip(queries, ([2, 0, 1], [0, 1, 2]), strict=True)
    ]
    with FrameStore(frames) as store:
        report = build_report(
            tracks,
            index,
            queries,
            encoded,
            rankings,
            store=store,
            models=models or [model("m")],
            facts={"threads": 2},
            truth=None,
            quality=None,
            masks=masks,
            mask_model=(models or [model("m")])[-1],
        )
        return report, store.decoded


def lines(report):
    return [name for name, _ in report.sections[0].results[0].terms]


def test_a_card_splits_an_inner_product_by_sentences_where_there_is_one(frames):
    assert lines(built(frames)[0]) == ["cosine", "sentence 1", "sentence 2"]
    assert lines(built(frames, terms=("mpr", "ss"))[0]) == ["mpr", "ss"]
    assert lines(built(frames, terms=("mpr",), dimensions=0)[0]) == ["mpr"]


def test_each_card_gets_the_mask_of_its_query_and_track(frames):
    asked = []

    def masks(query, rows):
        asked.append((query, rows.tolist()))
        return [MaskView(1, PART, mask((query * 3 + row) / 8)) for row in rows]

    report, decoded = built(frames, masks=masks)
    assert asked == [(0, [2, 0, 1]), (1, [0, 1, 2])]
    for query, section in enumerate(report.sections):
        for found in section.results:
            assert found.mask.picture == mask_picture(mask((query * 3 + int(found.track_id[1])) / 8))
    assert decoded == 1


def test_a_mask_covers_its_part_of_a_frame_that_the_page_shows_smaller(frames):
    for name in NAMES:
        cv2.imwrite(str(frames / name), np.zeros((800, 1600, 3), np.uint8))
    report, _ = built(frames, masks=lambda _, rows: [MaskView(1, (400, 100, 1000, 700), mask(0.5)) for _ in rows])
    shown = report.pictures["t0"]
    assert shown.frame.width < 1600
    scale = shown.frame.width / 1600
    for found in report.sections[0].results:
        assert found.mask.box == pytest.approx((400 * scale, 100 * scale, 600 * scale, 600 * scale), rel=0.01)


@pytest.mark.parametrize("trained", [True, False])
def test_the_page_knows_whose_masks_it_shows_and_whether_they_are_flat(frames, trained):
    one = model("b", trained=trained)
    assert built(frames, models=[one])[0].mask_model == "the model"
    report, _ = built(frames, models=[model("a"), one])
    assert (report.mask_model, report.masks_flat) == ("b", not trained)


def test_the_picture_is_of_the_frame_of_the_mask(frames):
    # Row 1 has the largest box, so it is what would be shown without a mask.
    plain, _ = built(frames)
    assert {picture.caption for picture in plain.pictures.values()} == {NAMES[1]}
    report, _ = built(frames, masks=lambda _, rows: [MaskView(3, PART, mask(0.5)) for _ in rows])
    assert {picture.caption for picture in report.pictures.values()} == {NAMES[3]}


def test_a_mask_whose_frame_is_gone_leaves_the_card_another_frame_and_no_mask(frames):
    (frames / NAMES[1]).write_bytes((frames / NAMES[1]).read_bytes()[:-100])
    positions = [1, 3, 1]
    report, _ = built(frames, masks=lambda _, rows: [MaskView(positions[row], PART, mask(0.5)) for row in rows])
    assert {track: picture.caption for track, picture in report.pictures.items()} == {
        "t0": NAMES[2],
        "t1": NAMES[3],
        "t2": NAMES[2],
    }
    for section in report.sections:
        assert {found.track_id for found in section.results if found.mask} == {"t1"}


def test_a_track_without_any_frame_left_has_neither_picture_nor_mask(frames):
    for name in NAMES:
        (frames / name).unlink()
    report, _ = built(frames, masks=lambda _, rows: [MaskView(1, PART, mask(0.5)) for _ in rows])
    assert set(report.pictures.values()) == {None}
    assert not any(found.mask for section in report.sections for found in section.results)
    assert not report.has_masks


def test_the_page_names_every_model_and_what_the_score_of_several_is(frames):
    facts = dict(built(frames)[0].facts)
    assert facts["model"] == "checkpoints/m"
    assert "score" not in facts
    facts = dict(built(frames, models=[model("a", device="cuda"), model("b", system="sbnet")])[0].facts)
    assert facts["model"] == "checkpoints/a, checkpoints/b"
    assert (facts["system"], facts["device"], facts["frames per track"]) == ("contrastive, sbnet", "cuda, cpu", "all")
    assert facts["score"] == "mean of the scores of a and b, each standardised per query over all tracks"


@pytest.mark.parametrize(
    ("trained", "words"),
    [
        ({"a": True}, None),
        ({"a": False}, "This model was never trained: some or all of its weights are random, "),
        ({"a": True, "b": True}, None),
        ({"a": True, "b": False, "c": False}, "Never trained: b and c. .* their share of the order means nothing."),
        ({"a": False, "b": False}, "Never trained: a and b. .* the order means nothing."),
    ],
)
def test_the_page_says_which_models_were_never_trained(frames, trained, words):
    notice = built(frames, models=[model(name, trained=known) for name, known in trained.items()])[0].notice
    assert notice is None if words is None else re.match(words, notice)

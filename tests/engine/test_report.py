from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine import report as page
from nlvr.engine.errors import OutputError
from nlvr.engine.output import Staging

VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = "<script>alert('x')</script> \"red\" & SUV"


class Tree(HTMLParser):
    """Collects elements as (tag, attributes, text) and refuses tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        element = (tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, text in self.open:
            text.append(data)

    def find(self, tag=None, cls=None):
        return [
            (name, attributes, " ".join("".join(text).split()))
            for name, attributes, text in self.elements
            if (tag is None or name == tag) and (cls is None or cls in attributes.get("class", "").split())
        ]


def image(seed=0, width=640, height=360):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


BOXES = np.array([[100.0, 80, 60, 40], [140, 90, 60, 40], [200, 120, 70, 50]])


def result(track, rank, *, truth=False, terms=(("cosine", 0.5),)):
    return page.Result(track, rank, sum(value for _, value in terms), terms, truth)


def section(*results, query="q", sentences=("A red sedan turns left.",), truth_rank=None):
    reading = ("red", "sedan", "left")
    return page.QuerySection(query, sentences, (reading,) * len(sentences), reading, results, truth_rank)


def write(directory, *sections, pictures=None, metrics=(), facts=(), notice=None):
    report = page.Report("A ranking", facts, metrics, sections, pictures or {}, notice)
    with Staging() as staging:
        path = page.write_report(report, directory, staging=staging)
        staging.commit()
    html = path.read_text("utf-8")
    return html, Tree(html)


@pytest.fixture(scope="module")
def pictures():
    return {f"t{i}": page.picture(image(i), BOXES, i, f"cam/img1/{i:06d}.jpg") for i in range(3)}


def test_page_needs_nothing_from_elsewhere(tmp_path, pictures):
    html, tree = write(tmp_path, section(result("t0", 1), result("t1", 2)), pictures=pictures)
    links = [
        value for _, attributes, _ in tree.elements for name, value in attributes.items() if name in {"src", "href"}
    ]
    assert links
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in links)
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert "url(" not in html
    assert not tree.find("script")
    assert not tree.find("link")


def test_every_internal_link_has_its_target(tmp_path, pictures):
    sections = [section(result("t0", 1), result("t1", 2)) for _ in range(3)]
    _, tree = write(tmp_path, *sections, pictures=pictures)
    ids = [attributes["id"] for _, attributes, _ in tree.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes, _ in tree.elements:
        targets = [attributes[name] for name in ("href",) if attributes.get(name, "").startswith("#")]
        targets += [f"#{attributes['aria-labelledby']}"] if "aria-labelledby" in attributes else []
        assert {target[1:] for target in targets} <= set(ids)


def test_every_value_is_escaped(tmp_path):
    sections = [
        section(result(HOSTILE, 1, terms=((HOSTILE, 0.1),)), query=HOSTILE, sentences=(HOSTILE,)),
        page.QuerySection("q", (HOSTILE,), ((HOSTILE, HOSTILE, HOSTILE),), (HOSTILE, None, None), (result("t", 1),)),
    ]
    picture = page.picture(image(), BOXES, 0, HOSTILE)
    _, tree = write(
        tmp_path,
        *sections,
        pictures={HOSTILE: picture},
        metrics=((HOSTILE, HOSTILE),),
        facts=((HOSTILE, HOSTILE),),
        notice=HOSTILE,
    )
    assert not tree.find("script")
    assert tree.find("p", "notice")[0][2] == HOSTILE
    assert [text for tag, attributes, text in tree.find("th") if attributes.get("scope") == "row"].count(HOSTILE) == 2
    assert any(HOSTILE in attributes.get("aria-label", "") for _, attributes, _ in tree.find("svg"))


def test_a_picture_is_stored_once_and_an_unseen_one_never(tmp_path, pictures):
    sections = [section(result("t0", 1), result("t1", 2)), section(result("t1", 1), result("t0", 2))]
    html, tree = write(tmp_path, *sections, pictures=pictures)
    assert len(tree.find("image")) == 4
    assert len(tree.find("use")) == 2 * 2 * 2 + 2 * 2  # crop and frame of four cards, and the sheet's crops
    for track in ("t0", "t1"):
        assert html.count(pictures[track].frame.uri) == 1
        assert html.count(pictures[track].crop.uri) == 1
    assert pictures["t2"].frame.uri not in html


def test_a_card_shows_its_own_track(tmp_path, pictures):
    _, tree = write(tmp_path, section(result("t2", 1), result("t0", 2)), pictures=pictures)
    stored = {attributes["id"]: attributes["href"] for _, attributes, _ in tree.find("image")}
    shown = [stored[attributes["href"][1:]] for _, attributes, _ in tree.find("use")]
    assert shown[:2] == [pictures["t2"].crop.uri, pictures["t0"].crop.uri]  # the sheet
    assert shown[2:] == [
        pictures["t2"].crop.uri,
        pictures["t2"].frame.uri,
        pictures["t0"].crop.uri,
        pictures["t0"].frame.uri,
    ]


@pytest.mark.parametrize("known", [{}, {"t0": None}])
def test_a_track_without_picture_gets_a_placeholder(tmp_path, known):
    _, tree = write(tmp_path, section(result("t0", 1)), pictures=known)
    (card,) = tree.find("li", "card")
    assert "frame not readable" in card[2]
    assert not tree.find("svg")


def test_the_true_track_is_marked_in_words(tmp_path):
    _, tree = write(tmp_path, section(result("t0", 1), result("t1", 2, truth=True), truth_rank=2))
    first, second = tree.find("li", "card")
    assert "True track" not in first[2]
    assert "True track" in second[2]
    assert "truth" in second[1]["class"]
    assert tree.find("span", "badge")[0][2] == "True track at rank 2"


def test_a_true_track_below_the_best_is_set_apart(tmp_path):
    results = [result(f"t{i}", i) for i in range(1, 6)]
    _, tree = write(tmp_path, section(*results, result("t9", 37, truth=True), truth_rank=37))
    cards = tree.find("li", "card")
    assert ["late" in attributes["class"].split() for _, attributes, _ in cards] == [False] * 5 + [True]
    assert "37" in cards[5][2]


def test_without_a_truth_nothing_is_called_true(tmp_path):
    _, tree = write(tmp_path, section(result("t0", 1)), section(result("t1", 1)))
    assert "True" not in tree.find("body")[0][2]


def test_scores_and_terms_are_written_with_four_decimals(tmp_path):
    _, tree = write(tmp_path, section(result("t0", 1, terms=(("colour", 0.25), ("mask", -0.12345)))))
    text = tree.find("li", "card")[0][2]
    assert "0.2500" in text
    assert "\N{MINUS SIGN}0.1235" in text or "\N{MINUS SIGN}0.1234" in text
    assert "minus" in tree.find("span", "bar")[1][1]["class"].split()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_bars_stay_inside_their_scale_and_start_at_zero(values):
    scale = section(result("t", 1, terms=tuple((str(i), value) for i, value in enumerate(values)))).term_range
    zero = 100 * -scale[0] / ((scale[1] - scale[0]) or 1.0)
    for value in values:
        left, width = (float(part.split(":")[1].rstrip("%")) for part in page._bar(value, scale).split(";"))
        assert left >= 0
        assert left + width <= 100.02
        assert (left + width if value < 0 else left) == pytest.approx(zero, abs=0.02)


def test_metrics_facts_and_notice_appear_only_when_given(tmp_path):
    _, bare = write(tmp_path / "bare", section(result("t0", 1)))
    assert not bare.find("dl", "metrics")
    assert not bare.find("dl", "facts")
    assert not bare.find("p", "notice")
    _, full = write(
        tmp_path / "full", section(result("t0", 1)), metrics=(("MRR", "0.5"),), facts=(("weights", "random"),)
    )
    assert full.find("dl", "metrics")[0][2] == "MRR0.5"
    assert full.find("dl", "facts")[0][2] == "weightsrandom"


def test_headings_descend_one_level_at_a_time(tmp_path):
    _, tree = write(tmp_path, section(result("t0", 1)), section(result("t0", 1)), metrics=(("MRR", "1"),))
    levels = [int(tag[1]) for tag, _, _ in tree.elements if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize(("count", "windowed"), [(1, False), (2, False), (24, False), (25, True)])
def test_every_query_has_a_row_that_leads_to_it_and_back(tmp_path, count, windowed):
    _, tree = write(tmp_path, *[section(result("t0", 1)) for _ in range(count)])
    links = [attributes["href"] for _, attributes, _ in tree.find("a") if attributes["href"].startswith("#query-")]
    assert sorted(links) == sorted([f"#query-{number}" for number in range(1, count + 1)] * 2)
    back = [attributes["href"] for _, attributes, _ in tree.find("a", "up")]
    assert back == [f"#index-{number}" for number in range(1, count + 1) if count > 1]
    assert all("open" in attributes for _, attributes, _ in tree.find("details"))
    assert bool(tree.find("ol", "many")) == windowed


def test_the_sheet_shows_the_best_five_of_each_query_in_order(tmp_path, pictures):
    late = page.Result("t2", 9, 0.1, (), truth=True)
    best = [result(f"t{rank % 3}", rank, truth=rank == 2) for rank in range(1, 6)]
    _, tree = write(tmp_path, section(*best, late), section(*best[::-1][:2]), pictures=pictures)
    sheets = [text for _, _, text in tree.find("div", "sheet")]
    assert [re.findall("[0-9]+", sheet) for sheet in sheets] == [["1", "2", "3", "4", "5"], ["5", "4"]]
    assert [text for _, _, text in tree.find("span", "place")] == ["1", "2 true track", "3", "4", "5", "5", "4"]
    assert [text for _, _, text in tree.find("span", "truth")] == ["2 true track"]


MASK = np.linspace(0, 1, 24 * 24, dtype=np.float32).reshape(24, 24)


def decoded(uri):
    head, _, content = uri.partition(",")
    assert head == "data:image/png;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_mask_lets_the_frame_through_where_it_is_low():
    found = decoded(page.mask_picture(MASK)).astype(int)
    assert found.shape == (96, 96, 4)
    light, alpha = found[..., :3].sum(axis=2), found[..., 3]
    assert light[0, 0] < 30
    assert light[-1, -1] > 500
    assert 20 < alpha[0, 0] < 40
    assert alpha[-1, -1] > 200
    # Brighter and denser the higher it is: down any column, and nowhere the other way.
    assert (np.diff(alpha, axis=0) >= 0).all()


def test_the_colours_of_a_mask_mean_the_same_in_every_picture():
    low, high = (decoded(page.mask_picture(np.full((6, 6), value, np.float32))) for value in (0.2, 0.8))
    assert len(np.unique(low.reshape(-1, 4), axis=0)) == len(np.unique(high.reshape(-1, 4), axis=0)) == 1
    assert low[0, 0, :3].sum() < high[0, 0, :3].sum()
    assert len(page.mask_picture(MASK)) < 6000


def test_a_card_lays_its_mask_over_its_own_frame_with_the_box(tmp_path, pictures):
    masks = [page.mask_picture(MASK), page.mask_picture(MASK[::-1].copy())]
    places = [(0.0, 0.0, 320.0, 180.0), (40.0, 20.5, 60.0, 60.0)]
    shown = [
        replace(result(name, rank), mask=page.Mask(mask, place))
        for rank, (name, mask, place) in enumerate(zip(("t1", "t0"), masks, places, strict=True), 1)
    ]
    html, tree = write(tmp_path, section(*shown, result("t2", 3)), pictures=pictures)
    overlays = [attributes for _, attributes, _ in tree.find("image") if attributes["href"] in masks]
    assert [one["href"] for one in overlays] == masks
    assert [tuple(float(one[name]) for name in ("x", "y", "width", "height")) for one in overlays] == places
    assert len(tree.find("svg", "mask")) == 2
    x, y, width, height = pictures["t1"].box
    boxes = [attributes for _, attributes, _ in tree.find("rect")]
    assert {name: float(boxes[0][name]) for name in ("x", "y", "width", "height")} == pytest.approx(
        {"x": x, "y": y, "width": width, "height": height}
    )
    assert "mask from 0 to 1" in html
    plain, _ = write(tmp_path, section(result("t2", 1)), pictures=pictures)
    assert "mask from 0 to 1" not in plain


def test_the_name_of_a_rows_link_is_its_number_and_text(tmp_path, pictures):
    first = section(result("t0", 1), sentences=("A red sedan.", "A red car."), truth_rank=3)
    _, tree = write(tmp_path, first, pictures=pictures)
    link = next(element for element in tree.find("a") if element[1]["href"] == "#query-1")
    assert link[2] == "1A red sedan. A red car.true track at rank 3"


def test_the_legend_shows_the_colours_as_the_masks_do():
    colours = page._mask_scale().split(", ")
    assert colours[0].endswith("/ 0.10)")
    assert colours[-1].endswith("/ 0.85)")
    low, high = (page._mask_colours(2)[end].tolist() for end in (0, -1))
    assert colours[0].startswith(f"rgb({' '.join(map(str, low))} ")
    assert colours[-1].startswith(f"rgb({' '.join(map(str, high))} ")


def test_picture_is_small_and_leaves_the_frame_alone():
    frame = image(width=1920, height=1080)
    before = frame.copy()
    picture = page.picture(frame, BOXES * 3, 1, "cam/img1/000002.jpg")
    assert np.array_equal(frame, before)
    assert (picture.frame.width, picture.frame.height) == (480, 270)
    assert max(picture.crop.width, picture.crop.height) == 160
    assert picture.caption == "cam/img1/000002.jpg"
    for jpeg in (picture.frame, picture.crop):
        decoded = cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape == (jpeg.height, jpeg.width, 3)
        assert base64.b64decode(jpeg.uri.partition(",")[2]) == jpeg.data


def test_picture_keeps_small_images_and_red_stays_red():
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[..., 0] = 200
    picture = page.picture(frame, np.array([[0.0, 0, 60, 40]]), 0, "crop.jpg")
    assert (picture.crop.width, picture.crop.height) == (60, 40)
    blue, green, red = cv2.imdecode(np.frombuffer(picture.crop.data, np.uint8), cv2.IMREAD_COLOR)[20, 30]
    assert red > 190
    assert max(blue, green) < 15


def test_picture_draws_the_path_through_the_corners_and_the_box():
    frame = np.full((360, 480, 3), 128, np.uint8)
    boxes = np.array([[50.0, 60, 80, 50], [250, 60, 80, 50], [250, 260, 80, 50]])
    shown = page.picture(frame, boxes, 0, "f.jpg").frame
    drawn = cv2.cvtColor(cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(
        int
    )

    def near(x, y, colour):
        return np.abs(drawn[y - 1 : y + 2, x - 1 : x + 2] - colour).sum(axis=2).min() < 120

    assert near(200, 60, page.PATH_COLOUR)
    assert near(250, 160, page.PATH_COLOUR)
    assert near(90, 110, page.BOX_COLOUR)
    assert near(130, 85, page.BOX_COLOUR)
    assert not near(330, 85, page.BOX_COLOUR)
    assert not near(150, 160, page.PATH_COLOUR)


def test_report_replaces_the_former_one_and_leaves_nothing_else(tmp_path):
    directory = tmp_path / "new" / "report"
    write(directory, section(result("former", 1)))
    html, _ = write(directory, section(result("later", 1)))
    assert "later" in html
    assert "former" not in html
    assert [path.name for path in directory.iterdir()] == ["index.html"]


def test_a_failed_report_leaves_the_former_one(tmp_path):
    write(tmp_path, section(result("former", 1)))
    uneven = page.QuerySection("q", ("one", "two"), ((None, None, None),), (None, None, None), ())
    with pytest.raises(ValueError, match="zip"):
        write(tmp_path, uneven)
    assert "former" in (tmp_path / "index.html").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("blocked", ["", "index.html"])
def test_an_unwritable_place_is_an_output_error(tmp_path, blocked):
    directory = tmp_path / "report"
    if blocked:
        (directory / blocked).mkdir(parents=True)
    else:
        directory.write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        write(directory, section(result("t0", 1)))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_lone_surrogate_does_not_stop_the_report(tmp_path):
    _, tree = write(tmp_path, section(result("t0", 1), sentences=("a \ud800 car",)))
    assert "a ? car" in tree.find("body")[0][2]

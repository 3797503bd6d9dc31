from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from nlvr.engine import Engine, FrameStore, Query, Track, TrackIndex, load_tracks, preprocess
from nlvr.engine.errors import BundleError, FrameError, InputError, ScoreError
from nlvr.engine.runtime.onnxruntime import OrtGraph
from nlvr.engine.tokenizer import Tokenizer

BOXES = np.tile(np.array([[200.0, 100, 90, 60]]), (60, 1))


@pytest.fixture(scope="module")
def engine(tiny):
    with Engine(tiny, device="cpu") as engine:
        yield engine


@pytest.fixture(scope="module")
def tracks(sample):
    return load_tracks(sample / "carpark" / "tracks.json")


def one_by_one(engine, name, rows):
    """Run each row alone in a block of copies of itself."""
    graph = OrtGraph(engine.bundle.graphs[name], device="cpu")
    return np.stack(
        [graph.run({key: np.stack([value] * graph.block) for key, value in row.items()})["vector"][0] for row in rows]
    )


def test_the_score_is_the_mean_cosine_over_frames_and_sentences(engine, tracks, sample):
    recipe = engine.bundle.recipe
    queries = [Query("a", ("A red sedan.", "A car turns left.")), Query("b", ("A white van stops.",))]
    index = engine.encode_tracks(tracks, sample, frames_per_track="3")
    rankings = engine.rank(index, queries)

    tokenizer = Tokenizer.from_file(engine.bundle.tokenizer, length=engine.bundle.text_length)
    with FrameStore(sample) as store:
        for query, ranking in zip(queries, rankings, strict=True):
            tokens = tokenizer(query.nl)
            texts = one_by_one(
                engine, "text", [{"ids": ids, "mask": mask} for ids, mask in zip(tokens.ids, tokens.mask, strict=True)]
            )
            for track in tracks:
                rows = []
                for position in (len(track.frames) * part // 6 for part in (1, 3, 5)):
                    image = store.read(track.frames[position])
                    rows.append(preprocess.vehicle(image, track, position, recipe).feeds())
                vehicles = one_by_one(engine, "vehicle", rows)
                np.testing.assert_allclose(np.linalg.norm(vehicles, axis=1), 1, atol=1e-6)
                place = ranking.track_ids.index(track.id)
                assert ranking.scores[place] == pytest.approx(np.mean(vehicles @ texts.T), abs=2e-6)
                assert ranking.terms["cosine"][place] == ranking.scores[place]


@pytest.fixture
def sliced(tiny, tmp_path):
    """Copy the bundle and say what the parts of its vectors tell."""

    def edit(**slices):
        folder = shutil.copytree(tiny, tmp_path / "sliced")
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["vector"]["slices"] = slices
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return edit


def test_other_views_speak_of_colour_and_type_alone(sliced, engine, tracks, sample):
    own, others = ("A red sedan.", "A car turns left."), ("A maroon sedan stops.",)
    folder = sliced(type=[230, 250], likeness=[0, 200], motion=[250, 256], colour=[200, 230])
    with Engine(folder, device="cpu") as other:
        found = other.encode_queries([Query("a", own, others), Query("b", own)])
        ranking = other.rank(other.encode_tracks(tracks, sample), found)[0]
    here, everywhere = (engine.encode_queries([Query("a", nl)]).vectors[0] for nl in (own, own + others))
    lasting = np.r_[np.zeros(200, bool), np.ones(50, bool), np.zeros(6, bool)]
    np.testing.assert_array_equal(found.vectors, [np.where(lasting, everywhere, here), here])
    assert list(ranking.terms) == ["likeness", "colour", "type", "motion"]
    np.testing.assert_allclose(sum(ranking.terms.values()), ranking.scores, atol=1e-6)
    # Where no part is said to last, they say nothing.
    np.testing.assert_array_equal(engine.encode_queries([Query("a", own, others)]).vectors[0], here)


@pytest.mark.parametrize(
    "slices", [{}, {"cosine": [1, 256]}, {"cosine": [0, 200], "colour": [201, 256]}, {"a": [0, 200], "b": [100, 256]}]
)
def test_slices_that_leave_gaps_are_refused(sliced, slices):
    with pytest.raises(
        BundleError, match=r"sliced: (vector.slices is .* follow one after the other|has a vector of 0)"
    ):
        Engine(sliced(**slices), device="cpu")


def test_tracks_of_equal_content_tie_and_stand_in_order_of_id(engine, tracks, sample):
    copies = [Track(name, tracks[0].frames, tracks[0].boxes) for name in ("z", "a", "m")]
    ranking = engine.ask(engine.encode_tracks([*tracks, *copies], sample), "a white car")
    group = [track for track in ranking.track_ids if track in {"z", "a", "m", tracks[0].id}]
    assert group == sorted(group)
    assert (
        len({float(score) for track, score in zip(ranking.track_ids, ranking.scores, strict=True) if track in group})
        == 1
    )


def test_ids_never_reach_the_vectors(engine, tracks, sample):
    first = engine.encode_tracks(tracks, sample, frames_per_track="4")
    renamed = [Track(f"{99 - row}", track.frames, track.boxes) for row, track in enumerate(tracks)]
    again = engine.encode_tracks(renamed, sample, frames_per_track="4")
    np.testing.assert_array_equal(first.vectors, again.vectors[::-1])


def test_an_unreadable_frame_gives_way_to_another(engine, tmp_path):
    import cv2

    random = np.random.default_rng(0)
    for number in range(1, 5):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), random.integers(0, 255, (40, 60, 3), np.uint8))
    boxes = np.array([[4, 4, 20, 20]] * 4, float)
    track = Track("t", tuple(f"{number}.jpg" for number in range(1, 5)), boxes)
    damaged = tmp_path / "4.jpg"
    damaged.write_bytes(damaged.read_bytes()[:400])
    with FrameStore(tmp_path) as store:
        found = engine.encode_tracks([track], store, frames_per_track="last").vectors
        assert store.notices.counts == {"frame truncated or unreadable": 1}
    whole = Track("t", track.frames[:3], boxes[:3])
    # The polyline is that of the whole track either way: the boxes are the same and so is their trajectory's extent.
    expected = engine.encode_tracks([whole], tmp_path, frames_per_track="last").vectors
    assert np.dot(found[0], expected[0]) == pytest.approx(1, abs=1e-3)
    for number in range(1, 4):
        (tmp_path / f"{number}.jpg").unlink()
    with pytest.raises(FrameError, match="track t"):
        engine.encode_tracks([track], tmp_path)


def test_a_box_outside_a_smaller_image_of_its_folder_is_refused(engine, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "wide.jpg"), np.zeros((40, 400, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "small.jpg"), np.zeros((40, 40, 3), np.uint8))
    track = Track("t", ("wide.jpg", "small.jpg"), np.array([[100, 0, 20, 20]] * 2, float))
    with pytest.raises(InputError, match=r"track t: boxes\[1\] in small.jpg"):
        engine.encode_tracks([track], tmp_path, frames_per_track="last")


def test_a_vector_that_is_no_number_names_its_track():
    vectors = np.ones((3, 4), np.float32)
    vectors[1, 2] = np.nan
    with pytest.raises(ScoreError, match="track b"):
        TrackIndex(("a", "b", "c"), vectors, ("", "", ""), "id", "last")


@pytest.mark.parametrize("rule", ["last", "largest", "1", "3", "all", "released"])
def test_a_track_is_encoded_alike_alone_beside_others_and_again(engine, sample, rule):
    past_the_end = Track("a", tuple(f"carpark/img1/{number:06d}.jpg" for number in range(340, 390)), BOXES[:50])
    meets_the_end = Track("b", tuple(f"carpark/img1/{number:06d}.jpg" for number in range(376, 381)), BOXES[:5])
    with FrameStore(sample) as store:
        alone = engine.encode_tracks([past_the_end], store, frames_per_track=rule).vectors[0]
        again = engine.encode_tracks([past_the_end], store, frames_per_track=rule).vectors[0]
    beside = engine.encode_tracks([past_the_end, meets_the_end], sample, frames_per_track=rule).vectors[0]
    np.testing.assert_array_equal(alone, again)
    np.testing.assert_array_equal(alone, beside)


def test_an_index_holds_the_warnings_of_its_own_tracks(engine, tracks, sample):
    broken = Track("broken", ("no/such.jpg", *tracks[0].frames), np.concatenate([BOXES[:1], tracks[0].boxes]))
    with FrameStore(sample) as store:
        for _ in range(2):
            assert engine.encode_tracks([broken], store).warnings == (("frame missing", "no/such.jpg"),)
        assert engine.encode_tracks(tracks, store).warnings == ()

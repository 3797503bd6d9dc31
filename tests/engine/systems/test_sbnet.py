from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from nlvr.engine import Engine, FrameStore, Query, Track, TrackIndex, geometry, load_queries, load_tracks
from nlvr.engine.errors import BundleError, FrameError, InputError, ScoreError, VectorsMismatchError
from nlvr.engine.feature_maps import FeatureMaps
from nlvr.engine.index import Shots


@pytest.fixture(scope="module")
def engine(sbnet):
    with Engine(sbnet, device="cpu") as engine:
        yield engine


@pytest.fixture(scope="module")
def tracks(sample):
    """The clip's tracks and pieces of them, twenty in all."""
    whole = load_tracks(sample / "carpark" / "tracks.json")
    pieces = [
        Track(f"{track.id}/{part}", track.frames[part * 6 : part * 6 + 6], track.boxes[part * 6 : part * 6 + 6])
        for track in whole
        for part in range(4)
    ]
    return [*whole, *(piece for piece in pieces if len(piece.frames))]


@pytest.fixture(scope="module")
def queries(sample):
    return load_queries(sample / "carpark" / "queries.json")


@pytest.fixture(scope="module")
def index(engine, tracks, sample):
    return engine.encode_tracks(tracks, sample)


def as_bytes(rankings):
    return [
        (ranking.track_ids, ranking.scores.tobytes(), [values.tobytes() for values in ranking.terms.values()])
        for ranking in rankings
    ]


def test_the_terms_of_a_score_add_up_to_it(engine, index, queries):
    for ranking in engine.rank(index, queries):
        assert list(ranking.terms) == ["mpr", "ss", "ctm"]
        np.testing.assert_allclose(sum(ranking.terms.values()), ranking.scores, atol=1e-6)
        assert (ranking.terms["mpr"] > 0).all()
        assert (ranking.terms["mpr"] < 1).all()
        assert (np.abs(ranking.terms["ss"]) <= 2).all()
        assert (ranking.terms["ctm"] >= 0).all()
        assert (ranking.terms["ctm"] <= 1).all()
        order = np.lexsort((ranking.track_ids, -ranking.scores))
        assert order.tolist() == list(range(len(index)))


@pytest.mark.parametrize("top_k", [1, 3, 10])
@pytest.mark.parametrize("share", [None, 0.5])
def test_a_cut_list_is_the_start_of_the_whole(engine, index, queries, top_k, share):
    allowed = None if share is None else np.random.default_rng(0).random(len(index)) < share
    whole = engine.rank(index, queries, allowed=allowed)
    cut = engine.rank(index, queries, top_k=top_k, allowed=allowed)
    assert as_bytes(cut) == as_bytes([ranking.head(top_k) for ranking in whole])
    pairs = len(index) if allowed is None else int(allowed.sum())
    for ranking in cut:  # a list that is not cut needs every mask anyway
        assert ranking.pruning is None if top_k >= pairs else ranking.pruning.pairs == pairs
    assert all(ranking.pruning is None for ranking in whole)


def test_no_setting_reaches_a_bit(sbnet, engine, tracks, sample, queries, index):
    expected = as_bytes(engine.rank(index, queries))
    for options in ({"threads": 1}, {"threads": 3, "batch_size": 7}, {"feature_bytes": 0}):
        with Engine(sbnet, device="cpu", **options) as other:
            found = other.encode_tracks(tracks[::-1], sample)
            assert as_bytes(other.rank(found, queries)) == expected
            assert as_bytes(other.rank(found, queries, top_k=len(index) - 1)) == as_bytes(
                [ranking.head(len(index) - 1) for ranking in engine.rank(index, queries)]
            )


@pytest.mark.parametrize("block", [3, 8])
def test_a_cut_list_is_exact_in_blocks_of_several_rows(edited, tracks, sample, queries, block):
    def widen(manifest):
        for graph in manifest["graphs"].values():
            graph["block"]["cpu"] = block

    with Engine(edited(widen), device="cpu") as engine:
        index = engine.encode_tracks(tracks, sample)
        whole = engine.rank(index, queries)
        assert as_bytes(engine.rank(index, queries, top_k=4)) == as_bytes([ranking.head(4) for ranking in whole])


def test_the_order_of_a_manifests_keys_reaches_nothing(edited, engine, tracks, sample, queries, index):
    def shuffle(manifest):
        slices = manifest["vector"]["slices"]
        manifest["vector"]["slices"] = dict(sorted(slices.items()))
        assert list(slices) != sorted(slices)

    with Engine(edited(shuffle), device="cpu") as other:
        assert other.bundle.embedding_id == engine.bundle.embedding_id
        again = other.encode_tracks(tracks, sample)
        np.testing.assert_array_equal(again.vectors, index.vectors)
        assert as_bytes(other.rank(again, queries)) == as_bytes(engine.rank(index, queries))


def test_an_engine_is_asked_from_several_threads(engine, index, queries):
    expected = [as_bytes(engine.rank(index, queries)), as_bytes(engine.rank(index, queries, top_k=3))]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(engine.rank, index, queries, top_k=top_k) for top_k in (None, 3) * 4]
        assert [as_bytes(one.result()) for one in asked] == expected * 4


@pytest.mark.parametrize("top_k", [None, 24])
def test_each_sentence_looks_at_each_box_of_a_frame_once(sbnet, tracks, sample, monkeypatch, top_k):
    copies = [Track(f"{copy}/{track.id}", track.frames, track.boxes) for copy in range(5) for track in tracks[:5]]
    queries = [Query("p", ("a red car", "a bus", "a bus")), Query("q", ("a bus",)), Query("r", ("a red car", "a van"))]
    with Engine(sbnet, device="cpu") as engine:
        index = engine.encode_tracks(copies, sample)
        graph, asked = engine._system._blocks["mask"]._graph, []
        run = graph.run
        monkeypatch.setattr(graph, "run", lambda feeds: asked.append(1) or run(feeds))
        engine.rank(index, queries, top_k=top_k)
    sights = {(view, tuple(cells)) for view, cells in zip(index.shots.views, index.shots.cells.tolist(), strict=True)}
    assert len(asked) == 3 * len(sights)


def test_a_pair_scores_alike_alone_and_beside_others(engine, tracks, sample, queries, index):
    whole = engine.rank(index, queries)
    alone = engine.encode_tracks(tracks[5:6], sample)
    for query, among in zip(queries, whole, strict=True):
        (ranking,) = engine.rank(alone, [query])
        place = among.track_ids.index(tracks[5].id)
        assert ranking.scores[0] == among.scores[place]
        assert ranking.terms["mpr"][0] == among.terms["mpr"][place]


def test_tracks_of_equal_content_tie_and_stand_in_order_of_id(engine, tracks, sample):
    copies = [Track(name, tracks[0].frames, tracks[0].boxes) for name in ("z", "a", "m")]
    found = engine.encode_tracks([*tracks, *copies], sample)
    for top_k in (None, 10):
        ranking = engine.rank(found, [Query("q", ("a white car",))], top_k=top_k)[0]
        group = {
            track: float(score)
            for track, score in zip(ranking.track_ids, ranking.scores, strict=True)
            if track in {"z", "a", "m", tracks[0].id}
        }
        assert list(group) == sorted(group)
        assert len(set(group.values())) <= 1


def test_frames_listed_out_of_order_are_the_same_track(engine, tracks, sample, queries):
    track = tracks[0]
    mixed = np.random.default_rng(0).permutation(len(track.frames))
    other = Track(track.id, tuple(track.frames[at] for at in mixed), track.boxes[mixed])
    first, second = (
        engine.rank(engine.encode_tracks([one], sample, frames_per_track="all"), queries) for one in (track, other)
    )
    assert as_bytes(first) == as_bytes(second)


def test_a_stored_index_ranks_alike_once_it_has_its_frames(engine, index, sample, queries, tmp_path):
    index.save(tmp_path / "gallery.npz")
    loaded = TrackIndex.load(tmp_path / "gallery.npz")
    with pytest.raises(
        InputError, match=r"^index: holds no feature maps, .*; give its frames with `Engine.with_frames`"
    ):
        engine.rank(loaded, queries)
    expected = as_bytes(engine.rank(index, queries))
    with FrameStore(sample) as store:
        for frames in (store, sample, str(sample)):
            assert as_bytes(engine.rank(engine.with_frames(loaded, frames), queries)) == expected
    with pytest.raises(InputError, match=r"^index: does not say which frames show its tracks; "):
        engine.with_frames(replace(loaded, shots=None), sample)


def test_a_frame_that_is_gone_since_is_named(engine, tmp_path):
    import cv2

    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 60, 3), 80 * number, np.uint8))
    index = engine.encode_tracks([Track("t", ("1.png", "2.png"), np.array([[4.0, 4, 20, 20]] * 2))], tmp_path)
    (tmp_path / "2.png").unlink()
    with FrameStore(tmp_path) as store, pytest.raises(InputError, match=r"2\.png: the frame cannot be read"):
        engine.with_frames(index, store)


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
        found = engine.encode_tracks([track], store, frames_per_track="last")
        assert store.notices.counts == {"frame truncated or unreadable": 1}
    assert found.shots.frames == ("3.jpg",)
    expected = engine.encode_tracks([Track("t", track.frames[:3], boxes[:3])], tmp_path, frames_per_track="last")
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    for number in range(1, 4):
        (tmp_path / f"{number}.jpg").unlink()
    with pytest.raises(FrameError, match="track t"):
        engine.encode_tracks([track], tmp_path)


def test_a_box_that_covers_no_cell_by_the_released_rule_ranks_like_any_other(engine, sample, queries):
    """Of 768x432 pixels a cell has 128x72: the released rule rounds both edges down, and finds nothing inside."""
    frame = "carpark/img1/000100.jpg"
    thin = Track("thin", (frame,), np.array([[130.0, 80, 40, 30]]))
    corner = Track("corner", (frame,), np.array([[760.0, 425, 8, 7]]))
    whole = Track("whole", (frame,), np.array([[0.0, 0, 768, 432]]))
    index = engine.encode_tracks([thin, corner, whole], sample)
    areas = (index.shots.cells[:, 2:] - index.shots.cells[:, :2]).prod(axis=1)
    assert areas.min() == 1
    for ranking in engine.rank(index, queries):
        assert set(ranking.track_ids) == {"thin", "corner", "whole"}
        assert np.isfinite(ranking.scores).all()


@pytest.mark.parametrize("top_k", [None, 2])
def test_a_mask_that_is_no_number_names_query_and_track(engine, index, queries, top_k):
    maps = FeatureMaps(memory_bytes=2**30)
    spoilt = index.shots.frames[int(index.shots.offsets[3])]
    for view in set(index.shots.views):
        features = index.maps.get(view)
        maps.put(view, np.full_like(features, np.nan) if view.frame == spoilt else features)
    shown = [
        track
        for row, track in enumerate(index.track_ids)
        if spoilt in index.shots.frames[index.shots.offsets[row] : index.shots.offsets[row + 1]]
    ]
    with pytest.raises(ScoreError, match=r"is not a number; ") as caught:
        engine.rank(replace(index, maps=maps), queries, top_k=top_k)
    assert any(f"track {track}:" in str(caught.value) for track in shown)
    assert any(f"query {query.id}," in str(caught.value) for query in queries)


def test_a_view_shows_the_largest_box_and_agrees_with_the_score(engine, index, queries, tracks, sample):
    encoded = engine.encode_queries(queries)
    ranking = engine.rank(index, encoded)[1]
    for row, view in zip(ranking.rows[:3], engine.mask_views(index, encoded, 1, ranking.rows[:3]), strict=True):
        assert view.mask.shape == (6, 6)
        assert view.part == (0, 0, 768, 432)
        track = next(track for track in tracks if track.id == index.track_ids[row])
        shots = range(index.shots.offsets[row], index.shots.offsets[row + 1])
        (shot,) = [shot for shot in shots if index.shots.positions[shot] == view.position]
        assert index.shots.frames[shot] == track.frames[view.position]
        areas = [(index.shots.cells[at, 2:] - index.shots.cells[at, :2]).prod() for at in shots]
        assert (index.shots.cells[shot, 2:] - index.shots.cells[shot, :2]).prod() == max(areas)
        x0, y0, x1, y1 = index.shots.cells[shot]
        alone = engine.encode_tracks([Track("t", (track.frames[view.position],), track.boxes[[view.position]])], sample)
        (one,) = engine.rank(alone, [queries[1]])
        assert view.mask[y0:y1, x0:x1].mean() == pytest.approx(one.terms["mpr"][0], abs=1e-6)


def test_sentences_that_name_no_colour_are_read_by_the_model(engine):
    """In the words alone there is nothing: the weight of CTM is then that of the language module's own guess."""
    encoded = engine.encode_queries([Query("q", ("it goes on",)), Query("r", ("a red bus",))])
    colour = slice(*engine.bundle.vector["colour"])
    assert encoded.vectors[0, colour].sum() == engine.bundle.scoring["ctm_weight"]
    assert encoded.vectors[1, colour].argmax() == 1  # red


@pytest.fixture
def edited(sbnet, tmp_path):
    """Copy the bundle and change its manifest."""

    def edit(change):
        folder = shutil.copytree(sbnet, tmp_path / "edited")
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return edit


@pytest.fixture
def near(edited):
    """The bundle that sees of each frame what is around a box."""
    return edited(lambda manifest: manifest["preprocessing"].update(around=2.5))


@pytest.fixture
def cut(tracks, sample, tmp_path):
    """Some tracks, and the same ones in frames that hold what is around each box and no more."""
    own = tracks[:6]
    frames = []
    with FrameStore(sample) as store:
        for number, track in enumerate(own):
            names, boxes = [], track.boxes.copy()
            (tmp_path / f"{number}").mkdir()
            for place, reference in enumerate(track.frames):
                image = store.read(reference)
                x0, y0, x1, y1 = geometry.surroundings(track.boxes[place], image.shape[1], image.shape[0], 2.5)
                names.append(f"{number}/{place:06d}.png")
                Image.fromarray(image[y0:y1, x0:x1]).save(tmp_path / names[-1])
                boxes[place] -= (x0, y0, 0, 0)
            frames.append(Track(track.id, tuple(names), boxes))
    return own, frames


def test_what_is_around_a_box_is_seen_as_if_it_were_the_frame(near, sbnet, cut, sample, queries, tmp_path):
    own, frames = cut
    with Engine(near, device="cpu") as engine, FrameStore(sample) as store:
        index = engine.encode_tracks(own, store)
        found = engine.rank(index, queries)
        views = engine.mask_views(index, engine.encode_queries(queries), 0, [0])
        again = engine.with_frames(replace(index, maps=None), store)
        assert as_bytes(engine.rank(again, queries)) == as_bytes(found)
    with Engine(sbnet, device="cpu") as engine, FrameStore(tmp_path) as store:
        alone = engine.encode_tracks(frames, store)
        assert as_bytes(engine.rank(alone, queries)) == as_bytes(found)
    track = next(track for track in own if track.id == index.track_ids[0])
    assert views[0].part == geometry.surroundings(track.boxes[views[0].position], 768, 432, 2.5)
    shown = index.shots.positions[: index.shots.offsets[1]]
    assert views[0].position == shown[np.argmax(track.boxes[shown, 2] * track.boxes[shown, 3])]


@pytest.mark.parametrize("side", [767, 769])
def test_a_frame_that_has_another_size_by_now_is_named(near, cut, sample, side):
    own, _ = cut
    with Engine(near, device="cpu") as engine, FrameStore(sample) as store:
        index = engine.encode_tracks(own[:1], store)
        sizes = index.shots.sizes.copy()
        sizes[2, 0] = side
        parts = np.minimum(index.shots.parts, 767)
        other = replace(index, shots=replace(index.shots, sizes=sizes, parts=parts), maps=None)
        words = rf"{index.shots.frames[2]}: is 768x432, and vectors were made of it as {side}x432; restore it"
        with pytest.raises(InputError, match=words):
            engine.with_frames(other, store)


@pytest.mark.parametrize("bundle", ["near", "sbnet"])
def test_a_box_outside_a_frame_smaller_than_the_others_is_named(bundle, request, tmp_path):
    for number, width in enumerate((64, 64, 32)):
        Image.fromarray(np.zeros((48, width, 3), np.uint8)).save(tmp_path / f"{number}.png")
    track = Track("t", ("0.png", "1.png", "2.png"), np.array([[40.0, 5.0, 10.0, 10.0]] * 3))
    words = r"boxes\[2\] in 2.png: .* lies wholly outside the image of 32x48; correct the box"
    engine = Engine(request.getfixturevalue(bundle), device="cpu")
    with engine, FrameStore(tmp_path) as store, pytest.raises(InputError, match=words):
        engine.encode_tracks([track], store)


def test_words_alone_leave_the_term_out(edited):
    with Engine(edited(lambda manifest: manifest["scoring"].update(nl_labels=False)), device="cpu") as other:
        vectors = other.encode_queries([Query("q", ("it goes on",))]).vectors
        assert not vectors[0, slice(*other.bundle.vector["colour"])].any()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ctm_weight", None, "scoring.ctm_weight is None, wanted a number"),
        ("ctm_weight", True, "scoring.ctm_weight is True"),
        ("match", "odds", "scoring.match is 'odds', wanted probability or log"),
        ("nl_labels", "yes", "scoring.nl_labels is 'yes'"),
        ("windows", [3, 1], "scoring.windows is [3, 1]"),
        ("windows", [1, 2], "scoring.windows is [1, 2]"),
        ("windows", 6, "scoring.windows is 6"),
        ("windows", [], "scoring.windows is []"),
        ("mask_halo", 0, "scoring.mask_halo is 0"),
        ("track_halo", None, "scoring.track_halo is None"),
    ],
)
def test_a_bundle_that_cannot_be_scored_is_refused(edited, name, value, words):
    folder = edited(lambda manifest: manifest["scoring"].__setitem__(name, value))
    with pytest.raises(BundleError) as caught:
        Engine(folder, device="cpu")
    assert words in str(caught.value)


def test_graphs_that_do_not_fit_each_other_are_refused(edited):
    grid = {"grid": {"dtype": "float32", "dims": ["batch", 96, 6, 6]}}
    folder = edited(lambda manifest: manifest["graphs"]["track"]["inputs"].update(grid))
    with pytest.raises(BundleError, match=r"graph track takes grid as .* and graph image returns none; export"):
        Engine(folder, device="cpu")


@pytest.mark.parametrize(
    "change",
    [
        lambda slices: slices.pop("type"),
        lambda slices: slices.pop("image"),
        lambda slices: slices.update(foo=[150, 152]),
        lambda slices: slices.update(image=[0, 60]),
        lambda slices: slices.update(text=[32, 96]),
        lambda slices: slices.update(colour=[128, 130], type=[130, 140]),
        lambda slices: slices.update(image=[64, 128], text=[0, 64]),
    ],
)
def test_a_layout_that_the_graphs_do_not_make_is_refused(edited, change):
    folder = edited(lambda manifest: change(manifest["vector"]["slices"]))
    with pytest.raises(BundleError, match=r"vector.slices is \{.*\}, and its graphs make \{'image': \(0, 64\)"):
        Engine(folder, device="cpu")


def test_a_bundle_without_a_graph_is_refused(edited):
    with pytest.raises(BundleError, match="has no graph mask"):
        Engine(edited(lambda manifest: manifest["graphs"].pop("mask")), device="cpu")


def test_queries_of_another_bundle_are_refused(engine, index, tiny, edited, tracks, sample):
    for folder in (tiny, edited(lambda manifest: manifest["scoring"].update(ctm_weight=5))):
        with Engine(folder, device="cpu") as other:
            encoded = other.encode_queries([Query("q", ("a red car",))])
            own = other.encode_tracks(tracks[:2], sample)
            with pytest.raises(VectorsMismatchError, match=r"^queries: was made by bundle"):
                other.rank(own, engine.encode_queries([Query("q", ("a red car",))]))
        with pytest.raises(VectorsMismatchError, match=r"^queries: was made by bundle"):
            engine.rank(index, encoded)
        with pytest.raises(VectorsMismatchError, match=r"^index: was made by bundle"):
            engine.mask_views(own, encoded, 0, [0])


def test_shots_of_another_map_are_refused(engine, index, queries, sample):
    cells = index.shots.cells.copy()
    cells[0, 2] = 7
    other = replace(index, shots=replace(index.shots, cells=cells))
    with pytest.raises(InputError, match=r"^index: holds shots of a map of more than 6 cells; "):
        engine.rank(other, queries)
    with FrameStore(sample) as store, pytest.raises(InputError, match="holds shots of a map"):
        engine.with_frames(other, store)


def test_views_of_nothing_and_of_what_is_not_there(engine, index, queries, tiny):
    encoded = engine.encode_queries(queries)
    assert engine.mask_views(index, encoded, 0, []) == []
    for query, rows, words in (
        (4, [0], r"^query: is 4; give 0 to 3$"),
        (-1, [0], "^query: is -1; "),
        (0, [0, len(index)], r"^rows\[1\]: is "),
        (0, [0.5], r"^rows\[0\]: is a number \(0.5\); give a whole number"),
        (0, engine.rank(index, encoded)[0], "^rows: is of type Ranking; give whole numbers, "),
        ("0", [0], "^query: is text "),
    ):
        with pytest.raises(InputError, match=words):
            engine.mask_views(index, encoded, query, rows)
    with pytest.raises(InputError, match=r"^queries: is a list .*; encode them with `Engine.encode_queries`$"):
        engine.mask_views(index, queries, 0, [0])
    with Engine(tiny, device="cpu") as other:
        assert not other.has_masks


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frames": ("a",)}, "do not go together"),
        ({"offsets": np.array([0, 0, 2])}, "do not go together"),
        ({"offsets": np.array([0, 1])}, "do not go together"),
        ({"cells": np.array([[0, 0, 1, 1], [2, 2, 2, 3]], np.int32)}, "empty box"),
        ({"cells": np.array([[0, 0, 1, 1], [-1, 2, 2, 3]], np.int32)}, "empty box"),
        ({"parts": np.array([[0, 0, 9, 9], [5, 5, 5, 9]], np.int32)}, "empty part of a frame"),
        ({"parts": np.array([[0, 0, 9, 10], [5, 5, 6, 9]], np.int32)}, "what no frame shows"),
        ({"sizes": np.array([20, 9], np.int32)}, "do not go together"),
        ({"parts": np.array([[0, 0, 9, 9]], np.int32)}, "do not go together"),
    ],
)
def test_shots_that_do_not_go_together_are_refused(change, words):
    whole = {
        "frames": ("a", "b"),
        "positions": np.array([0, 0]),
        "sizes": np.array([[20, 9], [20, 9]], np.int32),
        "parts": np.array([[0, 0, 9, 9], [0, 0, 9, 9]], np.int32),
        "cells": np.array([[0, 0, 1, 1], [2, 2, 4, 3]], np.int32),
        "offsets": np.array([0, 1, 2]),
    }
    assert len(Shots(**whole).frames) == 2
    with pytest.raises(InputError, match=words):
        Shots(**{**whole, **change})


@pytest.fixture(scope="module")
def trained(sbnet):
    """A bundle that also reads the paths of tracks."""
    with Engine(sbnet.parent / "sbnet-compact", device="cpu", threads=1) as engine:
        yield engine


def test_a_path_tells_which_way_a_track_goes_whatever_its_frames_show(trained, tracks, sample):
    whole = tracks[0]
    turned = {
        "left": np.linspace([700, 400], [100, 380], 24) + np.outer(np.linspace(0, 1, 24) ** 2, [0, -250]),
        "still": np.tile([300.0, 200.0], (24, 1)),
    }
    made = [
        Track(name, (whole.frames[0],) * 24, np.column_stack([path, np.full((24, 2), 40.0)]))
        for name, path in turned.items()
    ]
    index = trained.encode_tracks(made, sample, frames_per_track="last")
    stops, goes = trained.rank(index, [Query("a", ("A car stops.",)), Query("b", ("A car.",))])
    assert list(stops.terms) == ["mpr", "ss", "ctm", "motion"]
    motion = dict(zip(stops.track_ids, stops.terms["motion"].tolist(), strict=True))
    assert motion["still"] > motion["left"]
    assert not goes.terms["motion"].any()
    np.testing.assert_allclose(sum(stops.terms.values()), stops.scores, atol=1e-5)


def test_no_other_track_or_setting_reaches_what_a_path_tells(trained, sbnet, tracks, sample):
    few = tracks[:5]
    index = trained.encode_tracks(few, sample, frames_per_track="last")
    with Engine(sbnet.parent / "sbnet-compact", device="cpu", threads=2, batch_size=3) as other:
        assert other.encode_tracks(few, sample, frames_per_track="last").vectors.tobytes() == index.vectors.tobytes()
        alone = other.encode_tracks(few[2:3], sample, frames_per_track="last")
    row = list(index.track_ids).index(few[2].id)
    assert alone.vectors[0].tobytes() == index.vectors[row].tobytes()


def test_a_bundle_that_tells_motion_needs_the_graph_that_reads_it(trained, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(trained.bundle.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["graphs"]["path"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="has no graph path"):
        Engine(folder, device="cpu")

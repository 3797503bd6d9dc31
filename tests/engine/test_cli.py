from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from nlvr.engine.cli import parse_size
from nlvr.engine.errors import InputError

IMAGE = (64, 96)  # height, width


@pytest.fixture
def gallery(tmp_path, write):
    """Six tracks over a small tree of images, three queries, and a folder for what is written."""
    frames = tmp_path / "frames"
    (frames / "cam" / "img1").mkdir(parents=True)
    random = np.random.default_rng(3)
    tracks = {}
    for number in range(1, 13):
        image = random.integers(0, 255, (*IMAGE, 3), np.uint8)
        cv2.imwrite(str(frames / "cam" / "img1" / f"{number:06d}.jpg"), image)
    for row in range(6):
        numbers = range(row + 1, row + 6)
        tracks[f"t{row}"] = {
            "frames": [f"./cam/img1/{number:06d}.jpg" for number in numbers],
            "boxes": [[2 * row + number, row + number, 20 + row, 15 + number] for number in numbers],
        }
    queries = {
        "q0": ["A red sedan turns left.", "A red car goes left.", "A maroon sedan."],
        "q1": {"nl": ["A white van stops."], "nl_other_views": ["A white van goes straight."]},
        "q2": ["A black pickup truck goes straight."],
    }
    write("tracks.json", tracks)
    write("queries.json", queries)
    write("truth.json", {"q0": "t3", "q1": "t0", "q2": "t5"})
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.fixture
def rank(cli, gallery, tiny):
    """Run `rank` on the gallery; options are given as rank(top_k=3), None drops one."""

    def run(**options):
        values = {
            "tracks": gallery / "tracks.json",
            "queries": gallery / "queries.json",
            "frames": gallery / "frames",
            "model": tiny,
            "output": gallery / "out" / "ranking.json",
        } | options
        words = []
        for name, value in values.items():
            flag = f"--{name.replace('_', '-')}"
            if value is True:
                words.append(flag)
            elif value is not None:
                words += [word for item in (value if isinstance(value, list) else [value]) for word in (flag, item)]
        return cli("rank", *words)

    return run


@pytest.fixture(params=["contrastive", "sbnet"])
def model(request, tiny, sbnet):
    """The shipped bundle of each system in turn."""
    return {"contrastive": tiny, "sbnet": sbnet}[request.param]


def refused(capsys, *words):
    """Assert one line on stderr that holds the words, and return it."""
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    assert "; " in lines[0], "an error names a remedy"
    for word in words:
        assert str(word) in lines[0]
    assert "Traceback" not in captured.err
    return lines[0]


def submission(gallery):
    return json.loads((gallery / "out" / "ranking.json").read_text())


def test_rank_writes_every_track_for_every_query(rank, gallery, capsys):
    assert rank(truth=gallery / "truth.json") == 0
    ranked = submission(gallery)
    assert set(ranked) == {"q0", "q1", "q2"}
    assert all(sorted(ids) == [f"t{row}" for row in range(6)] for ids in ranked.values())
    out = capsys.readouterr().out
    for word in ("the first 3 tracks of each", "MRR by chance", "R@1", "R@5", "R@10", "median rank", "t0", "random"):
        assert word in out


def test_top_k_is_the_head_of_the_complete_ranking(rank, gallery, model):
    assert rank(model=model) == 0
    complete = submission(gallery)
    assert rank(model=model, top_k=2) == 0
    assert submission(gallery) == {query: ids[:2] for query, ids in complete.items()}


def test_rank_from_descriptions_prints_a_table_alone(rank, gallery, capsys):
    assert rank(queries=None, output=None, query=["a red pickup", "a white van"]) == 0
    assert "a red pickup" in capsys.readouterr().out
    assert not any((gallery / "out").iterdir())


@pytest.mark.parametrize(
    "options",
    [
        *({"batch_size": size} for size in (1, 7, 32)),
        *({"threads": count, "decode_threads": 5 - count} for count in (1, 2, 3, 4)),
        {"frame_cache": "0", "feature_cache": "0"},
        {"feature_cache": "20KiB"},
    ],
)
def test_speed_options_never_change_a_ranking(rank, gallery, model, options):
    scores = gallery / "out" / "scores.npz"
    assert rank(model=model, frames_per_track="all", scores=scores) == 0
    first, expected = submission(gallery), np.load(scores)["scores"]
    assert rank(model=model, frames_per_track="all", scores=scores, **options) == 0
    assert submission(gallery) == first
    np.testing.assert_array_equal(np.load(scores)["scores"], expected)


def test_the_order_of_files_never_changes_a_ranking(rank, gallery, write, model):
    scores = gallery / "out" / "scores.npz"
    assert rank(model=model, scores=scores) == 0
    first, expected = submission(gallery), np.load(scores)["scores"]
    for name in ("tracks.json", "queries.json"):
        records = json.loads((gallery / name).read_text())
        write(name, dict(reversed(records.items())))
    assert rank(model=model, scores=scores) == 0
    assert submission(gallery) == first
    np.testing.assert_array_equal(np.load(scores)["scores"], expected)


@pytest.mark.parametrize("isa", ["scalar", "avx2", "avx512"])
def test_every_isa_ranks_alike(isa, rank, gallery, model):
    from nlvr.engine import kernels

    if isa not in kernels.isas():
        pytest.skip(f"this CPU has no {isa}")
    scores = gallery / "out" / "scores.npz"
    assert rank(model=model, scores=scores) == 0
    expected, content = submission(gallery), scores.read_bytes()
    output = gallery / "out" / f"{isa}.json"
    subprocess.run(
        [*command(gallery, model), "--output", output, "--scores", scores],
        env=os.environ | {"NLVR_ISA": isa},
        check=True,
        capture_output=True,
    )
    assert json.loads(output.read_text()) == expected
    assert scores.read_bytes() == content


def test_scores_keep_the_matrix_with_its_terms(rank, gallery):
    scores = gallery / "out" / "scores.npz"
    assert rank(scores=scores, truth=gallery / "truth.json") == 0
    with np.load(scores) as file:
        assert file["query_ids"].tolist() == ["q0", "q1", "q2"]
        assert file["track_ids"].tolist() == [f"t{row}" for row in range(6)]
        assert file["scores"].shape == (3, 6)
        np.testing.assert_array_equal(file["term.cosine"], file["scores"])
        for query, ids in submission(gallery).items():
            row = file["scores"][file["query_ids"].tolist().index(query)]
            order = sorted(range(6), key=lambda track: (-row[track], track))
            assert ids == [f"t{track}" for track in order]


def test_stored_vectors_serve_again_without_frames(rank, gallery, capsys):
    vectors = gallery / "out" / "vectors.npz"
    assert rank(vectors=vectors) == 0
    expected = submission(gallery)
    shutil.rmtree(gallery / "frames" / "cam")
    capsys.readouterr()
    assert rank(vectors=vectors, json=True) == 0
    assert submission(gallery) == expected
    summary = json.loads(capsys.readouterr().out)
    assert summary["vectors"] == "read from file"
    assert summary["frames_decoded"] == 0


def test_masks_need_their_frames_again_and_then_rank_alike(rank, gallery, sbnet, capsys):
    vectors, scores = gallery / "out" / "vectors.npz", gallery / "out" / "scores.npz"
    assert rank(model=sbnet, vectors=vectors, scores=scores) == 0
    expected = scores.read_bytes()
    assert rank(model=sbnet, vectors=vectors, scores=scores) == 0
    assert scores.read_bytes() == expected
    capsys.readouterr()
    shutil.rmtree(gallery / "frames" / "cam")
    assert rank(model=sbnet, vectors=vectors, scores=scores) == 2
    refused(capsys, "cam/img1/000001.jpg", "the frame cannot be read, and vectors were made with it")


def test_a_list_cut_short_says_what_it_took(rank, sbnet, capsys):
    assert rank(model=sbnet, top_k=2) == 0
    assert "masks: 18 pairs of query and track considered; " in capsys.readouterr().out
    assert rank(model=sbnet, top_k=2, json=True) == 0
    pruning = json.loads(capsys.readouterr().out)["pruning"]
    assert pruning["pairs"] == pruning["unseen"] + pruning["dropped"] + pruning["complete"] == 18
    assert rank(model=sbnet, json=True) == 0
    assert json.loads(capsys.readouterr().out)["pruning"] is None


def test_the_terms_of_sbnet_are_kept_beside_its_scores(rank, gallery, sbnet):
    scores = gallery / "out" / "scores.npz"
    assert rank(model=sbnet, scores=scores) == 0
    with np.load(scores) as file:
        total = file["term.mpr"] + file["term.ss"] + file["term.ctm"]
        np.testing.assert_allclose(total, file["scores"], atol=1e-6)


def test_stored_vectors_that_do_not_fit_are_refused(rank, gallery, write, capsys):
    vectors = gallery / "out" / "vectors.npz"
    assert rank(vectors=vectors) == 0
    capsys.readouterr()
    assert rank(vectors=vectors, frames_per_track="last") == 2
    refused(capsys, "vectors.npz", "frames-per-track")
    tracks = json.loads((gallery / "tracks.json").read_text())
    tracks["t2"]["boxes"][0][0] += 1
    write("tracks.json", tracks)
    assert rank(vectors=vectors) == 2
    refused(capsys, "vectors.npz", "t2")


def test_each_frame_is_decoded_once_for_all_its_tracks(rank, gallery, capsys):
    assert rank(frames_per_track="all", json=True) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames_decoded"] == len({*range(1, 11)})
    assert (summary["tracks"], summary["queries"]) == (6, 3)


def test_report_is_written_and_shows_the_truth(rank, gallery):
    assert rank(report=gallery / "out" / "report", truth=gallery / "truth.json") == 0
    page = (gallery / "out" / "report" / "index.html").read_text()
    assert "data:image/jpeg" in page
    assert "A maroon sedan." in page
    assert "random" in page


def test_the_report_of_sbnet_shows_each_results_mask(rank, gallery, sbnet):
    assert rank(model=sbnet, report=gallery / "out" / "report", top_k=4) == 0
    page = (gallery / "out" / "report" / "index.html").read_text()
    assert page.count("data:image/png") == page.count('class="frame mask"') == 3 * 4
    assert "mask from 0 to 1" in page
    assert "it was never trained, so its masks are near a half everywhere, which shows as one flat colour" in page


@pytest.fixture
def both(tiny, sbnet):
    """The shipped bundles of both systems, which `rank` then fuses."""
    return [tiny, sbnet]


def scores_of(path):
    """Return the arrays of a file of scores."""
    with np.load(path) as file:
        return dict(file)


def test_several_models_are_ranked_by_the_mean_of_their_standardised_scores(rank, gallery, both):
    total = 0
    for number, one in enumerate(both):
        assert rank(model=one, scores=gallery / "out" / f"{number}.npz") == 0
        scores = scores_of(gallery / "out" / f"{number}.npz")["scores"].astype(np.float64)
        total += (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True) / len(both)
    assert rank(model=both, scores=gallery / "out" / "fused.npz") == 0
    fused = scores_of(gallery / "out" / "fused.npz")
    np.testing.assert_allclose(fused["scores"], total, rtol=1e-12, atol=1e-12)
    shares = [fused["term.contrastive-tiny"], fused["term.sbnet-tiny"]]
    np.testing.assert_allclose(np.mean(shares, axis=0), fused["scores"], rtol=1e-12, atol=1e-12)
    for row, ids in enumerate(submission(gallery).values()):
        order = sorted(range(6), key=lambda track, row=row: (-fused["scores"][row][track], track))
        assert ids == [f"t{track}" for track in order]


def test_several_models_rank_alike_through_python(rank, gallery, both):
    from nlvr.engine import Engine, FrameStore, fuse, load_queries, load_tracks

    assert rank(model=both, scores=gallery / "out" / "scores.npz", top_k=4) == 0
    tracks, queries = load_tracks(gallery / "tracks.json"), load_queries(gallery / "queries.json")
    rankings = {}
    with FrameStore(gallery / "frames") as frames:
        for path in both:
            with Engine(path) as engine:
                rankings[path.name] = engine.rank(engine.encode_tracks(tracks, frames), queries)
    fused = fuse(rankings, top_k=4)
    assert {ranking.query_id: list(ranking.track_ids) for ranking in fused} == submission(gallery)
    scores = scores_of(gallery / "out" / "scores.npz")["scores"]
    for row, ranking in zip(scores, fused, strict=True):
        assert ranking.scores.tobytes() == row[ranking.rows].tobytes()


def test_the_order_of_the_models_never_changes_a_ranking(rank, gallery, both):
    scores = gallery / "out" / "scores.npz"
    assert rank(model=both, scores=scores) == 0
    first, expected = submission(gallery), scores_of(scores)["scores"]
    assert rank(model=both[::-1], scores=scores) == 0
    assert submission(gallery) == first
    np.testing.assert_array_equal(scores_of(scores)["scores"], expected)


def test_a_fused_list_is_cut_after_the_complete_ranking(rank, gallery, both, capsys):
    assert rank(model=both, truth=gallery / "truth.json") == 0
    complete = submission(gallery)
    capsys.readouterr()
    assert rank(model=both, truth=gallery / "truth.json", top_k=2, json=True) == 0
    assert submission(gallery) == {query: ids[:2] for query, ids in complete.items()}
    summary = json.loads(capsys.readouterr().out)
    assert summary["pruning"] is None
    truth = json.loads((gallery / "truth.json").read_text())
    ranks = [ids.index(truth[query]) + 1 if truth[query] in ids else 101 for query, ids in submission(gallery).items()]
    assert summary["metrics"]["mrr"] == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_a_fused_ranking_names_its_models(rank, gallery, both, capsys):
    report = gallery / "out" / "report"
    assert rank(model=both, report=report, truth=gallery / "truth.json") == 0
    said = "mean of the scores of contrastive-tiny and sbnet-tiny, each standardised per query over all tracks"
    out = capsys.readouterr().out
    assert f"score: {said}\n" in out
    assert "Never trained: contrastive-tiny and sbnet-tiny." in out
    page = (report / "index.html").read_text()
    for words in (
        said,
        f"{both[0]}, {both[1]}",
        "contrastive, sbnet",
        "Never trained: contrastive-tiny and sbnet-tiny",
    ):
        assert words in page
    assert "where sbnet-tiny sees what the query describes" in page
    assert page.count("<dt>contrastive-tiny</dt>") == page.count("<dt>sbnet-tiny</dt>") == page.count('class="terms"')
    assert page.count('class="frame mask"') == page.count('class="terms"')
    assert rank(model=both, json=True) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert [(model["name"], model["system"]) for model in models] == [
        ("contrastive-tiny", "contrastive"),
        ("sbnet-tiny", "sbnet"),
    ]


def test_models_whose_folders_have_one_name_are_told_apart_by_their_paths(rank, gallery, both, capsys):
    copies = []
    for number, path in enumerate(both):
        copies.append(gallery / f"run{number}" / "bundle")
        shutil.copytree(path, copies[-1])
    assert rank(model=copies, json=True) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert [model["name"] for model in models] == [str(path) for path in copies]


def test_a_track_without_frames_is_refused_by_several_models_as_by_one(rank, gallery, both, tiny, capsys):
    for number in range(1, 6):
        (gallery / f"frames/cam/img1/{number:06d}.jpg").unlink()
    assert rank(model=tiny) == 2
    line = refused(capsys, "no frame can be read", "t0 (cam/img1/000001.jpg", "frame missing: 5")
    assert rank(model=both) == 2
    assert refused(capsys) == line
    assert not any((gallery / "out").iterdir())


def test_missing_frames_are_counted_once_for_all_models(rank, gallery, both, capsys):
    (gallery / "frames/cam/img1/000003.jpg").unlink()
    (gallery / "frames/cam/img1/000007.jpg").write_bytes((gallery / "frames/cam/img1/000007.jpg").read_bytes()[:-200])
    assert rank(model=both, frames_per_track="all") == 0
    err = capsys.readouterr().err
    assert "warning: frame missing: 1, first cam/img1/000003.jpg" in err
    assert "warning: frame truncated or unreadable: 1, first cam/img1/000007.jpg" in err


def test_what_several_models_cannot_do_is_refused(rank, gallery, both, tiny, capsys):
    assert rank(model=both, vectors=gallery / "out" / "vectors.npz") == 2
    refused(capsys, "--vectors", "the vectors of one model, and 2 are given", "leave it out")
    copy = gallery / "copy"
    shutil.copytree(tiny, copy)
    for twice in ([tiny, tiny], [tiny, copy]):
        assert rank(model=twice) == 2
        refused(capsys, "--model", f"{tiny} and {twice[1]} are one bundle", "give each model once")
    assert not any((gallery / "out").iterdir())


def test_bare_crops_rank_like_any_other_gallery(rank, gallery, write):
    random = np.random.default_rng(5)
    tracks = {}
    for row in range(4):
        height, width = random.integers(20, 90, 2).tolist()
        cv2.imwrite(str(gallery / "frames" / f"crop{row}.png"), random.integers(0, 255, (height, width, 3), np.uint8))
        tracks[f"c{row}"] = {"frames": [f"crop{row}.png"], "boxes": [[0, 0, width, height]]}
    assert rank(tracks=write("crops.json", tracks), strict=True) == 0
    assert sorted(submission(gallery)["q0"]) == ["c0", "c1", "c2", "c3"]


def test_missing_frames_are_warned_about_and_skipped(rank, gallery, capsys):
    (gallery / "frames/cam/img1/000003.jpg").unlink()
    (gallery / "frames/cam/img1/000007.jpg").write_bytes((gallery / "frames/cam/img1/000007.jpg").read_bytes()[:-200])
    assert rank(frames_per_track="all") == 0
    err = capsys.readouterr().err
    assert "warning: frame missing: 1, first cam/img1/000003.jpg" in err
    assert "warning: frame truncated or unreadable: 1, first cam/img1/000007.jpg" in err
    (gallery / "out" / "ranking.json").unlink()
    assert rank(frames_per_track="all", strict=True) == 2
    refused(capsys, "--strict", "000003.jpg")
    assert not any((gallery / "out").iterdir())


def test_a_track_without_frames_is_refused_and_counted(rank, gallery, capsys):
    for number in range(1, 6):
        (gallery / f"frames/cam/img1/{number:06d}.jpg").unlink()
    assert rank() == 2
    refused(capsys, "no frame can be read", "t0 (cam/img1/000001.jpg", "frame missing: 5")
    assert not any((gallery / "out").iterdir())


def change(path, value):
    """Return a mutation of the tracks file: put `value` where `path` leads."""

    def apply(tracks):
        place = tracks
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return tracks

    return apply


@pytest.mark.parametrize(
    ("mutation", "words"),
    [
        (change(["t1", "boxes", 2], [1, 2, 3]), ["t1", "boxes[2]"]),
        (change(["t1", "boxes", 2], [1, 2, 0, 3]), ["t1", "boxes[2]", "no size"]),
        (change(["t1", "boxes", 2], [1, 2, float("nan"), 3]), ["t1", "boxes[2]", "finite"]),
        (change(["t1", "boxes", 2], [1, 2, "3", 3]), ["t1", "boxes[2]", "number"]),
        (change(["t1", "boxes", 2], [500, 2, 3, 3]), ["tracks.json: track t1: boxes[2] in cam", "outside", "96x64"]),
        (change(["t1", "boxes"], [[1, 2, 3, 4]]), ["t1", "5 frames", "1 boxes"]),
        (change(["t1", "frames", 0], "../secret.jpg"), ["t1", "frames[0]", "leaves"]),
        (change(["t1", "frames", 0], "/etc/passwd"), ["t1", "frames[0]", "absolute"]),
        (change(["t1"], {"frames": [], "boxes": []}), ["t1", "frames", "empty"]),
        (change(["t1"], {"frames": ["a.jpg"]}), ["t1", "boxes", "missing"]),
        (change(["t1"], []), ["t1", "a list"]),
        (lambda tracks: {}, ["no tracks"]),
        (lambda tracks: [tracks], ["a list"]),
        (lambda tracks: '{"t1": 1, "t1": 2}', ["t1", "twice"]),
        (lambda tracks: '{"t1": {"frames": [], "frames": []}}', ["frames", "twice"]),
        (lambda tracks: '{"t1": ', ["not JSON", "line 1"]),
    ],
)
def test_a_bad_tracks_file_is_refused(mutation, words, rank, gallery, write, capsys):
    write("tracks.json", mutation(json.loads((gallery / "tracks.json").read_text())))
    assert rank() == 2
    refused(capsys, *words)
    assert not any((gallery / "out").iterdir())


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("queries", {"q0": []}, ["q0", "nl", "empty"]),
        ("queries", {"q0": ["", "a car"]}, ["q0", "nl[0]", "says nothing"]),
        ("queries", {"q0": ["   . "]}, ["q0", "nl[0]", "says nothing"]),
        ("queries", {"q0": {"nl_other_views": ["a car"]}}, ["q0", "nl", "missing"]),
        ("queries", {"q0": [7]}, ["q0", "nl[0]", "a number"]),
        ("queries", {}, ["no queries"]),
        ("truth", {"q0": "t3", "q1": "t0", "q2": "nobody"}, ["q2", "nobody"]),
        ("truth", {"q0": "t3", "q1": "t0", "q2": "t5", "q9": "t1"}, ["q9"]),
        ("truth", {"q0": "t3"}, ["q1"]),
        ("truth", {"q0": ["t3"]}, ["q0", "a list"]),
    ],
)
def test_a_bad_queries_or_truth_file_is_refused(option, content, words, rank, gallery, write, capsys):
    assert rank(**{option: write(f"bad-{option}.json", content)}) == 2
    refused(capsys, f"bad-{option}.json", *words)
    assert not any((gallery / "out").iterdir())


def test_bytes_that_are_no_text_are_refused(rank, gallery, capsys):
    (gallery / "tracks.json").write_bytes(b'{"t\xff": 1}')
    assert rank() == 2
    refused(capsys, "tracks.json", "UTF-8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tracks": "nowhere.json"}, ["nowhere.json", "cannot be read"]),
        ({"frames": "nowhere"}, ["nowhere", "folder"]),
        ({"model": "nowhere"}, ["nowhere: does not exist; give a folder that holds manifest.json"]),
        ({"output": "nowhere/ranking.json"}, ["nowhere/ranking.json", "cannot be written"]),
        ({"scores": "nowhere/scores.npz"}, ["nowhere/scores.npz", "cannot be written"]),
        ({"device": "cuda"}, ["--device cuda", "doctor"]),
        ({"device": "tensorrt"}, ["--device tensorrt"]),
        ({"device": "abacus"}, ["--device", "abacus"]),
        ({"frames_per_track": "most"}, ["--frames-per-track", "most"]),
        ({"frames_per_track": "0"}, ["--frames-per-track", "0"]),
        ({"frame_cache": "lots"}, ["--frame-cache", "lots"]),
        ({"frame_cache": "-5"}, ["--frame-cache", "-5"]),
        ({"feature_cache": "much"}, ["--feature-cache", "much"]),
        ({"top_k": 0}, ["top-k"]),
        ({"threads": 0}, ["threads"]),
        ({"query": ["a car"]}, ["--query"]),
        ({"queries": None}, ["--query"]),
        ({"queries": None, "query": ["a car"], "truth": "truth.json"}, ["--truth: goes with --queries"]),
        ({"queries": None, "query": [" "]}, ["--query", "says nothing"]),
    ],
)
def test_bad_options_are_refused(options, words, rank, gallery, capsys):
    if "cuda" in options.values():
        ort = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" in ort.get_available_providers():
            pytest.skip("this ONNX Runtime has CUDA")
    assert rank(**options) == 2
    refused(capsys, *words)
    assert not any((gallery / "out").iterdir())


def test_an_unwritable_report_is_refused_before_the_work(rank, gallery, capsys):
    (gallery / "out" / "report").write_text("in the way")
    assert rank(report=gallery / "out" / "report") == 2
    refused(capsys, "report")
    assert [path.name for path in (gallery / "out").iterdir()] == ["report"]


def test_a_result_never_takes_the_place_of_an_input_or_another_result(rank, gallery, capsys):
    tracks = (gallery / "tracks.json").read_text()
    assert rank(output=gallery / "tracks.json") == 2
    refused(capsys, "tracks.json", "something else")
    assert (gallery / "tracks.json").read_text() == tracks
    assert rank(scores=gallery / "out" / ".." / "out" / "ranking.json") == 2
    refused(capsys, "ranking.json", "something else")


def test_strict_holds_for_stored_vectors_and_for_the_report(rank, gallery, capsys):
    frame = gallery / "frames/cam/img1/000005.jpg"
    whole = frame.read_bytes()
    frame.write_bytes(whole[:-100])
    vectors = gallery / "out" / "vectors.npz"
    assert rank(frames_per_track="all", vectors=vectors, output=None) == 0
    assert "000005.jpg" in capsys.readouterr().err
    frame.write_bytes(whole)
    assert rank(frames_per_track="all", vectors=vectors, strict=True) == 2
    refused(capsys, "--strict", "000005.jpg")
    assert [path.name for path in (gallery / "out").iterdir()] == ["vectors.npz"]


def test_the_report_shows_the_frame_that_stands_in_for_an_unreadable_one(rank, gallery, write):
    for number in (4, 5):
        path = gallery / f"frames/cam/img1/{number:06d}.jpg"
        path.write_bytes(path.read_bytes()[:-100])
    tracks = json.loads((gallery / "tracks.json").read_text())
    assert rank(tracks=write("one.json", {"t0": tracks["t0"]}), frames_per_track="last", report=gallery / "out/r") == 0
    page = (gallery / "out/r/index.html").read_text()
    assert "cam/img1/000003.jpg" in page
    assert "not readable" not in page


def test_metrics_of_a_cut_list_are_those_of_the_list(rank, gallery, capsys):
    assert rank(truth=gallery / "truth.json", top_k=2, json=True) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    truth = json.loads((gallery / "truth.json").read_text())
    ranks = [ids.index(truth[query]) + 1 if truth[query] in ids else 101 for query, ids in submission(gallery).items()]
    assert metrics["mrr"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert metrics["chance_mrr"] == pytest.approx((1 + 1 / 2 + 4 / 101) / 6)
    assert metrics["ties_broken_at_random"] is None


def test_true_tracks_that_a_cut_list_leaves_out_are_counted_in_words(rank, gallery, capsys):
    assert rank(truth=gallery / "truth.json", top_k=1) == 0
    truth = json.loads((gallery / "truth.json").read_text())
    left_out = sum(ids != [truth[query]] for query, ids in submission(gallery).items())
    assert f"true tracks not listed (count as rank 101) {left_out}\n" in capsys.readouterr().out


def test_scores_are_complete_beside_a_cut_list(rank, gallery):
    scores = gallery / "out" / "scores.npz"
    assert rank(scores=scores, top_k=1) == 0
    assert np.isfinite(np.load(scores)["scores"]).all()
    assert {len(ids) for ids in submission(gallery).values()} == {1}


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"top_k": 2}, None),
        ({"scores": "scores.npz"}, None),
        ({"top_k": 2, "scores": "scores.npz"}, "note: --scores holds every track, so every mask is computed; "),
        ({"top_k": 2, "second": True}, "note: several models are fused, so every mask is computed; "),
    ],
)
def test_a_cut_list_that_skips_no_mask_says_so(options, note, rank, gallery, tiny, sbnet, capsys):
    options = {name: gallery / "out" / value if name == "scores" else value for name, value in options.items()}
    models = [sbnet, tiny] if options.pop("second", False) else [sbnet]
    assert rank(model=models, **options) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (note is not None)
    assert all(line.startswith(note) for line in lines)


def test_a_list_without_masks_needs_no_note(rank, gallery, tiny, capsys):
    assert rank(model=tiny, top_k=2, scores=gallery / "out" / "scores.npz") == 0
    assert capsys.readouterr().err == ""


def test_an_unknown_isa_is_refused_before_the_work(gallery, tiny):
    words = [*command(gallery, tiny), "--output", gallery / "out" / "ranking.json"]
    done = subprocess.run(words, env=os.environ | {"NLVR_ISA": "abacus"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: kernels: NLVR_ISA=abacus")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_closes_the_pipe_is_no_fault(gallery, tiny):
    words = " ".join(f"'{word}'" for word in command(gallery, tiny))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} --json | head -c 1"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_standard_output_that_cannot_be_written_is_one_line(gallery, tiny):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command(gallery, tiny), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: cannot be written (No space left on device); ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["rank", "--abacus"], "rank "),
        (["rank", "--top-k", "few"], "rank "),
        (["evaluate"], "evaluate "),
        (["train"], "train "),
        (["abacus"], ""),
        (["--abacus"], ""),
    ],
)
def test_a_usage_error_points_at_the_help_of_its_verb(words, verb, cli, capsys):
    assert cli(*words) == 2
    assert refused(capsys).endswith(f"; see `nlvr-engine {verb}--help`")


def test_no_verb_prints_the_help(cli, capsys):
    assert cli() == 0
    assert "Usage:" in capsys.readouterr().out


def test_a_damaged_bundle_is_refused(rank, tiny, gallery, capsys):
    copy = gallery / "bundle"
    shutil.copytree(tiny, copy)
    graph = next(copy.glob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    assert rank(model=copy) == 2
    refused(capsys, graph.name, "sha256")


def command(gallery: Path, model: Path) -> list[object]:
    run = "import sys; from nlvr.engine.cli import main; sys.exit(main())"
    return [
        *(sys.executable, "-c", run, "rank", "--model", model),
        *("--tracks", gallery / "tracks.json", "--queries", gallery / "queries.json", "--frames", gallery / "frames"),
    ]


def test_ctrl_c_leaves_no_half_written_file(gallery, tiny, write):
    tracks = json.loads((gallery / "tracks.json").read_text())
    many = {
        f"{key}-{copy}": record | {"boxes": [[box[0] + copy / 1000, *box[1:]] for box in record["boxes"]]}
        for copy in range(2000)
        for key, record in tracks.items()
    }
    write("tracks.json", many)
    words = [*command(gallery, tiny), "--output", gallery / "out" / "ranking.json", "--frames-per-track", "all"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    assert process.poll() is None, "the job must still be running when it is interrupted"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "error: interrupted; nothing half-written was left\n"
    assert not any((gallery / "out").iterdir())


def test_evaluate_counts_a_missing_target_as_rank_101(cli, write, capsys):
    ranked = write("ranked.json", {"q0": ["t1", "t0"], "q1": ["t1"]})
    truth = write("truth.json", {"q0": "t0", "q1": "t9"})
    assert cli("evaluate", ranked, truth, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["mrr"] == pytest.approx((1 / 2 + 1 / 101) / 2)
    assert record["missing_targets"] == 1


def test_read_prints_a_record_a_sentence(cli, capsys):
    assert cli("read", "A dark red SUV turns left.", "A vehicle.", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"sentence": "A dark red SUV turns left.", "colour": "red", "type": "suv", "motion": "left"},
        {"sentence": "A vehicle.", "colour": None, "type": None, "motion": None},
    ]


def test_inspect_speaks_of_bundles_and_of_every_file(cli, rank, gallery, tiny, capsys):
    assert rank(vectors=gallery / "out" / "vectors.npz", scores=gallery / "out" / "scores.npz") == 0
    for path, word in (
        (tiny, "embedding id"),
        (gallery / "tracks.json", "6 tracks"),
        (gallery / "queries.json", "3 queries, 5 sentences"),
        (gallery / "truth.json", "each of 3 queries"),
        (gallery / "out" / "ranking.json", "rankings for 3 queries over 6 tracks"),
        (gallery / "out" / "vectors.npz", "vectors of 6 tracks, 256 float32"),
        (gallery / "out" / "scores.npz", "scores of 3 queries over 6 tracks, made of cosine"),
    ):
        assert cli("inspect", path) == 0
        assert word in capsys.readouterr().out


def test_inspect_says_once_what_is_wrong_with_a_file(cli, tmp_path, capsys):
    assert cli("inspect", tmp_path / "nowhere.json") == 2
    assert refused(capsys, "nowhere.json").count("nowhere.json") == 1


def test_inspect_of_what_is_no_json_says_what_it_reads(cli, sample, gallery, tmp_path, capsys):
    picture = gallery / "frames/cam/img1/000001.jpg"
    (tmp_path / "notes.md").write_text("# Notes")
    for path in (sample / "carpark" / "carpark.mp4", picture, tmp_path / "notes.md"):
        assert cli("inspect", path) == 2
        refused(capsys, f"{path}: is no JSON file; inspect reads a bundle's folder, JSON files")
    (tmp_path / "cut.json").write_bytes(b'\xef\xbb\xbf\n {"t0": ')
    assert cli("inspect", tmp_path / "cut.json") == 2
    refused(capsys, "cut.json", "is not JSON (line 2")


def test_a_file_in_place_of_a_bundle_names_the_folder(cli, rank, gallery, tiny, capsys):
    assert rank(model=tiny / "manifest.json") == 2
    refused(capsys, f"{tiny / 'manifest.json'}: is a file, and a bundle is a folder; give its folder, {tiny}")
    assert rank(model=gallery / "tracks.json") == 2
    refused(capsys, "tracks.json: is a file, and a bundle is a folder; give a folder that holds manifest.json")


def test_help_names_every_verb(cli, capsys):
    assert cli("--help") == 0
    out = capsys.readouterr().out
    for verb in ("rank", "evaluate", "read", "inspect", "doctor", "train", "ablate", "export"):
        assert f"\n  {verb} " in out


@pytest.mark.parametrize(("verb", "words"), [("train", "--config tiny"), ("export", "--checkpoint .")])
def test_a_verb_whose_extra_is_missing_says_what_brings_it(verb, words, tmp_path):
    program = "import sys; sys.modules['torch'] = None; from nlvr.engine.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, verb, *words.split(), "--output", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"pip install 'nlvr-engine[{verb}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("0", 0), ("4096", 4096), ("4096b", 4096), ("1.5GiB", 3 * 2**29), ("3 KiB", 3072), (" 1T ", 2**40)),
        *((unit, 512 * 2**20) for unit in ("512MiB", "512mib", "512M", "512m", "512Mib")),
        *((unit, 2 * 10**9) for unit in ("2GB", "2gb", "2Gb")),
        *((unit, 2 * 2**30) for unit in ("2G", "2g", "2 gib")),
    ],
)
def test_parse_size(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("option", ["--frame-cache", "--feature-cache"])
@pytest.mark.parametrize("text", ["lots", "-5", "5 apples", "1e999", "nan", "", "g", "2gg", "2ib", "2 g b"])
def test_a_size_that_is_none_is_refused_under_its_options_name(option, text):
    with pytest.raises(InputError, match=rf"^{option}: "):
        parse_size(text, option)


def test_importing_the_engine_needs_neither_torch_nor_onnxruntime():
    program = """
import sys
sys.modules["torch"] = sys.modules["onnxruntime"] = None
import nlvr.engine
for name in nlvr.engine.__all__:
    getattr(nlvr.engine, name)
assert "cv2" not in sys.modules and "tokenizers" not in sys.modules and "typer" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)

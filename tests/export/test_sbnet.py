"""The bundle of SBNet against the dense network, on real footage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nlvr.engine import Engine, FrameStore, Query
from nlvr.engine.errors import BundleError
from nlvr.engine.ranking import score_matrix
from nlvr.engine.tokenizer import Tokenizer
from nlvr.export import bundle, sbnet
from nlvr.training.checkpoint import save_checkpoint
from nlvr.training.sbnet import evaluation
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.model import SBNet
from nlvr.training.sbnet.tokenizers import build_tokenizer


def spread(model):
    """Give masks, logits and features the range of a trained network's: random ones would all be near a half."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for layer in model.multimodal.head.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        model.multimodal.head.layers[-1].weight.data *= 6
        for module in (model.image_attributes, model.text_attributes, model.motion):
            for parameter in module.parameters() if module else ():
                parameter.data *= 4
    return model


@pytest.fixture(scope="module")
def export(tmp_path_factory, samples):
    """Write a checkpoint with some settings and export it. Returns the network and its bundle."""

    def make(*overrides, precision="fp32", gate=True):
        directory = tmp_path_factory.mktemp("sbnet")
        config = load_config("tiny", overrides=overrides)
        model = spread(SBNet(config, pretrained=False).eval())
        save_checkpoint(directory, model, config=config.to_toml(), tokenizer=build_tokenizer(config).to_str(), steps=1)
        source = sbnet.read_checkpoint(directory, precision=precision)

        def measure(written):
            return sbnet.measure(source, written, samples, place=directory) if gate else {}

        return model, bundle.write(source, directory, gate=measure)

    return make


@pytest.fixture(scope="module")
def exported(export):
    return export()


@pytest.fixture(scope="module")
def gallery(samples):
    """Over two hundred tracks, each of another piece of the clip."""
    long = list(samples.tracks)
    short = [
        replace(track, id=f"{track.id}/{step}", frames=track.frames[step::3], boxes=track.boxes[step::3])
        for track in long[::2]
        for step in range(2)
    ]
    return [*long, *short]


def dense_scores(model, made, queries, tracks, root, rule):
    tokenizer = Tokenizer.from_file(made.tokenizer, length=made.text_length)
    with FrameStore(root) as store:
        scores = evaluation.score_matrix(model, queries, tracks, store, tokenizer, rule=rule)
    return scores[:, np.argsort([track.id for track in tracks], kind="stable")]


def test_ranks_are_the_dense_ones_on_over_two_hundred_tracks(exported, gallery, samples):
    model, made = exported
    queries = [Query("one", samples.sentences[:1]), Query("three", samples.sentences[1:4])]
    wanted = dense_scores(model, made, queries, gallery, samples.root, "2")
    with Engine(made.path, device="cpu") as engine:
        rankings = engine.rank(engine.encode_tracks(gallery, samples.root, frames_per_track="2"), queries)
    assert len(gallery) >= 200
    found = score_matrix([(ranking.rows, ranking.scores) for ranking in rankings], len(gallery))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)
    assert wanted.std() > 0.1
    for ranking, scores in zip(rankings, wanted, strict=True):
        order = np.lexsort((np.arange(len(scores)), -scores))
        # Where two scores differ by what float32 cannot tell apart there is no order to keep.
        apart = np.abs(scores[order] - scores[ranking.rows]) > 4e-6
        assert not apart.any()
        assert (order == ranking.rows).mean() > 0.97


def test_a_cut_list_is_that_of_brute_force_and_skips_pairs(exported, gallery, samples):
    _, made = exported
    queries = [Query(str(number), (sentence,)) for number, sentence in enumerate(samples.sentences)]
    with Engine(made.path, device="cpu") as engine:
        index = engine.encode_tracks(gallery, samples.root)
        whole = engine.rank(index, queries)
        for k in (1, 10):
            for cut, full in zip(engine.rank(index, queries, top_k=k), whole, strict=True):
                assert cut.track_ids == full.track_ids[:k]
                assert cut.scores.tobytes() == full.scores[:k].tobytes()
                assert cut.pruning.parts < cut.pruning.all_parts
                assert cut.pruning.dropped + cut.pruning.unseen > 0


@pytest.mark.parametrize(
    "overrides",
    [
        [
            *("model.figt=box", "model.attention_order=parallel", "model.pos2d=false", "model.attention_scale=false"),
            *("model.mixing=1", "model.grid=4", "modules.motion=true"),
            *("score.nl_labels=false", "score.ctm_weight=1.5", "score.match=log"),
        ],
        ["modules.classification=false"],
        ["modules.substitution=false"],
        ["model.grid=4"],
        ["model.grid=4", "modules.substitution=false"],
        ["modules.classification=false", "modules.substitution=false", "modules.future=false"],
        ["modules.classification=false", "modules.substitution=false", "modules.motion=true"],
    ],
    ids=[
        "every choice the other way",
        "no classification",
        "no substitution",
        "a grid",
        "a grid alone",
        "the mask alone",
        "mask and motion",
    ],
)
def test_every_setting_scores_as_the_dense_network_does(export, samples, overrides):
    model, made = export(*overrides, gate=False)
    point = replace(
        samples.tracks[0], id="one box", frames=samples.tracks[0].frames[:1], boxes=samples.tracks[0].boxes[:1]
    )
    tracks = [*samples.tracks[::12], point]
    queries = [
        Query("q", samples.sentences[:3]),
        Query("r", ("it goes on",)),
        Query("s", ("it turns left", "it stops")),
    ]
    wanted = dense_scores(model, made, queries, tracks, samples.root, "3")
    with Engine(made.path, device="cpu") as engine:
        index = engine.encode_tracks(tracks, samples.root, frames_per_track="3")
        rankings = engine.rank(index, queries)
        found = score_matrix([(ranking.rows, ranking.scores) for ranking in rankings], len(tracks))
        rounding = 5e-7 if model.config.score.match == "log" else 0  # logarithms add up to tens
        np.testing.assert_allclose(found, wanted, rtol=rounding, atol=2e-6)
        cut = engine.rank(index, queries, top_k=3)
        assert [one.track_ids for one in cut] == [one.track_ids[:3] for one in rankings]
    assert set(rankings[0].terms) == {
        "mpr",
        *(["ss"] if model.substitution else []),
        *(["ctm"] if model.image_attributes else []),
        *(["motion"] if model.motion else []),
    }


def test_half_precision_keeps_half_maps_and_ranks_alike(export, samples):
    _, made = export("model.grid=4", precision="fp16")
    assert made.manifest["parity"]["batches"]["1"]["overlap"] >= 0.9
    assert made.graphs["image"].outputs["features"][0] == "float16"
    precisions = {name: graph.precision for name, graph in made.graphs.items()}
    assert precisions == {"image": "fp16", "text": "fp16", "track": "fp32", "mask": "fp32"}
    with Engine(made.path, device="cpu") as engine:
        index = engine.encode_tracks(samples.tracks[:3], samples.root, frames_per_track="2")
        assert index.maps.get(index.shots.views[0]).dtype == np.float16
        assert index.vectors.dtype == np.float32


def test_the_manifest_says_what_scoring_needs(exported):
    _, made = exported
    assert made.system == "sbnet"
    assert made.trained
    assert made.scoring == {
        "ctm_weight": 0.5,
        "match": "probability",
        "nl_labels": True,
        "windows": [1, 2, 3, 4, 5, 6],
        "mask_halo": 4,
        "track_halo": 2,
    }
    assert made.vector == {"image": (0, 64), "text": (64, 128), "colour": (128, 140), "type": (140, 150)}
    assert set(made.graphs) == {"image", "track", "text", "mask"}
    assert made.graphs["mask"].inputs["rows"] == ("int64", ("batch", "rows"))
    parity = made.manifest["parity"]
    assert parity["tracks"] >= 100
    assert parity["wanted"]["difference"] < 5e-5
    for figures in parity["batches"].values():
        assert figures["difference"] <= parity["wanted"]["difference"]
        assert figures["overlap"] == 1


@pytest.mark.parametrize(
    ("precision", "scores", "difference"),
    [
        ("fp32", [[0.2, 0.9], [0.0, -0.4]], 1e-5),
        ("fp32", [[2.0, -9.5], [0.0, 1.0]], 9.5e-5),
        ("int8", [[2.0, -9.5], [0.0, 1.0]], 0.1),
    ],
)
def test_rounding_may_change_large_scores_in_proportion(precision, scores, difference):
    assert sbnet.wanted_of(precision, np.array(scores)).difference == pytest.approx(difference)


def test_a_bundle_that_differs_from_its_network_is_refused(exported, samples):
    model, made = exported
    source = sbnet.read_checkpoint(made.path, precision="fp32")
    source.whole.multimodal.head.layers[-1].bias.data += 0.01
    with pytest.raises(
        BundleError, match=r"^out: at batch 1: the greatest difference of a score to PyTorch's is 0\.00"
    ):
        sbnet.measure(source, made, samples, place=Path("out"))
    assert model.training is False

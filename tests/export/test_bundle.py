from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import onnx
import pytest

from nlvr.engine import Engine
from nlvr.engine.errors import BundleError, OutputError
from nlvr.export import bundle, contrastive
from nlvr.export.parity import served_vectors
from nlvr.training.checkpoint import save_checkpoint
from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.model import ContrastiveModel
from nlvr.training.contrastive.tokenizers import build_tokenizer


def _content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _no_gate(_):
    return {}


def test_the_bundle_opens_in_the_engine_with_all_that_the_contract_names(exported, checkpoint):
    assert (exported.system, exported.trained, exported.dims) == ("contrastive", False, 256)
    assert exported.vector == {"cosine": (0, 256)}
    assert set(exported.graphs) == {"vehicle", "text"}
    for file in exported.graphs.values():
        assert (file.precision, file.opset, list(file.outputs)) == ("fp32", 20, ["vector"])
        assert file.block["cpu"] <= 16
        assert file.block["cuda"] == 64
    assert exported.tokenizer.read_bytes() == (checkpoint / "tokenizer.json").read_bytes()
    assert exported.text_length == 96
    assert exported.recipe.size == 64
    assert exported.manifest["name"] == "contrastive-tiny"
    assert exported.manifest["tools"].keys() == {"nlvr-engine", "torch", "onnx", "onnxscript", "onnxruntime"}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_small_networks_and_heads_are_exported_and_named(samples, tmp_path, precision):
    parts = ("model.grid=true", "model.patch=16", "model.attributes=true", "model.course=true")
    config = load_config("tiny", overrides=parts)
    model = ContrastiveModel(config, pretrained=False)
    tokenizer = build_tokenizer(config).to_str()
    save_checkpoint(tmp_path / "checkpoint", model, config=config.to_toml(), tokenizer=tokenizer, steps=0)
    source = contrastive.read_checkpoint(tmp_path / "checkpoint", precision=precision)
    output = tmp_path / "bundle"
    made = bundle.write(source, output, gate=partial(contrastive.measure, source, samples=samples, place=output))
    assert made.vector == {"likeness": (0, 227), "colour": (227, 240), "type": (240, 251), "motion": (251, 256)}
    with Engine(output, device="cpu") as engine:
        index = engine.encode_tracks(samples.tracks[:4], samples.root)
        ranking = engine.ask(index, "A red sedan turns left.")
    assert list(ranking.terms) == list(made.vector)
    told = {name: index.vectors[:, start:stop] for name, (start, stop) in made.vector.items()}
    # A vehicle shows something of each, never nothing; each attribute has the same share of the vector.
    for name in ("colour", "type", "motion"):
        assert not told[name][:, -1].any()
        np.testing.assert_allclose(np.linalg.norm(told[name], axis=1) ** 2, 0.85 / 3, rtol=0.01)


def test_the_shipped_clip_shows_float32_parity(exported):
    parity = exported.manifest["parity"]
    assert parity["tracks"] >= 100
    for record in parity["batches"].values():
        assert record["overlap"] == 1
        assert min(record["vehicle_cosine"], record["text_cosine"]) >= 0.99999


def test_random_weights_still_tell_tracks_apart(exported, samples):
    """Else every ranking of the gate would be one tie, and its overlap would say nothing."""
    rows = contrastive.vehicle_rows(exported.recipe, samples)
    tracks = served_vectors(exported.graphs["vehicle"], rows, batch=16)
    texts = served_vectors(exported.graphs["text"], contrastive.text_rows(exported, samples), batch=4)
    scores = np.sort(texts @ tracks.T, axis=1)
    assert np.median(scores[:, -10] - scores[:, -11]) > 1e-5


@pytest.mark.usefixtures("written")
def test_a_checkpoint_becomes_a_bundle_in_its_own_folder(checkpoint, source, exported, tmp_path):
    own = shutil.copytree(checkpoint, tmp_path / "own")
    bundle.check_output(own, checkpoint=own)
    made = bundle.write(source, own, gate=lambda _: exported.manifest["parity"])
    assert made.embedding_id == exported.embedding_id
    assert _content(own) == _content(checkpoint) | _content(exported.path)


@pytest.mark.usefixtures("written")
def test_a_new_place_is_made_with_the_folders_above_it(source, tmp_path):
    made = bundle.write(source, tmp_path / "a" / "b" / "name", gate=_no_gate)
    assert made.path == tmp_path / "a" / "b" / "name"
    assert sorted(path.name for path in made.path.parent.iterdir()) == ["name"]
    assert made.path.stat().st_mode == made.path.parent.stat().st_mode
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.usefixtures("written")
def test_a_bundle_that_fails_the_gate_leaves_everything_as_it_was(source, own_bundle, tmp_path):
    def refuse(candidate):
        assert candidate.path.is_relative_to(tmp_path)
        place = "gate"
        raise BundleError(place, "failed", "stop")

    before = _content(own_bundle)
    for output in (own_bundle, tmp_path / "new", tmp_path / "new" / "er"):
        with pytest.raises(BundleError, match="gate: failed"):
            bundle.write(source, output, gate=refuse)
    assert _content(own_bundle) == before
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


@pytest.mark.usefixtures("written")
def test_a_bundle_that_passes_replaces_the_old_one_and_nothing_else(source, own_bundle):
    (own_bundle / "README.md").write_text("mine")
    (own_bundle / "vehicle.onnx").write_bytes(b"old")
    made = bundle.write(source, own_bundle, gate=_no_gate)
    assert made.manifest["parity"] == {}
    assert sorted(_content(own_bundle)) == ["README.md", "manifest.json", "text.onnx", "tokenizer.json", "vehicle.onnx"]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("name", ["vehicle", "text"])
def test_a_graph_that_is_not_the_checkpoints_never_appears(source, samples, name, monkeypatch, tmp_path):
    few = replace(samples, tracks=samples.tracks[::20])
    write = bundle.write_graph

    def tampered(path, graph, **options):
        record = write(path, graph, **options)
        if path.stem == name:
            model = onnx.load(path)
            (weight,) = (weight for weight in model.graph.initializer if weight.name == "projection.linear.weight")
            values = onnx.numpy_helper.to_array(weight) * np.linspace(0.5, 1.5, 256, dtype=np.float32)[:, None]
            weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
            onnx.save(model, path)
        return record

    monkeypatch.setattr(bundle, "write_graph", tampered)
    output = tmp_path / "bundle"
    fact = "the cosine to PyTorch is .*, wanted at least 0.99999;"
    with pytest.raises(BundleError, match=f"^{output}: graph {name} at batch 1: {fact}"):
        bundle.write(source, output, gate=lambda made: contrastive.measure(source, made, few, place=output))
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_something_else_is_refused(checkpoint, own_bundle, tmp_path):
    bundle.check_output(own_bundle, checkpoint=checkpoint)
    bundle.check_output(checkpoint, checkpoint=checkpoint)
    bundle.check_output(tmp_path / "new" / "place", checkpoint=checkpoint)
    (tmp_path / "notes").mkdir()
    bundle.check_output(tmp_path / "notes", checkpoint=checkpoint)
    (tmp_path / "notes" / "note.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    other = shutil.copytree(checkpoint, tmp_path / "other")
    for output, fact in (
        (tmp_path / "notes", "is neither empty nor a bundle"),
        (tmp_path / "file", "is no folder"),
        (tmp_path / "file" / "below", "is no folder"),
        (other, "holds another checkpoint"),
    ):
        with pytest.raises(OutputError, match=fact):
            bundle.check_output(output, checkpoint=checkpoint)


def test_an_output_that_cannot_be_written_is_refused_before_the_work(checkpoint, monkeypatch, tmp_path):
    monkeypatch.setattr(bundle.os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written"):
        bundle.check_output(tmp_path / "new", checkpoint=checkpoint)


def test_a_disk_that_fails_is_an_output_error(source, monkeypatch, tmp_path):
    def full(path, *_, **__):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(bundle, "write_graph", full)
    with pytest.raises(OutputError, match="new: cannot be written"):
        bundle.write(source, tmp_path / "new", gate=_no_gate)
    assert list(tmp_path.iterdir()) == []

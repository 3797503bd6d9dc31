from __future__ import annotations

import shutil

import pytest

from nlvr.export import bundle, contrastive
from nlvr.export.samples import shipped_samples
from nlvr.training.checkpoint import save_checkpoint
from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.model import ContrastiveModel
from nlvr.training.contrastive.tokenizers import build_tokenizer


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A tiny checkpoint that never trained."""
    directory = tmp_path_factory.mktemp("checkpoint")
    config = load_config("tiny")
    model = ContrastiveModel(config, pretrained=False)
    save_checkpoint(directory, model, config=config.to_toml(), tokenizer=build_tokenizer(config).to_str(), steps=0)
    return directory


@pytest.fixture(scope="session")
def samples():
    with shipped_samples() as found:
        yield found


@pytest.fixture(scope="session")
def source(checkpoint):
    return contrastive.read_checkpoint(checkpoint, precision="fp32")


@pytest.fixture(scope="session")
def exported(checkpoint, source, samples, tmp_path_factory):
    """The bundle of that checkpoint; not to be changed."""
    output = tmp_path_factory.mktemp("exported") / "tiny"

    def gate(written):
        return contrastive.measure(source, written, samples, place=output)

    return bundle.write(source, output, gate=gate)


@pytest.fixture
def own_bundle(exported, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(exported.path, tmp_path / "own")


@pytest.fixture
def written(monkeypatch, exported):
    """Stands in for the exporter: the graphs of the finished bundle."""

    def write_graph(path, graph, *, name, **_):
        shutil.copyfile(exported.graphs[name].path, path)
        record = exported.manifest["graphs"][name]
        return {key: value for key, value in record.items() if key not in ("sha256", "block")}

    monkeypatch.setattr(bundle, "write_graph", write_graph)

"""How long does one sentence take, from its text to a ranking of a gallery that was encoded before?

Galleries of the contrastive system are random unit vectors, which changes no cost. Those of SBNet are random images
with boxes of real sizes, one frame a track, and the list is cut to ten, so that masks are computed as far as they can
still change it; how far depends on the weights.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nlvr.benchmarks.bundles import bundles
from nlvr.benchmarks.machine import OtherLoad, machine
from nlvr.benchmarks.peers import skip_where_disturbed
from nlvr.benchmarks.sbnet import write_gallery, write_queries
from nlvr.engine import Engine
from nlvr.engine.index import TrackIndex

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from nlvr.engine import Query

SIZES, ASKED = (1_000, 10_000, 100_000), 200
MASKED_SIZES, MASKED_ASKED = (1_000, 10_000), {1_000: 20, 10_000: 5}
TRACKS_PER_FRAME = 50
TOP = 10
MOST_OVER = 3.0  # of the median: the slowest one in twenty


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bundle", bundles("contrastive"), ids=lambda path: path.name)
def test_one_sentence(benchmark: BenchmarkFixture, bundle: Path, size: int) -> None:
    with Engine(bundle, device="cpu") as engine:
        width = engine.encode_queries(write_queries(1, sentences=1, distinct=1)).vectors.shape[1]
        vectors = np.random.default_rng(0).standard_normal((size, width), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        names = tuple(f"{row:06d}" for row in range(size))
        index = TrackIndex(names, vectors, names, engine.bundle.embedding_id, engine.frames_per_track())
        ask_all(benchmark, engine, index, ASKED)


@pytest.mark.parametrize("size", MASKED_SIZES)
@pytest.mark.parametrize("bundle", bundles("sbnet"), ids=lambda path: path.name)
def test_one_sentence_with_masks(benchmark: BenchmarkFixture, bundle: Path, size: int, tmp_path: Path) -> None:
    tracks = write_gallery(tmp_path, size, frames=1, tracks_per_frame=TRACKS_PER_FRAME)
    with Engine(bundle, device="cpu") as engine:
        index = engine.encode_tracks(tracks, tmp_path)
        ask_all(benchmark, engine, index, MASKED_ASKED[size])


def ask_all(benchmark: BenchmarkFixture, engine: Engine, index: TrackIndex, count: int) -> None:
    """Ask one sentence after the other, and record how their times spread and what encoding alone takes."""
    queries = write_queries(count, sentences=1, distinct=count)
    encoding: list[float] = []
    seconds: list[float] = []
    masks: list[float] = []

    def ask(query: Query) -> None:
        start = time.perf_counter()
        vectors = engine.encode_queries([query])
        encoding.append(time.perf_counter() - start)
        ranking = engine.rank(index, vectors, top_k=TOP)[0]
        seconds.append(time.perf_counter() - start)
        if ranking.pruning:
            masks.append(ranking.pruning.parts / ranking.pruning.all_parts)

    ask(queries[0])
    for own in (encoding, seconds, masks):
        own.clear()
    with OtherLoad() as load:
        benchmark.pedantic(lambda: [ask(query) for query in queries], rounds=1)
    percentiles = dict(zip(("p50", "p95", "p99"), 1e3 * np.percentile(seconds, [50, 95, 99]), strict=True))
    name = engine.bundle.path.name
    benchmark.extra_info.update(
        machine(),
        title=f"one sentence, {len(index)} tracks, {name}",
        bundle=name,
        tracks=len(index),
        sentences=count,
        percentiles={name: round(value, 2) for name, value in percentiles.items()},
        encoding_ms=round(1e3 * float(np.median(encoding)), 2),
        masks_looked_at=round(float(np.mean(masks)), 3) if masks else None,
        other_load=round(load.share, 3),
    )
    told = ", ".join(f"{name} {value:.1f} ms" for name, value in percentiles.items())
    part = f", {np.mean(masks):.0%} of the masks" if masks else ""
    print(
        f"\n{name}: one of {count} sentences over {len(index)} tracks: {told}, of which encoding "
        f"{1e3 * np.median(encoding):.1f} ms{part}; other load {load.share:.0%}"
    )
    skip_where_disturbed(load, "a percentile")
    assert percentiles["p95"] <= MOST_OVER * percentiles["p50"]

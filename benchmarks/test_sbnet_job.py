"""What does a whole job of SBNet cost, and how does that grow?

A job of the size of the 2021 test set: 530 queries of three sentences, 1,075 of them distinct, over 530 tracks shown
by 8 frames each. Images are random and every track has frames of its own, so nothing but the boxes' sizes is real. The
masks of the complete order are timed on a share of the tracks, for their cost is a sum over tracks; what is estimated
from it says so. A random network is the worst case of a list cut short: its masks are near a half everywhere, and no
bound skips any.
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

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

QUERIES, TRACKS, FRAMES, SENTENCES, DISTINCT = 530, 530, 8, 3, 1075
SHARE = 40  # one track in so many has its masks computed for every query
ASKED = 4  # queries whose list is cut short
SIZES = (100, 300, 1000, 2000)
GROWTH_FRAMES = 1  # of a track: how the cost grows with tracks does not depend on it
GROWTH_QUERIES = 20
MOST_GROWTH = 1.25  # of the cost a track, from the least to the greatest gallery
BUNDLES = bundles("sbnet")


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_whole_job(benchmark: BenchmarkFixture, bundle: Path, tmp_path: Path) -> None:
    tracks = write_gallery(tmp_path, TRACKS, frames=FRAMES, tracks_per_frame=1)
    queries = write_queries(QUERIES, sentences=SENTENCES, distinct=DISTINCT)
    seconds: dict[str, float] = {}
    with Engine(bundle, device="cpu") as engine, OtherLoad() as load:
        start = time.perf_counter()
        index = engine.encode_tracks(tracks, tmp_path, frames_per_track=str(FRAMES))
        seconds["encode tracks"] = time.perf_counter() - start
        start = time.perf_counter()
        encoded = engine.encode_queries(queries)
        seconds["encode queries"] = time.perf_counter() - start
        some = np.arange(TRACKS) % SHARE == 0
        benchmark.pedantic(lambda: engine.rank(index, encoded, allowed=some), rounds=1)
        seconds["masks, estimated"] = benchmark.stats["median"] * TRACKS / int(some.sum())
        start = time.perf_counter()
        asked = engine.rank(index, queries[:ASKED], top_k=10)
        seconds["one query, top 10"] = (time.perf_counter() - start) / ASKED
    whole = sum(seconds[stage] for stage in ("encode tracks", "encode queries", "masks, estimated"))
    assert all(len(ranking.track_ids) == 10 and ranking.pruning for ranking in asked)
    looked = sum(ranking.pruning.parts / ranking.pruning.all_parts for ranking in asked if ranking.pruning) / ASKED
    benchmark.extra_info.update(
        machine(),
        bundle=bundle.name,
        trained=engine.bundle.trained,
        seconds={stage: round(value, 2) for stage, value in seconds.items()},
        whole_job_seconds_estimated=round(whole),
        masks=DISTINCT * TRACKS * FRAMES,
        frames_looked_at_by_a_query=round(looked, 3),
        maps_in_memory=len(index.maps) - index.maps.spilled,
        maps_in_file=index.maps.spilled,
        other_load=round(load.share, 3),
    )
    stages = ", ".join(f"{stage} {value:.1f} s" for stage, value in seconds.items())
    maps = f"{index.maps.spilled} of {len(index.maps)} maps in the file"
    print(
        f"\n{bundle.name}: {QUERIES} x {TRACKS}: {stages}; the whole job about {whole / 60:.0f} min; a query looked at "
        f"{looked:.0%} of its frames; {maps}; other load {load.share:.0%}"
    )


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_growth(benchmark: BenchmarkFixture, bundle: Path, tmp_path: Path) -> None:
    tracks = write_gallery(tmp_path, max(SIZES), frames=GROWTH_FRAMES, tracks_per_frame=4)
    queries = write_queries(GROWTH_QUERIES, sentences=1, distinct=GROWTH_QUERIES)
    with Engine(bundle, device="cpu") as engine, OtherLoad() as load:
        index = engine.encode_tracks(tracks, tmp_path, frames_per_track=str(GROWTH_FRAMES))
        encoded = engine.encode_queries(queries)
        rank = {}

        def grow() -> None:
            for size in SIZES:
                start = time.perf_counter()
                engine.rank(index, encoded, allowed=np.arange(len(index)) < size)
                rank[size] = time.perf_counter() - start

        benchmark.pedantic(grow, rounds=1)
        start = time.perf_counter()
        engine.rank(index, queries[:ASKED], top_k=10)
        cut = (time.perf_counter() - start) / ASKED
    per_track = {size: 1e3 * seconds / size for size, seconds in rank.items()}
    benchmark.extra_info.update(
        machine(),
        bundle=bundle.name,
        seconds={str(size): round(value, 3) for size, value in rank.items()},
        ms_a_track={str(size): round(value, 3) for size, value in per_track.items()},
        top_10_seconds_a_query=round(cut, 3),
        other_load=round(load.share, 3),
    )
    print(
        f"\n{bundle.name}: {GROWTH_QUERIES} queries over "
        + ", ".join(f"{size} tracks {rank[size]:.1f} s ({per_track[size]:.1f} ms a track)" for size in SIZES)
        + f"; a query's first ten of {SIZES[-1]} {cut:.1f} s; other load {load.share:.0%}"
    )
    skip_where_disturbed(load)
    assert per_track[SIZES[-1]] <= MOST_GROWTH * per_track[SIZES[0]], "the cost grows faster than the gallery"

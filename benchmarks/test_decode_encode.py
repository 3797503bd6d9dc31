"""Does decoding beside the session cost anything?

With D and S the seconds an item takes when decoding alone and the session alone have all cores, no CPU can do better
than D + S an item, and no GPU beside it better than the slower of the two. The whole pipeline is timed against that
bound in the same run, on the sample's footage read from its video and from a tree of 1080p JPEGs.
"""

from __future__ import annotations

import statistics
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from nlvr.benchmarks.bundles import bundles
from nlvr.benchmarks.machine import OtherLoad, machine
from nlvr.benchmarks.peers import skip_where_disturbed
from nlvr.engine import Engine, FrameStore, Track, load_tracks, preprocess
from nlvr.engine.errors import DeviceUnavailableError
from nlvr.engine.runtime.devices import open_graphs, usable_cpus
from nlvr.engine.runtime.graph import Blocks
from nlvr.engine.runtime.onnxruntime import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from nlvr.engine import Bundle

ROUNDS = 5
BOUND = 0.90


@pytest.fixture(scope="module")
def sample() -> Iterator[Path]:
    with as_file(files("nlvr.engine") / "sample") as folder:
        yield folder


@pytest.fixture(scope="module", params=["video", "jpeg"])
def gallery(
    request: pytest.FixtureRequest, sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Track]]:
    """The sample's tracks over its video, or over the same frames as 1920 x 1080 JPEGs."""
    tracks = load_tracks(sample / "carpark" / "tracks.json")
    if request.param == "video":
        return sample, tracks
    root = tmp_path_factory.mktemp("frames")
    with FrameStore(sample) as store:
        for reference, image in store.stream(sorted({frame for track in tracks for frame in track.frames})):
            path = root / reference
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), cv2.resize(image, (1920, 1080))[..., ::-1])
    scale = np.array([1920 / 768, 1080 / 432] * 2)
    return root, [Track(track.id, track.frames, track.boxes * scale) for track in tracks]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("bundle", bundles("contrastive"), ids=lambda path: path.name)
def test_decode_encode(
    benchmark: BenchmarkFixture, bundle: Path, device: str, gallery: tuple[Path, list[Track]]
) -> None:
    try:
        probe(device)
    except DeviceUnavailableError as error:
        pytest.skip(str(error))
    root, tracks = gallery
    cores = usable_cpus()
    cv2.setNumThreads(1)  # as the command line does: the decode threads are the ones that count
    items = sum(len(track.frames) for track in tracks)
    alone: dict[str, list[float]] = {"decode": [], "session": []}
    with Engine(bundle, device=device) as engine, OtherLoad() as load:
        feeds = _decode(root, tracks, engine.bundle, cores)
        (graph,) = open_graphs([engine.bundle.graphs["vehicle"]], device=device)
        blocks = Blocks(graph, threads=cores, in_flight=2 * cores)

        def time_alone() -> None:
            alone["decode"].append(_seconds(lambda: _decode(root, tracks, engine.bundle, cores)))
            alone["session"].append(_seconds(lambda: list(blocks.run(feeds))))

        benchmark.pedantic(
            lambda: engine.encode_tracks(tracks, root, frames_per_track="all"), setup=time_alone, rounds=ROUNDS
        )
        blocks.close()
    decode, session = (1e3 * statistics.median(alone[stage]) / items for stage in ("decode", "session"))
    pipeline = 1e3 * benchmark.stats["median"] / items
    share = (decode + session if device == "cpu" else max(decode, session)) / pipeline
    benchmark.extra_info.update(
        machine(),
        device=device,
        decode_ms_per_item=round(decode, 3),
        session_ms_per_item=round(session, 3),
        pipeline_ms_per_item=round(pipeline, 3),
        share_of_bound=round(share, 3),
        other_load=round(load.share, 3),
    )
    print(
        f"\n{bundle.name} on {device}: decode {decode:.2f}, session {session:.2f} ms an item, "
        f"pipeline {pipeline:.2f} ms = {share:.0%} of the bound; other load {load.share:.0%}"
    )
    skip_where_disturbed(load, "the ratio")
    assert share >= BOUND


def _decode(root: Path, tracks: list[Track], bundle: Bundle, cores: int) -> list[dict[str, np.ndarray]]:
    """Decode and preprocess every frame of every track, on all cores, and nothing else."""
    shots: dict[str, list[tuple[Track, int]]] = {}
    for track in tracks:
        for position, reference in enumerate(track.frames):
            shots.setdefault(reference, []).append((track, position))

    def prepare(reference: str, image: np.ndarray) -> list[dict[str, np.ndarray]]:
        return [preprocess.vehicle(image, *shot, bundle.recipe).feeds() for shot in shots[reference]]

    with FrameStore(root, decode_threads=cores) as store:
        return [row for _, rows in store.map(sorted(shots), prepare) for row in rows]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

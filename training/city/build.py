"""A city on disk, in the layout of CityFlow-NL: frames or videos, tracks, queries, truth, and what is known of them."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from nlvr.engine.cityflow import Query, Track
from nlvr.engine.errors import OutputError, unwritable
from nlvr.engine.output import write_whole

from .moments import moment
from .oracle import CITY_FILES, Labels, oracle, write_labels
from .plan import plan_city
from .processes import fresh_processes
from .render import Renderer
from .statistics import city_statistics
from .world import TICKS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nlvr.engine.metrics import Metrics

    from .plan import CameraPlan, CityTrack, Settings

    Progress = Callable[[str, int, int], None]

TRAIN, TEST, CARD = "train-tracks.json", "test-tracks.json", "city.json"
QUERIES, TRUTH, LABELS = CITY_FILES
VIDEO, CODEC = "vdo.avi", "FFV1"  # lossless: its frames are those of the images, bit for bit


@dataclass(frozen=True, slots=True)
class City:
    """What was built.  oracle, statistics: see those modules.  bytes: on disk."""

    train_tracks: int
    test_tracks: int
    cameras: int
    frames: int
    bytes: int
    oracle: Mapping[str, Metrics]
    statistics: Sequence[tuple[str, str, str]]

    def __str__(self) -> str:
        """Say how large it is."""
        return (
            f"{self.train_tracks} tracks to train on, {self.test_tracks} to test on, {self.frames} frames of "
            f"{self.cameras} cameras, {self.bytes / 2**30:.2f} GiB"
        )


def build(settings: Settings, output: Path, *, workers: int, videos: bool, progress: Progress) -> City:
    """Write a city into a folder that is new or empty, whole or not at all.

    videos: each camera's frames in one lossless `vdo.avi` rather than in JPEG files.
    Raises OutputError for a folder that holds something or cannot be written.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(output, "is there already", "choose a folder that is new or empty")
    partial = output.absolute().with_name(f".{output.absolute().name}.partial")
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    except OSError as error:
        raise unwritable(output, error) from error
    try:
        plans = plan_city(settings, workers=workers, progress=progress)
        _film(plans, partial, workers=workers, videos=videos, progress=progress)
        city = _write_files(settings, plans, partial, videos=videos)
        if output.exists():
            output.rmdir()
        partial.rename(output)
    except OSError as error:
        raise unwritable(output, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return city


def _film(plans: Sequence[CameraPlan], root: Path, *, workers: int, videos: bool, progress: Progress) -> None:
    """Render every camera, several at once."""
    total, done = sum(len(plan.ticks) for plan in plans), 0
    # A fresh process each: a renderer's state must not outlive its camera, nor be copied by a fork.
    with fresh_processes(workers, tasks_each=1) as pool:
        longest_first = sorted(plans, key=lambda plan: -len(plan.ticks))
        for count in pool.map(_film_camera, longest_first, [root] * len(plans), [videos] * len(plans)):
            done += count
            progress("render", done, total)


def _film_camera(plan: CameraPlan, root: Path, videos: bool) -> int:
    """Render one camera's frames. Returns how many."""
    cv2.setNumThreads(1)
    folder = root / plan.folder
    (folder / "img1").mkdir(parents=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, plan.camera.jpeg]
    frames = _frames(plan, quality)
    if videos:
        (folder / "img1").rmdir()
        _write_video(folder / VIDEO, plan, frames)
    else:
        for tick, content in frames:
            (root / plan.frame(tick)).write_bytes(content)
    lines = [
        f"{tick + 1},{number + 1},{','.join(f'{value:g}' for value in box)},1,-1,-1,-1"
        for number, track in enumerate(plan.tracks)
        for tick, box in zip(track.seen.ticks.tolist(), track.seen.boxes.tolist(), strict=True)
    ]
    (folder / "gt.txt").write_text(
        "\n".join(sorted(lines, key=lambda line: [int(v) for v in line.split(",")[:2]])) + "\n"
    )
    return len(plan.ticks)


def _frames(plan: CameraPlan, quality: list[int]) -> Iterator[tuple[int, bytes]]:
    """Yield each tick that is shown, and its frame as a JPEG."""
    renderer = Renderer(plan.recording, plan.camera)
    try:
        for tick in plan.ticks:
            image = renderer.draw(moment(plan.recording, tick))
            _, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
            yield tick, content.tobytes()
    finally:
        renderer.close()


def _write_video(path: Path, plan: CameraPlan, frames: Iterable[tuple[int, bytes]]) -> None:
    """Write a video in which frame n is tick n − 1; ticks that no track shows repeat the frame before them."""
    size = (plan.camera.width, plan.camera.height)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODEC), TICKS_PER_SECOND, size)
    if not writer.isOpened():
        raise OutputError(path, f"this OpenCV writes no {CODEC} video", "leave --videos out")
    written, last = 0, np.zeros((size[1], size[0], 3), np.uint8)
    for tick, content in frames:
        while written < tick:
            writer.write(last)
            written += 1
        last = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        writer.write(last)
        written += 1
    writer.release()


def _write_files(settings: Settings, plans: Sequence[CameraPlan], root: Path, *, videos: bool) -> City:
    """Write tracks, queries, truth, labels and the card."""
    rows = {
        test: [(plan, track) for plan in plans if plan.is_test is test for track in plan.tracks]
        for test in (False, True)
    }
    queries, truth = {}, {}
    for _, track in rows[True]:
        key = query_id(track.id)
        queries[key], truth[key] = {"nl": list(track.nl), "nl_other_views": list(track.nl_other_views)}, track.id
    labels = {track.id: Labels.of(track.seen.story) for plan in plans for track in plan.tracks}
    _write(root / TRAIN, {track.id: _record(plan, track, words=True) for plan, track in rows[False]})
    _write(root / TEST, {track.id: _record(plan, track, words=False) for plan, track in rows[True]})
    _write(root / QUERIES, queries)
    _write(root / TRUTH, truth)
    write_labels(root / LABELS, labels)
    asked = [Query(key, tuple(record["nl"]), tuple(record["nl_other_views"])) for key, record in queries.items()]
    tested = {track.id: labels[track.id] for _, track in rows[True]}
    city = City(
        train_tracks=len(rows[False]),
        test_tracks=len(rows[True]),
        cameras=len(plans),
        frames=sum(len(plan.ticks) for plan in plans),
        bytes=sum(path.stat().st_size for path in root.rglob("*") if path.is_file()),
        oracle=oracle(tested, asked, truth),
        statistics=city_statistics([_track(*pair) for pair in rows[False] + rows[True]], asked),
    )
    made = {"made by": f"nlvr-engine {version('nlvr-engine')}", "settings": {**asdict(settings), "videos": videos}}
    _write(root / CARD, {**made, **asdict(city)})
    return city


def query_id(track: str) -> str:
    """Return the id of the query that describes a track; the order of one says nothing of that of the other."""
    return str(uuid.uuid5(uuid.UUID(track), "query"))


def _record(plan: CameraPlan, track: CityTrack, *, words: bool) -> dict[str, Any]:
    record: dict[str, Any] = {
        "frames": [f"./{plan.frame(tick)}" for tick in track.seen.ticks.tolist()],
        "boxes": track.seen.boxes.astype(int).tolist(),
    }
    if words:
        record |= {"nl": list(track.nl), "nl_other_views": list(track.nl_other_views)}
    return record


def _track(plan: CameraPlan, track: CityTrack) -> Track:
    frames = tuple(plan.frame(tick) for tick in track.seen.ticks.tolist())
    return Track(track.id, frames, track.seen.boxes, track.nl, track.nl_other_views)


def _write(path: Path, value: Any) -> None:  # noqa: ANN401
    write_whole(path, (json.dumps(value, indent=1, sort_keys=True) + "\n").encode())

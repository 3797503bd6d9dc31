"""What is filmed where: scenes, their recordings and cameras, and the tracks that make up a city."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.errors import InputError
from nlvr.engine.geometry import spread

from .annotators import describe
from .cameras import draw_light, place_cameras
from .layout import build_layout
from .processes import fresh_processes
from .tracker import follow
from .traffic import simulate
from .vehicles import outline
from .world import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .tracker import SeenTrack
    from .world import Camera, LayoutKind

KINDS: tuple[LayoutKind, ...] = ("intersection", "highway", "intersection", "car park")  # in turn, scene after scene
TEST_SHARE = 3  # one scene in so many is a test scene, the last ones
CAMERAS, TICKS = 3, 1800  # of a recording
CAMERA_TRACKS = 40  # at most, of one camera
CROWD = 10  # most tracks in a frame
PARKED, PARKED_TICKS = 1, 200  # most tracks of vehicles that never move at one camera, and frames of one
PER_MINUTE = {"intersection": 42.0, "highway": 60.0, "car park": 18.0}
NAMESPACE = uuid.UUID("6f2f0a52-5d0c-5b7e-9a55-7a4d8c1be9d3")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a city is built from; equal settings give equal bytes.

    scenes, tracks: how many.  resolution: of every camera, by default drawn for each.
    longest: most frames of a track, which are then spread evenly over it; None for all of them.
    noisy: whether annotators err and differ.
    """

    scenes: int
    tracks: int
    seed: int
    resolution: tuple[int, int] | None = None
    longest: int | None = None
    noisy: bool = True

    def __post_init__(self) -> None:
        """Raise InputError for settings that make no city."""
        for option, value, least in (
            ("--scenes", self.scenes, 2),
            ("--tracks", self.tracks, self.scenes),
            ("--seed", self.seed, 0),
            ("--max-frames-per-track", self.longest, 1),
        ):
            if value is not None and value < least:
                raise InputError(option, f"is {value}", f"give {least} or more")


@dataclass(frozen=True, slots=True, eq=False)
class CityTrack:
    """A track with its id, the scene it is of, its descriptions and those of its vehicle's other views."""

    id: str
    seen: SeenTrack
    nl: tuple[str, ...]
    nl_other_views: tuple[str, ...]

    def shortened(self, longest: int | None) -> CityTrack:
        """Return the track with at most so many frames, spread evenly."""
        if longest is None or len(self.seen.ticks) <= longest:
            return self
        return self._of(spread(len(self.seen.ticks), longest))

    def cut(self, longest: int) -> CityTrack:
        """Return the track's first frames, so many at most."""
        return self._of(np.arange(min(longest, len(self.seen.ticks))))

    def _of(self, rows: np.ndarray) -> CityTrack:
        return replace(self, seen=replace(self.seen, ticks=self.seen.ticks[rows], boxes=self.seen.boxes[rows]))


@dataclass(frozen=True, slots=True, eq=False)
class CameraPlan:
    """One camera's share of a city.  folder: below the city's, e.g. `train/S01/c001`."""

    folder: str
    recording: Recording
    camera: Camera
    tracks: tuple[CityTrack, ...]

    @property
    def is_test(self) -> bool:
        """Whether it belongs to the test set."""
        return self.folder.startswith("test/")

    @property
    def ticks(self) -> list[int]:
        """The ticks that any of its tracks shows, rising."""
        return sorted({int(tick) for track in self.tracks for tick in track.seen.ticks})

    def frame(self, tick: int) -> str:
        """Return the reference of a tick's frame."""
        return f"{self.folder}/img1/{tick + 1:06d}.jpg"


def plan_city(settings: Settings, *, workers: int = 1, progress: Callable[[str, int, int], None]) -> list[CameraPlan]:
    """Return the cameras of a city, scene after scene, with exactly the wanted number of tracks between them.

    workers: processes that plan scenes at once; what is planned does not depend on it.
    """
    edges = np.linspace(0, settings.tracks, settings.scenes + 1).round().astype(int)
    wanted = np.diff(edges).tolist()
    plans: list[CameraPlan] = []
    workers = min(workers, settings.scenes)
    with nullcontext() if workers == 1 else fresh_processes(workers) as pool:
        each = pool.map if pool else map
        planned = each(plan_scene, [settings] * settings.scenes, range(settings.scenes), wanted)
        for scene, own in enumerate(planned):
            plans += own
            progress("plan", scene + 1, settings.scenes)
    return plans


def plan_scene(settings: Settings, scene: int, wanted: int) -> list[CameraPlan]:
    """Return the cameras of one scene, with exactly so many tracks between them."""
    plans: list[CameraPlan] = []
    left = wanted
    for plan in _cameras(settings, scene):
        chosen = _choose(plan.tracks, min(left, CAMERA_TRACKS))
        if chosen:
            plans.append(replace(plan, tracks=tuple(track.shortened(settings.longest) for track in chosen)))
        left -= len(chosen)
        if not left:
            break
    return plans


def _choose(tracks: Sequence[CityTrack], most: int) -> list[CityTrack]:
    """Return the first tracks of a camera, as many as its frames may hold at once, and few that never move."""
    chosen: list[CityTrack] = []
    crowd: Counter[int] = Counter()
    still = 0
    for whole in tracks:
        parked = whole.seen.story.speed <= 0
        track = whole.cut(PARKED_TICKS) if parked else whole
        ticks = track.seen.ticks.tolist()
        if len(chosen) < most and not (parked and still == PARKED) and max(crowd[tick] for tick in ticks) < CROWD:
            chosen.append(track)
            crowd.update(ticks)
            still += parked
    return chosen


def _cameras(settings: Settings, scene: int) -> Iterator[CameraPlan]:
    """Yield cameras of a scene with all the tracks they see, recording after recording, without end.

    Scenes number their cameras in turn, so that no name stands for two and none depends on another scene.
    """
    tests = max(1, settings.scenes // TEST_SHARE)
    split = "test" if scene >= settings.scenes - tests else "train"
    for session in itertools.count():
        numbers = [scene + 1 + settings.scenes * (session * CAMERAS + place) for place in range(CAMERAS)]
        recording = make_recording(settings, scene, session=session, numbers=numbers)
        outlines = {motion.vehicle.number: outline(motion.vehicle) for motion in recording.motions}
        seen = [
            follow(recording, camera, outlines, seed=_seed(settings, scene, session, place))
            for place, camera in enumerate(recording.cameras)
        ]
        yield from _described(settings, recording, seen, split)


def make_recording(
    settings: Settings, scene: int, *, session: int, numbers: Sequence[int], ticks: int = TICKS
) -> Recording:
    """Return one recording of a scene.  numbers: of its cameras."""
    kind = KINDS[scene % len(KINDS)]
    seed = _seed(settings, scene, session)
    layout = build_layout(kind, _seed(settings, scene))
    motions, walkers = simulate(layout, seed=seed, ticks=ticks, vehicles_per_minute=PER_MINUTE[kind])
    return Recording(
        scene=f"S{scene + 1:02d}",
        layout=layout,
        motions=motions,
        walkers=walkers,
        light=draw_light(seed),
        cameras=place_cameras(layout, numbers, seed=seed, resolution=settings.resolution),
        length=ticks,
        seed=seed,
    )


def _described(
    settings: Settings, recording: Recording, seen: Sequence[Sequence[SeenTrack]], split: str
) -> Iterator[CameraPlan]:
    """Give the tracks of a recording's cameras their ids and sentences."""
    told: list[list[tuple[str, tuple[str, ...]]]] = []
    for camera, tracks in zip(recording.cameras, seen, strict=True):
        own = []
        for track in tracks:
            name = f"{settings.seed}/{recording.scene}/{camera.name}/{track.motion.vehicle.number}/{track.ticks[0]}"
            key = uuid.uuid5(NAMESPACE, name)
            own.append((str(key), describe(track.story, seed=key.int % 2**32, noisy=settings.noisy)))
        told.append(own)
    for place, (camera, tracks) in enumerate(zip(recording.cameras, seen, strict=True)):
        described = []
        for track, (key, sentences) in zip(tracks, told[place], strict=True):
            elsewhere = [
                sentence
                for other, (others, words) in enumerate(zip(seen, told, strict=True))
                if other != place
                for one, (_, said) in zip(others, words, strict=True)
                if one.motion.vehicle.number == track.motion.vehicle.number
                for sentence in said
            ]
            described.append(CityTrack(key, track, sentences, tuple(elsewhere)))
        yield CameraPlan(f"{split}/{recording.scene}/{camera.name}", recording, camera, tuple(described))


def _seed(settings: Settings, *places: int) -> int:
    """Return the seed of one part of a city."""
    return int(np.random.SeedSequence((settings.seed, len(places), *places)).generate_state(1)[0])

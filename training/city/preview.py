"""Contact sheets: what the vehicles, colours, lights and cameras of a city look like, to be looked at beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from nlvr.engine.errors import unwritable
from nlvr.engine.language import COLOURS, TYPES
from nlvr.engine.output import Staging

from .moments import moment
from .plan import KINDS, make_recording
from .render import Renderer, vehicle_crop
from .world import Light, Vehicle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .plan import Settings

SIDE, COLUMNS, FRAME = 150, 6, (640, 360)
WHITE, LINE = 245, 22
LIGHTS = (
    Light("noon", 0.8, 0.9, 0.0),
    Light("overcast", 0.0, 0.9, 0.0),
    Light("dusk", 2.4, 0.2, 0.0),
    Light("night", 0.0, -0.4, 0.0),
    Light("overcast", 0.0, 0.9, 0.7),
)


def write_sheets(settings: Settings, output: Path) -> list[Path]:
    """Write `types.png`, `colours.png`, `lights.png` and `cameras.png` into a folder. Returns their paths.

    Raises OutputError.
    """
    sheets = {"types": _types(settings.seed), "colours": _colours(settings.seed), "lights": _lights(settings.seed)}
    sheets["cameras"] = _cameras(settings)
    paths = []
    try:
        with Staging() as staging:
            staging.make_folder(output)
            for name, rows in sheets.items():
                _, content = cv2.imencode(".png", _sheet(rows)[:, :, ::-1])
                staging.add(output / f"{name}.png", content.tobytes())
                paths.append(output / f"{name}.png")
            staging.commit()
    except OSError as error:
        raise unwritable(output, error) from error
    return paths


def crop(vehicle: Vehicle, light: Light, seed: int) -> np.ndarray:
    """Return a vehicle from a side and height that are drawn at random: uint8 [SIDE, SIDE, 3]."""
    generator = np.random.default_rng((seed, 5))
    return vehicle_crop(
        vehicle,
        light,
        size=(SIDE, SIDE),
        azimuth=generator.uniform(-np.pi, np.pi),
        pitch=generator.uniform(0.15, 0.7),
        distance=generator.uniform(18, 45),
        seed=seed,
    )


def _types(seed: int) -> Iterator[tuple[str, Sequence[np.ndarray]]]:
    for row, kind in enumerate(TYPES):
        looks = [seed * 1000 + row * COLUMNS + column for column in range(COLUMNS)]
        colours = [COLOURS[look % len(COLOURS)] for look in looks]
        pairs = zip(looks, colours, strict=True)
        yield kind, [crop(Vehicle(0, kind, colour, look), LIGHTS[look % 2], look) for look, colour in pairs]


def _colours(seed: int) -> Iterator[tuple[str, Sequence[np.ndarray]]]:
    for row, colour in enumerate(COLOURS):
        looks = [seed * 1000 + 500 + row * COLUMNS + column for column in range(COLUMNS)]
        yield (
            colour,
            [crop(Vehicle(0, TYPES[look % len(TYPES)], colour, look), LIGHTS[look % 3], look) for look in looks],
        )


def _lights(seed: int) -> Iterator[tuple[str, Sequence[np.ndarray]]]:
    for light in LIGHTS:
        looks = [seed * 1000 + 900 + column for column in range(COLUMNS)]
        name = f"{light.kind}, rain" if light.rain else light.kind
        yield (
            name,
            [
                crop(Vehicle(0, TYPES[look % len(TYPES)], COLOURS[look % len(COLOURS)], look), light, look)
                for look in looks
            ],
        )


def _cameras(settings: Settings) -> Iterator[tuple[str, Sequence[np.ndarray]]]:
    """Yield two cameras of a recording of each kind of place, half a minute after its start."""
    for scene, kind in enumerate(dict.fromkeys(KINDS)):
        recording = make_recording(settings, KINDS.index(kind), session=scene, numbers=(1, 2), ticks=300)
        frames = []
        for camera in recording.cameras:
            renderer = Renderer(recording, camera)
            try:
                frames.append(cv2.resize(renderer.draw(moment(recording, 299)), FRAME, interpolation=cv2.INTER_AREA))
            finally:
                renderer.close()
        yield f"{kind}, {recording.light.kind}", frames


def _sheet(rows: Iterator[tuple[str, Sequence[np.ndarray]]]) -> np.ndarray:
    """Return rows of pictures, each under its name: uint8 [H, W, 3] RGB."""
    lines = []
    for name, pictures in rows:
        strip = np.concatenate(pictures, axis=1)
        label = np.full((LINE, strip.shape[1], 3), WHITE, np.uint8)
        cv2.putText(label, name, (6, LINE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
        lines += [label, strip]
    return np.concatenate(lines)

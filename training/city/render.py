"""Frames of the city: what each camera of a recording sees at a tick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from . import effects
from .cast import Cast
from .plate import make_plate
from .raster import Raster
from .scenery import lamp_heads
from .shading import Film, make_sky
from .world import Building, Camera, Lane, Layout, Prop, Recording, Surface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cast import Scene
    from .world import Light, Vehicle

_TILE = 64  # pixels; what moves is laid over the plate tile by tile
_BRIGHT = 140  # grey levels of red; lamps that shine, and are seen, are brighter
_BLUR = 1.6  # pixels; what moves less while the shutter is open stays sharp


@dataclass(frozen=True, slots=True)
class Moment:
    """Who is where at a tick.

    vehicles: vehicle, x, y, heading, whether it brakes, its indicator (−1 right, 0 none, 1 left), its speed in m/s.
    walkers: look, x, y, heading, and phase of its steps in seconds.
    """

    tick: int
    vehicles: Sequence[tuple[Vehicle, float, float, float, bool, int, float]] = ()
    walkers: Sequence[tuple[int, float, float, float, float]] = ()


class Renderer:
    """One camera of a recording. The place is drawn once; `draw` adds what moves. Close it when done."""

    def __init__(self, recording: Recording, camera: Camera) -> None:
        """Draw the empty place."""
        self._camera, self._light = camera, recording.light
        self._sky = make_sky(recording.light, recording.seed)
        film = Film(self._sky, recording.seed, camera.name, lamp_heads(recording.layout))
        self._raster = Raster(camera, 2)
        self._plate = make_plate(
            camera,
            recording.layout,
            self._sky,
            film,
            rain=recording.light.rain,
            seed=recording.seed,
            raster=self._raster,
        )
        self._raster.hide_behind(*self._plate.hiding)
        self._pool = None
        if self._plate.wet is not None:  # what is mirrored is blurred anyway: half as fine will do
            half = replace(camera, width=camera.width // 2, height=camera.height // 2, focal=camera.focal / 2)
            self._pool = Raster(half)
            self._pool.hide_behind(*self._plate.hiding)
        self._cast = Cast(camera, self._sky, film, self._plate)
        self._sensor = effects.Sensor(recording, camera, night=self._sky.night)
        self._layer = np.zeros((camera.height, camera.width, 4), np.uint8)

    def draw(self, moment: Moment) -> np.ndarray:
        """Return the frame of a moment, uint8 [H, W, 3], R, G, B."""
        image = self._plate.image.copy()
        scene = self._cast.play(moment)
        if scene.shadow is not None:
            effects.darken(image, self._plate.shade, scene.shadow)
        if scene.beam is not None and self._plate.beam is not None:
            effects.lighten(image, self._plate.beam, scene.beam)
        if len(scene.triangles):
            if self._pool is not None:
                self._mirror(image, scene)
            drawn = self._raster.draw(
                scene.vertices, scene.pixels, scene.triangles, starts=scene.starts, two_sided=True
            )
            self._lay(image, drawn, scene.boxes, scene.ways)
            for place, radius, colour in scene.halos:
                if _shows(drawn, place):
                    effects.halo(image, place, radius, colour)
        return self._sensor.expose(image, moment.tick)

    def close(self) -> None:
        """Give the renderer's buffers back."""
        self._raster.close()
        if self._pool is not None:
            self._pool.close()

    def _mirror(self, image: np.ndarray, scene: Scene) -> None:
        """Mirror what moves in the wet ground."""
        vertices = scene.vertices * np.array([1, 1, -1], np.float32)
        drawn = self._pool.draw(vertices, scene.pixels, scene.triangles, starts=scene.starts, two_sided=True)
        effects.reflect(image, drawn, self._plate.wet)

    def _lay(self, image: np.ndarray, drawn: np.ndarray, boxes: np.ndarray, ways: np.ndarray) -> None:
        """Lay what was drawn, twice as fine, over an image, in tiles that boxes [N, 4] touch, blurred along ways."""
        runs = self._runs(boxes)
        for y0, y1, x0, x1 in runs:
            fine = drawn[2 * y0 : 2 * y1, 2 * x0 : 2 * x1]
            cv2.resize(fine, (x1 - x0, y1 - y0), dst=self._layer[y0:y1, x0:x1], interpolation=cv2.INTER_AREA)
        for (x0, y0, x1, y1), (dx, dy) in zip(boxes.tolist(), ways.tolist(), strict=True):
            if x1 > x0 and y1 > y0 and np.hypot(dx, dy) > _BLUR:
                self._layer[y0:y1, x0:x1] = effects.smear(self._layer[y0:y1, x0:x1], dx, dy)
        for y0, y1, x0, x1 in runs:
            layer = self._layer[y0:y1, x0:x1]
            if self._camera.blur > 0.35:
                layer = cv2.GaussianBlur(layer, (0, 0), self._camera.blur)
            effects.compose(image[y0:y1, x0:x1], layer)
            self._layer[y0:y1, x0:x1] = 0

    def _runs(self, boxes: np.ndarray) -> list[tuple[int, int, int, int]]:
        """Return disjoint rectangles, rows from and to and columns from and to, that cover boxes."""
        height, width = self._layer.shape[:2]
        tiles = np.zeros((-(-height // _TILE), -(-width // _TILE)), bool)
        for x0, y0, x1, y1 in (boxes // _TILE).tolist():
            tiles[y0 : y1 + 1, x0 : x1 + 1] = True
        runs = []
        for row, line in enumerate(tiles):
            edges = np.flatnonzero(np.diff(np.r_[False, line, False]))
            top, bottom = row * _TILE, min((row + 1) * _TILE, height)
            runs += [(top, bottom, int(a) * _TILE, min(int(b) * _TILE, width)) for a, b in edges.reshape(-1, 2)]
        return runs


def _shows(drawn: np.ndarray, place: tuple[float, float]) -> bool:
    """Tell whether a lamp at a place in the image is to be seen in what was drawn, twice as fine."""
    column, row = (round(2 * v) for v in place)
    around = drawn[max(row - 5, 0) : max(row + 6, 0), max(column - 5, 0) : max(column + 6, 0), 2]
    return bool(around.size and around.max() > _BRIGHT)


def vehicle_crop(
    vehicle: Vehicle,
    light: Light,
    *,
    size: tuple[int, int],
    azimuth: float,
    pitch: float,
    distance: float,
    seed: int,
) -> np.ndarray:
    """Return one vehicle on asphalt among surroundings, uint8 [H, W, 3], R, G, B, which fills most of the image.

    size: width and height.  azimuth: where the camera looks, seen from a vehicle that heads for 0 (π: its face).
    pitch: below the horizon.  distance: of the camera, metres.
    """
    rng = np.random.default_rng((seed, 71))
    back = np.array([np.cos(azimuth) * np.cos(pitch), np.sin(azimuth) * np.cos(pitch), -np.sin(pitch)]) * -distance
    length, width, height = vehicle.size
    across = abs(length * np.sin(azimuth)) + abs(width * np.cos(azimuth))
    up = height * np.cos(pitch) + (abs(length * np.cos(azimuth)) + abs(width * np.sin(azimuth))) * np.sin(pitch)
    nearest = distance - 0.35 * length
    focal = rng.uniform(0.74, 0.88) * min(size[0] / across, size[1] / up) * nearest
    camera = Camera(
        "crop",
        float(back[0]),
        float(back[1]),
        float(back[2] + height * 0.45),
        azimuth,
        pitch,
        float(focal),
        *size,
        blur=float(rng.uniform(0.3, 1.0)),
        noise=float(rng.uniform(1, 4)),
    )
    renderer = Renderer(Recording("S00", _roadside(rng, back[:2]), (), (), light, (camera,), 1, seed), camera)
    try:
        brakes, signal = bool(rng.random() < 0.3), int(rng.choice([-1, 0, 0, 0, 1]))
        return renderer.draw(Moment(0, [(vehicle, 0.0, 0.0, 0.0, brakes, signal, 0.0)]))
    finally:
        renderer.close()


def _roadside(rng: np.random.Generator, eye: np.ndarray) -> Layout:
    """Return a bit of road along x with things beside it, none of them before an eye, [2], that sees the middle."""

    def strip(y0: float, y1: float, material: str, level: int, xs: tuple[float, float] = (-120.0, 120.0)) -> Surface:
        x0, x1 = xs
        return Surface(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]), material, level)

    edge = rng.uniform(2.2, 6.0)
    surfaces = [
        strip(-120, 120, str(rng.choice(["grass", "earth", "concrete"])), 0),
        strip(-edge - 3, edge + 3, "concrete", 2),
    ]
    surfaces += [strip(-edge - 0.2, edge + 0.2, "kerb", 3), strip(-edge, edge, "asphalt", 4)]
    paint = str(rng.choice(["paint-white", "paint-white", "paint-yellow"]))
    for side in (-1.75, 1.75):
        surfaces += [
            strip(side - 0.06, side + 0.06, paint, 7, (x, x + 3.0)) for x in np.arange(-60, 60, 9.0) + rng.uniform(0, 9)
        ]
    line = np.column_stack([np.arange(-100.0, 101.0), np.zeros(201)])
    kinds = ("tree", "bush", "lamp", "pole", "sign")
    props = []
    for side in rng.choice([-1, 1], int(rng.integers(3, 14))):
        kind, x = kinds[int(rng.choice(5, p=[0.5, 0.2, 0.1, 0.1, 0.1]))], rng.uniform(-30, 30)
        y = side * (edge + rng.uniform(4.5, 18))
        tall = {"tree": rng.uniform(4, 10), "bush": rng.uniform(0.6, 1.6)}.get(kind, rng.uniform(4, 9))
        if np.hypot(x, y) > 6 and (x, y) @ eye < 0:
            props.append(Prop(kind, x, y, rng.uniform(-np.pi, np.pi), tall, int(rng.integers(2**31))))
    houses = [
        Building(x, side * rng.uniform(26, 40), 20.0, 14.0, 0.0, rng.uniform(4, 15), int(rng.integers(2**31)))
        for side in (-1, 1)
        for x in (-24.0, 24.0)
        if rng.random() < 0.6 and np.array([x, side * 30]) @ eye < 0
    ]
    lane = Lane(line, 3.5, 14.0, "through")
    return Layout("highway", (lane,), tuple(surfaces), tuple(houses), tuple(props), np.zeros((0, 3)), (), np.zeros(2))

"""Where cameras hang and what light there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .roads import inside, rectangle
from .surroundings import paved
from .world import RESOLUTIONS, SIZES, Camera, Light

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .world import Layout

# Of each kind: how wide a car is where a camera looks, in pixels of an image 1920 wide; the least and most that one
# looks down, degrees; the least median width of all cars; how far from the middle of the place one looks, metres.
# Vehicles are fast on a highway: they are seen from further off, or else they are seen for a second only.
_VIEWS = {
    "intersection": (290.0, (20, 52), 120, 32.0),
    "highway": (260.0, (14, 36), 100, 90.0),
    "car park": (290.0, (22, 55), 120, 30.0),
}
_SPREAD = 0.38  # of the logarithm of those widths
_CAR = 3.6  # metres that a car is wide as it is seen, on average over where it heads
_SHARES = (0.55, 0.15, 0.15, 0.15)  # how often each of `RESOLUTIONS` is taken
_TRIES, _FEW = 400, 6
_STEP = 5.0  # metres between the cars that stand in for traffic when a view is judged


def place_cameras(
    layout: Layout, numbers: Sequence[int], *, seed: int, resolution: tuple[int, int] | None = None
) -> tuple[Camera, ...]:
    """Return cameras beside the roads of a layout, one for each number, with vehicles in view.

    resolution: width and height of all of them, by default drawn for each.
    """
    rng = np.random.default_rng((seed, 21))
    scout = _Scout(layout)
    cameras: list[Camera] = []
    for number in numbers:
        size = resolution or RESOLUTIONS[int(rng.choice(len(RESOLUTIONS), p=_SHARES))]
        cameras.append(scout.place(f"c{number:03d}", size, cameras, rng))
    return tuple(cameras)


def draw_light(seed: int) -> Light:
    """Return the light and weather of a recording: noon most, night least, rain now and then unless the sun shines."""
    rng = np.random.default_rng((seed, 22))
    kind = str(rng.choice(["noon", "overcast", "dusk", "night"], p=[0.45, 0.25, 0.18, 0.12]))
    elevation = {"noon": rng.uniform(38, 68), "dusk": rng.uniform(5, 14)}.get(kind, rng.uniform(25, 60))
    rain = float(rng.uniform(0.25, 1.0)) if kind != "noon" and rng.random() < 0.15 else 0.0
    return Light(kind, float(rng.uniform(-np.pi, np.pi)), float(np.radians(elevation)), rain)


class _Scout:
    """A layout as one sees it who looks for places to hang cameras."""

    def __init__(self, layout: Layout) -> None:
        self.outlines = paved(layout.surfaces)
        self.asphalt = [s.outline for s in layout.surfaces if s.material == "asphalt"]
        self.feet = [rectangle(b.x, b.y, b.length, b.width, b.heading) for b in layout.buildings]
        self.trees = np.array([[p.x, p.y] for p in layout.props if p.kind == "tree"]).reshape(-1, 2)
        fastest = max(lane.limit for lane in layout.lanes)
        lanes = [lane for lane in layout.lanes if layout.kind != "highway" or lane.limit == fastest]  # ramps are empty
        lines = [lane.line[:: round(_STEP)] for lane in lanes]
        ahead = [np.gradient(lane.line, axis=0)[:: round(_STEP)] for lane in lanes]
        self.points = np.concatenate(lines)
        self.headings = np.concatenate([np.arctan2(a[:, 1], a[:, 0]) for a in ahead])
        # Where most is to be seen: around the middle of a junction or a car park, all along a highway.
        self.wanted, self.down, self.least, spread = _VIEWS[layout.kind]
        away = np.hypot(*(self.points - layout.centre).T)
        self.liking = np.exp(-((away / spread) ** 2) / 2) + 1e-4
        self.liking /= self.liking.sum()

    def place(self, name: str, size: tuple[int, int], others: list[Camera], rng: np.random.Generator) -> Camera:
        """Return a camera that sees well: the first drawn that does, or else the best of all drawn."""
        best, most = None, -np.inf
        for _ in range(_TRIES):
            camera = self._draw(name, size, rng)
            if camera is None or any(np.hypot(camera.x - o.x, camera.y - o.y) < 8 for o in others):
                continue
            score = self._score(camera)
            if score > most:
                best, most = camera, score
            if score >= 1:
                break
        if best is None:
            return self._above(name, size, rng)
        return best

    def _draw(self, name: str, size: tuple[int, int], rng: np.random.Generator) -> Camera | None:
        """Return a camera on a pole beside a road that looks at a place on one, None where it cannot stand."""
        number = int(rng.choice(len(self.points), p=self.liking))
        target = self.points[number]
        view = np.radians(rng.uniform(44, 84))  # across
        focal = 0.5 * size[0] / np.tan(view / 2)
        wanted = self.wanted * np.exp(_SPREAD * rng.standard_normal()) * size[0] / 1920
        distance = float(np.clip(focal * _CAR / wanted, 11, 75))
        height = float(np.clip(distance * np.sin(np.radians(rng.uniform(*self.down))), 5, 14))
        ground = np.sqrt(max(distance**2 - height**2, 36.0))
        # Rather along a road than across it: vehicles that come and go are seen longer than those that pass.
        along = self.headings[number] + rng.choice([0.0, np.pi]) + rng.choice([-1, 1]) * np.radians(rng.uniform(0, 35))
        bearing = along if rng.random() < 0.85 else rng.uniform(-np.pi, np.pi)
        place = target - ground * np.array([np.cos(bearing), np.sin(bearing)])
        if inside(place[None], self.asphalt, 0.5)[0] or inside(place[None], self.feet, 1.0)[0]:
            return None
        if np.hypot(*(self.points - place).T).min() > 26:
            return None
        return Camera(
            name=name,
            x=float(place[0]),
            y=float(place[1]),
            z=float(height),
            azimuth=float(bearing + rng.normal(0, 0.08)),
            pitch=float(np.arctan2(height - 0.7, ground) + rng.normal(0.07, 0.04)),
            focal=float(focal),
            width=size[0],
            height=size[1],
            jpeg=int(rng.integers(70, 96)),
            blur=float(rng.uniform(0.3, 1.5)),
            noise=float(rng.uniform(1, 6)),
        )

    def _above(self, name: str, size: tuple[int, int], rng: np.random.Generator) -> Camera:
        """Return a camera over the place that is liked best, for want of any beside a road."""
        target = self.points[int(np.argmax(self.liking))]
        x, y = target - (20, 0)
        return Camera(name, float(x), float(y), 14.0, 0.0, 0.6, 0.7 * size[0], *size, jpeg=int(rng.integers(70, 96)))

    def _score(self, camera: Camera) -> float:
        """Return how good a view is, 1 or more for good: enough road, cars of the right size, nothing before them."""
        boxes, numbers = seen_boxes(camera, self.points, self.headings)
        if not len(boxes):
            return -1.0
        free = np.array([not self._is_hidden(camera, self.points[number]) for number in numbers])
        widths = (boxes[:, 2] - boxes[:, 0]) * 1920 / camera.width
        useful = free & (widths > 45) & (widths < 620)
        middle = np.median(widths[useful]) if useful.any() else 0.0
        score = min(np.count_nonzero(useful) / _FEW / 2, 1.0) - max(0.0, 0.9 - free.mean())
        if not self.least < middle < 330 or self._is_blinded(camera):
            score -= 0.5
        return float(score)

    def _is_hidden(self, camera: Camera, point: np.ndarray) -> bool:
        """Tell whether a building stands between a camera and a point."""
        line = np.array([camera.x, camera.y]) + np.linspace(0.02, 1, 24)[:, None] * (point - (camera.x, camera.y))
        return bool(inside(line, self.feet).any())

    def _is_blinded(self, camera: Camera) -> bool:
        """Tell whether a tree stands right before a camera."""
        away = self.trees - (camera.x, camera.y)
        ahead = np.array([np.cos(camera.azimuth), np.sin(camera.azimuth)])
        depth, side = away @ ahead, np.abs(away @ np.array([-ahead[1], ahead[0]]))
        reach = depth * 0.5 * camera.width / camera.focal
        return bool(((depth > -1) & (depth < 22) & (side < reach + 3)).any())


def seen_boxes(
    camera: Camera, points: np.ndarray, headings: np.ndarray, size: tuple[float, float, float] = SIZES["sedan"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes of cars that stand at points [N, 2], float64 [M, 4] as x0, y0, x1, y1, and which those are.

    Only of those whose middles are inside the image.
    """
    half = np.array(size) / 2
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (0, 2)])
    corners = signs * half
    cosine, sine = np.cos(headings)[:, None], np.sin(headings)[:, None]
    x = corners[:, 0] * cosine - corners[:, 1] * sine + points[:, :1]
    y = corners[:, 0] * sine + corners[:, 1] * cosine + points[:, 1:2]
    seen = camera.project(np.stack([x, y, np.broadcast_to(corners[:, 2], x.shape)], axis=-1))
    boxes = np.concatenate([seen[..., :2].min(axis=1), seen[..., :2].max(axis=1)], axis=1)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    there = (
        (seen[..., 2] > 1).all(axis=1) & (middle > 0).all(axis=1) & (middle < (camera.width, camera.height)).all(axis=1)
    )
    return boxes[there], np.flatnonzero(there)

"""The ground as a camera sees it: surfaces and their wear, worked out pixel by pixel on the plane z = 0."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .shading import linear

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .world import Camera, Layout

_TILE = 512
_NEAR = 0.3  # metres before the camera; what is nearer is cut off
_REACH = 700.0  # metres; ground further away is lost in haze

# Of each material: colours it may have, and how strongly it varies over 40 m, 6 m, 1.2 m and 0.25 m.
_MATERIALS: dict[str, tuple[tuple[tuple[float, float, float], ...], tuple[float, float, float, float]]] = {
    "asphalt": (
        ((0.36, 0.36, 0.365), (0.42, 0.42, 0.42), (0.47, 0.46, 0.45), (0.52, 0.51, 0.49), (0.32, 0.32, 0.33)),
        (0.10, 0.055, 0.05, 0.15),
    ),
    "concrete": (
        ((0.62, 0.60, 0.56), (0.56, 0.55, 0.53), (0.66, 0.64, 0.60), (0.54, 0.47, 0.44)),
        (0.08, 0.10, 0.06, 0.07),
    ),
    "grass": (
        ((0.36, 0.41, 0.24), (0.43, 0.45, 0.29), (0.32, 0.37, 0.22), (0.52, 0.49, 0.34)),
        (0.15, 0.16, 0.2, 0.32),
    ),
    "earth": (((0.50, 0.43, 0.34), (0.45, 0.38, 0.30), (0.58, 0.52, 0.42)), (0.15, 0.2, 0.15, 0.2)),
    "paint-white": (((0.86, 0.86, 0.84), (0.78, 0.78, 0.76)), (0.05, 0.06, 0.08, 0.06)),
    "paint-yellow": (((0.80, 0.62, 0.18), (0.74, 0.56, 0.20)), (0.05, 0.06, 0.08, 0.06)),
    "kerb": (((0.64, 0.63, 0.60), (0.56, 0.55, 0.53)), (0.05, 0.08, 0.1, 0.08)),
}
_PERIODS = (40.0, 6.0, 1.2, 0.25)  # metres; a tile of noise spans 12 of them


@lru_cache(maxsize=16)
def noise_tile(number: int, roughness: float = 1.2, size: int = _TILE) -> np.ndarray:
    """Return noise that repeats without a seam, float32 [size, size], of mean 0 and deviation 1.

    number: of its seed.  roughness: power by which frequencies fade beyond 12 cycles a tile.
    """
    rng = np.random.default_rng((number, 31))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size) * size, np.fft.fftfreq(size) * size))
    gain = np.where(frequency > 0, 1 / np.maximum(frequency / 12.0, 1.0) ** roughness, 0) * np.minimum(
        frequency / 6.0, 1
    )
    tile = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * gain).real
    tile.setflags(write=False)
    return ((tile - tile.mean()) / tile.std()).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Where each pixel's ray meets the ground.

    x, y, distance: float32 [H, W], metres.  sees: bool [H, W], whether it does within reach.
    rise: float32 [H, W], z of the ray's direction.  turn: float32 [H, W], the ray's angle on the ground.
    grain: float32 [H, W], metres of ground a pixel covers from near to far.
    """

    x: np.ndarray
    y: np.ndarray
    distance: np.ndarray
    sees: np.ndarray
    rise: np.ndarray
    turn: np.ndarray
    grain: np.ndarray


def look_down(camera: Camera) -> View:
    """Return where the rays of a camera's pixels meet the ground."""
    across = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal
    down = (np.arange(camera.height) + 0.5 - camera.height / 2) / camera.focal
    right, below, ahead = camera.axes
    ray = across[None, :, None] * right + down[:, None, None] * below + ahead
    ray /= np.linalg.norm(ray, axis=2, keepdims=True)
    far = camera.z / np.maximum(-ray[..., 2], 1e-6)
    sees = far < _REACH
    far = np.minimum(far, _REACH)
    return View(
        x=(camera.x + ray[..., 0] * far).astype(np.float32),
        y=(camera.y + ray[..., 1] * far).astype(np.float32),
        distance=far.astype(np.float32),
        sees=sees,
        rise=ray[..., 2].astype(np.float32),
        turn=np.arctan2(ray[..., 1], ray[..., 0]).astype(np.float32),
        grain=(far**2 / (camera.focal * camera.z)).astype(np.float32),
    )


def sample(view: View, tile: np.ndarray, period: float, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Return noise at each pixel's place on the ground, float32 [H, W]: 12 of its waves fill `period` × 12 metres."""
    scale = len(tile) / (12 * period)
    size = np.float32(len(tile))
    x, y = np.mod(view.x * scale + shift[0], size), np.mod(view.y * scale + shift[1], size)
    return cv2.remap(tile, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def variation(view: View, number: int) -> list[np.ndarray]:
    """Return noise of each of `_PERIODS`, float32 [H, W] each; it fades where pixels are coarser than it."""
    layers = []
    for k, period in enumerate(_PERIODS):
        fade = np.clip(1.3 - view.grain / (0.35 * period), 0, 1)
        layers.append(sample(view, noise_tile(number + k, 1.0), period, (37.0 * k, 11.0 * k)) * fade)
    return layers


def flat(camera: Camera, outline: np.ndarray) -> np.ndarray:
    """Return how a convex polygon on the ground, float [N, 2], is seen: float [M, 2], empty if behind the camera."""
    return seen_polygon(camera, np.column_stack([outline, np.zeros(len(outline))]))


def seen_polygon(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Return the outline in the image, float [M, 2], of a convex polygon, float [N, 3], cut off well outside of it."""
    place = (points - np.array([camera.x, camera.y, camera.z])) @ camera.axes.T
    reach = 3.0 * np.array([camera.width, camera.height]) / camera.focal / 2
    if (place[:, 2] < _NEAR).any() or (np.abs(place[:, :2]) > reach * place[:, 2:]).any():
        planes = [(0.0, 0.0, 1.0, -_NEAR)]
        planes += [(sign, 0.0, reach[0], 0.0) for sign in (-1.0, 1.0)] + [
            (0.0, sign, reach[1], 0.0) for sign in (-1.0, 1.0)
        ]
        for plane in planes:
            place = _cut(place, np.array(plane))
            if len(place) < 3:
                return np.zeros((0, 2))
    return place[:, :2] / place[:, 2:] * camera.focal + np.array([camera.width, camera.height]) / 2


def _cut(polygon: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """Return the part of a polygon, float [N, 3], on the side of a plane, a, b, c, d, where ax + by + cz + d ≥ 0."""
    side = polygon @ plane[:3] + plane[3]
    if (side >= 0).all():
        return polygon
    kept = []
    for k, (a, b) in enumerate(zip(polygon, np.roll(polygon, -1, axis=0), strict=True)):
        here, there = side[k], side[(k + 1) % len(side)]
        if here >= 0:
            kept.append(a)
        if (here >= 0) != (there >= 0):
            kept.append(a + (b - a) * here / (here - there))
    return np.array(kept).reshape(-1, 3)


def cover(camera: Camera, outlines: Iterable[np.ndarray], finer: int = 2) -> np.ndarray:
    """Return how much of each pixel is covered by convex polygons on the ground, float32 [H, W] in 0..1."""
    mask = np.zeros((camera.height * finer, camera.width * finer), np.uint8)
    for outline in outlines:
        place = flat(camera, outline)
        if len(place) < 3 or (place.max(axis=0) < 0).any() or (place.min(axis=0) > (camera.width, camera.height)).any():
            continue
        # fillConvexPoly takes a pixel's middle for its place
        cv2.fillConvexPoly(mask, np.round((place * finer - 0.5) * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return cv2.resize(mask, (camera.width, camera.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def albedo(camera: Camera, view: View, layout: Layout, seed: int) -> np.ndarray:
    """Return the colour of the ground, linear float32 [H, W, 3]: what lies on what, worn, stained and driven on."""
    rng = np.random.default_rng((seed, 32))
    noise = variation(view, int(rng.integers(8)))
    wear = rng.uniform(0.0, 0.75)
    chosen = {name: _shade(name, rng) for name in _MATERIALS}
    ground = _coat("earth", chosen, noise)
    for level, material in sorted({(s.level, str(s.material)) for s in layout.surfaces}):
        mask = cover(camera, [s.outline for s in layout.surfaces if (s.level, s.material) == (level, material)])
        if not mask.any():
            continue
        coat = _coat(material, chosen, noise)
        if material == "asphalt" and level > 1:
            coat = _drive(camera, view, layout, coat, noise=noise, rng=rng)
        if material == "concrete":
            coat *= _joints(view, rng)
        if material.startswith("paint"):
            mask = mask * np.clip(1 - wear * (0.35 + 0.45 * noise[2] + 0.35 * noise[1]), 0.15, 1)
        ground += (coat - ground) * mask[..., None]
    return ground


def _shade(material: str, rng: np.random.Generator) -> np.ndarray:
    colours = _MATERIALS[material][0]
    return np.clip(
        np.array(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.88, 1.12) + rng.normal(0, 0.01, 3), 0, 1
    )


def _coat(material: str, chosen: dict[str, np.ndarray], noise: list[np.ndarray]) -> np.ndarray:
    """Return a material all over the view, linear float32 [H, W, 3]."""
    strength = sum((s * layer for s, layer in zip(_MATERIALS[material][1], noise, strict=True)), np.float32(1.0))
    colour = linear(chosen[material]).astype(np.float32)
    coat = np.clip(strength, 0.25, 2.2)[..., None] * colour
    if material == "grass":  # dry and lush places
        coat *= 1 + 0.16 * noise[1][..., None] * np.array([1.0, 0.1, 0.2], np.float32)
    return coat


def _joints(view: View, rng: np.random.Generator) -> np.ndarray:
    """Return the darkness of joints between slabs, float32 [H, W, 1]."""
    step, turn = rng.uniform(1.2, 3.0), rng.uniform(0, np.pi / 2)
    u, v = view.x * np.cos(turn) + view.y * np.sin(turn), view.y * np.cos(turn) - view.x * np.sin(turn)
    near = np.minimum(np.abs(np.mod(u, step) - step / 2), np.abs(np.mod(v, step) - step / 2))
    line = np.clip(1 - near / np.maximum(0.015, 0.6 * view.grain), 0, 1) * np.clip(
        0.03 / np.maximum(view.grain, 0.01), 0, 1
    )
    return (1 - 0.35 * line)[..., None].astype(np.float32)


def _drive(
    camera: Camera, view: View, layout: Layout, coat: np.ndarray, *, noise: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return asphalt with wheel tracks, oil, cracks, seams and patches."""
    tracks = cover(camera, _bands(layout, (-0.85, 0.85), 0.32), 1)
    oil = cover(camera, _bands(layout, (0.0,), 0.35), 1)
    tracks, oil = (cv2.GaussianBlur(mask, (0, 0), 2.5) for mask in (tracks, oil))
    worn = rng.uniform(-0.06, 0.20)  # tracks are mostly darker, polished ones lighter
    factor = (
        1
        - worn * tracks * (0.8 + 0.3 * noise[1])
        - rng.uniform(0.03, 0.22) * oil * np.clip(0.6 + 0.5 * noise[2], 0, 1.5)
    )
    if rng.random() < 0.75:
        ridge = np.abs(sample(view, noise_tile(21, 2.2), rng.uniform(3.0, 9.0)))
        width = np.maximum(0.012, view.grain * 0.12)
        crack = np.clip(1 - ridge / width, 0, 1) * np.clip(0.05 / np.maximum(view.grain, 0.02), 0, 1)
        factor -= rng.uniform(0.15, 0.5) * crack * (noise[0] > rng.uniform(-0.8, 0.6))
    patches = cover(camera, _patches(layout, rng), 1)
    shade = rng.uniform(-0.3, -0.1) if rng.random() < 0.8 else 0.15
    factor *= 1 + shade * patches
    stains = np.clip(sample(view, noise_tile(23, 1.6), rng.uniform(1.5, 4.0)) - 1.9, 0, 1)
    factor *= 1 - 0.5 * stains
    specks = sample(view, noise_tile(25, 0.1), 0.11) * np.clip(1.2 - view.grain / 0.06, 0, 1)
    factor += 1.6 * (specks > 4.1)
    return coat * np.clip(factor, 0.3, 3)[..., None]


def _bands(layout: Layout, offsets: tuple[float, ...], width: float) -> list[np.ndarray]:
    """Return strips along the lanes, at offsets from their middles, as convex pieces."""
    strips = []
    for lane in layout.lanes:
        line = lane.line[:: max(1, min(3, len(lane.line) // 4))]
        ahead = np.gradient(line, axis=0)
        left = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / np.maximum(np.linalg.norm(ahead, axis=1), 1e-9)[:, None]
        for offset in offsets:
            low, high = line + left * (offset - width), line + left * (offset + width)
            strips += [np.array([low[k], low[k + 1], high[k + 1], high[k]]) for k in range(len(line) - 1)]
    return strips


def _patches(layout: Layout, rng: np.random.Generator) -> list[np.ndarray]:
    """Return repaired places on the lanes, rectangles along them."""
    places = []
    for _ in range(int(rng.integers(0, 26))):
        lane = layout.lanes[int(rng.integers(len(layout.lanes)))]
        k = int(rng.integers(len(lane.line) - 1))
        ahead = lane.line[k + 1] - lane.line[k]
        ahead /= max(np.linalg.norm(ahead), 1e-9)
        left = np.array([-ahead[1], ahead[0]])
        long, wide = rng.uniform(0.4, 6.0), rng.uniform(0.25, 1.3)
        middle = lane.line[k] + left * rng.uniform(-1.2, 1.2)
        places.append(
            np.array([middle + ahead * a * long + left * b * wide for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
        )
    return places

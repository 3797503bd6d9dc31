"""What comes between the place and its image: shadows and beams on the ground, blur, glow, rain, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .ground import seen_polygon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .world import Camera, Recording

_FAR_OUT = 15_000  # pixels; OpenCV cannot fill beyond twice as many
_SHARPENED, _CODED = 0.4, 0.3  # shares of cameras that sharpen, and whose images were coded by a worse codec before
_MARGIN = 256  # by which the sheets of noise are larger than an image, so that they can be shifted


def fill(mask: np.ndarray, camera: Camera, polygons: np.ndarray, values: Sequence[int]) -> None:
    """Fill convex polygons in space, float [P, N, 3], each with its value, in a mask of half the camera's size."""
    place = camera.project(polygons)
    whole = bool((place[..., 2] > 0.5).all() and (np.abs(place[..., :2]) < _FAR_OUT).all())
    for polygon, seen, value in zip(polygons, place, values, strict=True):
        spots = seen[:, :2] if whole else seen_polygon(camera, polygon)
        if len(spots) < 3 or (spots.max(axis=0) < 0).any() or (spots.min(axis=0) > (camera.width, camera.height)).any():
            continue
        cv2.fillConvexPoly(mask, np.round(spots * 8 - 8).astype(np.int32), value, cv2.LINE_AA, 4)


def soften(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Return a mask blurred; cheaply, since masks are blurred in every frame."""
    size = 2 * round(sigma) + 1
    return cv2.blur(cv2.blur(mask, (size, size)), (size, size))


def darken(image: np.ndarray, shade: np.ndarray, mask: np.ndarray) -> None:
    """Take a shade, uint8 [H, W, 3], away from an image where a mask of half its size says so, in place."""
    _apply(image, shade, mask, cv2.subtract)


def lighten(image: np.ndarray, beam: np.ndarray, mask: np.ndarray) -> None:
    """Add a beam, uint8 [H, W, 3], to an image where a mask of half its size says so, in place."""
    _apply(image, beam, mask, cv2.add)


def _apply(image: np.ndarray, change: np.ndarray, mask: np.ndarray, combine: object) -> None:
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return
    columns = np.flatnonzero(mask.any(axis=0))
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    whole = (slice(2 * y0, 2 * y1), slice(2 * x0, 2 * x1))
    weight = cv2.resize(mask[y0:y1, x0:x1], None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    part = cv2.multiply(change[whole], cv2.merge([weight] * 3), scale=1 / 255)
    image[whole] = combine(image[whole], part)


def compose(image: np.ndarray, layer: np.ndarray) -> None:
    """Lay a layer, uint8 [h, w, 4], premultiplied B, G, R and alpha, over an image, R, G, B, in place."""
    blue, green, red, alpha = cv2.split(layer)
    clear = cv2.bitwise_not(alpha)
    kept = cv2.multiply(image, cv2.merge([clear, clear, clear]), scale=1 / 255)
    image[...] = cv2.add(kept, cv2.merge([red, green, blue]))


def smear(layer: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """Return a layer blurred along the way, in pixels, that it moves while the shutter is open."""
    reach = int(np.ceil(max(abs(dx), abs(dy)) / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    a, b = (reach - dx / 2, reach - dy / 2), (reach + dx / 2, reach + dy / 2)
    ends = [tuple(round(v * 16) for v in end) for end in (a, b)]
    cv2.line(kernel, *ends, 1.0, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(layer, -1, kernel / kernel.sum())


def reflect(image: np.ndarray, below: np.ndarray, wet: np.ndarray) -> None:
    """Lay what is mirrored, uint8 [H/2, W/2, 4], over an image, in place, where ground is wet, float32 [H/2, W/2]."""
    rows = np.flatnonzero(below[..., 3].any(axis=1))
    if not len(rows):
        return
    y0, y1 = max(int(rows[0]) - 12, 0), min(int(rows[-1]) + 13, len(below))
    part = cv2.blur(below[y0:y1], (3, 23))  # a wet road draws what it mirrors out downward
    part = (part * (0.9 * wet[y0:y1, :, None])).astype(np.uint8)
    part = cv2.resize(part, (image.shape[1], 2 * (y1 - y0)), interpolation=cv2.INTER_LINEAR)
    compose(image[2 * y0 : 2 * y1], part)


def halo(image: np.ndarray, place: tuple[float, float], radius: float, colour: np.ndarray) -> None:
    """Add the glow of a lamp, colour float [3] in grey levels, to an image in place."""
    size = max(3, int(radius))
    x0, y0 = round(place[0]) - size, round(place[1]) - size
    a, b = max(x0, 0), max(y0, 0)
    c, d = min(x0 + 2 * size, image.shape[1]), min(y0 + 2 * size, image.shape[0])
    if c <= a or d <= b:
        return
    sprite = cv2.resize(_SPRITE, (2 * size, 2 * size), interpolation=cv2.INTER_LINEAR)[b - y0 : d - y0, a - x0 : c - x0]
    glow = np.clip(sprite[..., None] * colour.astype(np.float32), 0, 255).astype(np.uint8)
    image[b:d, a:c] = cv2.add(image[b:d, a:c], glow)


def _sprite() -> np.ndarray:
    far = np.hypot(*np.meshgrid(np.linspace(-1, 1, 65), np.linspace(-1, 1, 65)))
    return ((np.exp(-((far * 5) ** 2)) + 0.25 * np.exp(-far * 3.5)) * np.clip(1.3 - 1.3 * far, 0, 1)).astype(np.float32)


_SPRITE = _sprite()


class Sensor:
    """What rain, the sensor and the clock do to each frame of one camera; the same for the same tick."""

    def __init__(self, recording: Recording, camera: Camera, *, night: float) -> None:
        """Prepare sheets of noise and of rain."""
        self.seed, self.camera, self.rain = recording.seed, camera, recording.light.rain
        self.key = int.from_bytes(camera.name.encode(), "little") % (1 << 62)
        rng = np.random.default_rng((recording.seed, self.key, 51))
        strength = camera.noise * (1.8 if night else 1.0)
        self.lighter, self.darker = _noise(camera, strength, rng)
        self.streaks = _streaks(camera, self.rain, rng) if self.rain > 0 else None
        self.flicker = rng.uniform(0.0, 0.012)
        self.sharpen = float(rng.uniform(0.2, 0.7)) if rng.random() < _SHARPENED else 0.0
        self.codec = int(rng.integers(30, 75)) if rng.random() < _CODED else 0

    def expose(self, image: np.ndarray, tick: int) -> np.ndarray:
        """Return the finished frame, uint8 [H, W, 3]."""
        rng = np.random.default_rng((self.seed, self.key, tick, 52))
        height, width = image.shape[:2]
        if self.streaks is not None:
            y, x = rng.integers(0, _MARGIN, 2)
            drops = self.streaks[y : y + height, x : x + width]
            image = cv2.add(image, cv2.merge([drops] * 3))
        gain = 1 + self.flicker * rng.standard_normal()
        if abs(gain - 1) > 0.004:
            image = cv2.convertScaleAbs(image, alpha=gain)
        for sheet, combine in ((self.lighter, cv2.add), (self.darker, cv2.subtract)):
            y, x = rng.integers(0, _MARGIN, 2)
            image = combine(image, sheet[y : y + height, x : x + width])
        if self.sharpen:
            image = cv2.addWeighted(image, 1 + self.sharpen, cv2.GaussianBlur(image, (0, 0), 1.4), -self.sharpen, 0)
        if self.codec:
            _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self.codec])
            image = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        return image


def _noise(camera: Camera, strength: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return noise to add and to take away, uint8 [H + margin, W + margin, 3]: fine but for its colours."""
    size = (camera.height + _MARGIN, camera.width + _MARGIN)
    sheets = []
    for _ in range(2):
        grey = rng.standard_normal((*size, 1), np.float32)
        colour = rng.standard_normal((size[0] // 2, size[1] // 2, 3), np.float32)
        colour = cv2.resize(colour, size[::-1], interpolation=cv2.INTER_LINEAR)
        total = strength * (0.75 * grey + 0.55 * colour)
        sheets.append(np.clip(np.abs(total) * (total > 0) + 0.5, 0, 60).astype(np.uint8))
    return sheets[0], sheets[1]


def _streaks(camera: Camera, rain: float, rng: np.random.Generator) -> np.ndarray:
    """Return falling drops, uint8 [H + margin, W + margin]."""
    sheet = np.zeros((camera.height + _MARGIN, camera.width + _MARGIN), np.uint8)
    slant = rng.normal(0, 0.12)
    for _ in range(int(900 * rain * camera.width / 1920)):
        x, y, long = rng.uniform(0, sheet.shape[1]), rng.uniform(0, sheet.shape[0]), rng.uniform(10, 70)
        ends = (round(x), round(y)), (round(x + slant * long), round(y + long))
        cv2.line(sheet, *ends, int(rng.integers(10, 55)), 1 + int(rng.random() < 0.15), cv2.LINE_AA)
    return cv2.blur(sheet, (1, 5))

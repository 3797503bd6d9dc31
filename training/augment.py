"""What training does to pictures and sentences, so that what it learns carries over to other cameras and other light.

Rendered pictures differ from filmed ones in colours, sharpness, noise and compression more than in what they show; the
changes here are wide enough to cover both. Names of colours still hold after them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import cv2
import numpy as np

_SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile(rf"\b({'|'.join(_SIDES)})\b", re.IGNORECASE)

# At strength 1: deviations of gains, of the logarithms of gamma and contrast, of brightness as a share of white.
_TEMPERATURE, _TINT, _GAMMA, _CONTRAST, _BRIGHTNESS = 0.07, 0.025, 0.25, 0.15, 0.05
_SATURATION = (0.55, 1.25)
_DULL, _COARSE, _BLURRED, _NOISY, _PACKED = 0.7, 0.6, 0.3, 0.6, 0.5  # how often each is done
_SMALLEST = 20  # pixels of a side of the coarsest picture
_WIDEST_BLUR, _MOST_NOISE = 1.6, 9.0  # sigmas, pixels and grey levels
_QUALITY = (25, 90)  # of JPEG


@dataclass(frozen=True, slots=True)
class Photo:
    """A change of a picture's light, colours and sharpness.

    gains: of red, green and blue.  gamma, contrast, saturation: 1 leaves them.  brightness: added, a share of white.
    side: pixels of the side that the picture is reduced to and enlarged from again.  blur, noise: sigmas, in pixels and
    grey levels.  quality: of JPEG, 0 for none.  seed: of the noise.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    saturation: float = 1.0
    side: int = 0
    blur: float = 0.0
    noise: float = 0.0
    quality: int = 0
    seed: int = 0

    @classmethod
    def draw(cls, strength: float, side: int, generator: np.random.Generator) -> Photo:
        """Return a change at random.  strength: 0 for none, 1 for the usual.  side: of the picture, pixels."""
        happens = generator.random(5) < np.array([_DULL, _COARSE, _BLURRED, _NOISY, _PACKED]) * strength
        warmth, tint, gamma, contrast, brightness = (generator.standard_normal(5) * strength).tolist()
        dull, coarse, blur, noise, quality = generator.random(5).tolist()
        return cls(
            gains=(1 + _TEMPERATURE * warmth, 1 + _TINT * tint, 1 - _TEMPERATURE * warmth),
            gamma=float(np.exp(_GAMMA * gamma)),
            contrast=float(np.exp(_CONTRAST * contrast)),
            brightness=_BRIGHTNESS * brightness,
            saturation=float(np.interp(dull, (0, 1), _SATURATION)) if happens[0] else 1.0,
            side=round(_SMALLEST * (side / _SMALLEST) ** coarse) if happens[1] else 0,
            blur=_WIDEST_BLUR * blur if happens[2] else 0.0,
            noise=_MOST_NOISE * noise if happens[3] else 0.0,
            quality=round(np.interp(quality, (0, 1), _QUALITY)) if happens[4] else 0,
            seed=int(generator.integers(2**32)),
        )

    @property
    def colours(self) -> Photo:
        """The change of light and colours alone."""
        return replace(self, side=0, blur=0.0, noise=0.0, quality=0)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return the changed picture. image: uint8 [S, S, 3] RGB, left as it is. Returns uint8 [S, S, 3]."""
        shown = (image / np.float32(255)) ** np.float32(self.gamma) * np.array(self.gains, np.float32)
        grey = shown @ np.array([0.299, 0.587, 0.114], np.float32)
        shown = grey[:, :, None] + self.saturation * (shown - grey[:, :, None])
        shown = (shown - 0.5) * self.contrast + 0.5 + self.brightness
        side = image.shape[0]
        if 0 < self.side < side:
            small = cv2.resize(shown, (self.side, self.side), interpolation=cv2.INTER_AREA)
            shown = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
        if self.blur > 0:
            shown = cv2.GaussianBlur(shown, (0, 0), max(self.blur, 0.1))
        if self.noise > 0:
            grains = np.random.default_rng(self.seed).standard_normal(shown.shape, np.float32)
            shown = shown + self.noise / 255 * grains
        changed = (np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)
        return _packed(changed, self.quality) if self.quality else changed


def _packed(image: np.ndarray, quality: int) -> np.ndarray:
    """Return a picture as JPEG keeps it."""
    _, content = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(content, cv2.IMREAD_COLOR)[:, :, ::-1])


def mirrored_boxes(boxes: np.ndarray, width: int) -> np.ndarray:
    """Return boxes as a mirrored image of that width shows them: float64 [N, 4], x, y, w, h in pixels."""
    mirrored = boxes.copy()
    mirrored[:, 0] = width - boxes[:, 0] - boxes[:, 2]
    return mirrored


def mirrored_sentence(sentence: str) -> str:
    """Return the sentence with the words left and right swapped, as a mirrored image needs."""
    return _SIDE.sub(lambda match: _other_side(match.group()), sentence)


def _other_side(word: str) -> str:
    other = _SIDES[word.lower()]
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def mixed_background(image: np.ndarray, other: np.ndarray, kept: np.ndarray, share: float) -> np.ndarray:
    """Return a picture into which another one was blended outside of some cells.

    image, other: uint8 [S, S, 3].  kept: bool [G, G], G a divisor of S.  share: of the other picture, 0 to 1.
    """
    side = image.shape[0] // kept.shape[0]
    weight = np.where(kept, 0, np.float32(share)).repeat(side, 0).repeat(side, 1)[:, :, None]
    return (image + weight * (other.astype(np.float32) - image) + 0.5).astype(np.uint8)

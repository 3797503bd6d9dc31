"""How things look in a light: sun, sky, lamps, reflections, haze, and the camera's response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .meshes import KINDS

if TYPE_CHECKING:
    from .world import Light

_K = {name: k for k, name in enumerate(KINDS)}
# Mirror reflection seen head-on, and how sharp a highlight is, of each kind of surface.
_MIRROR = np.array([0.04, 0.085, 0.01, 0.22, 0.03, 0.09, 0.07, 0.07, 0.07, 0.0])
_SHINE = np.array([1.0, 1.2, 0.02, 0.5, 0.10, 0.6, 0.6, 0.6, 0.6, 0.0])
_SKY_STEPS = 64
_TONES, _BRIGHTEST = 16384, 4.0  # steps of the table of tones, and the light that its last one stands for
_AT_ONCE = 2_000_000  # pairs of lamp and vertex, by what memory they take
_POOLS = 0.005  # light of a lamp at 1 m that ground gets, a place's lamps and ground on average
_BALANCED = (0.7, 1.0)  # share of the light's tint that cameras take away
_AIM = 1.0  # light, of ground and walls on average, that cameras aim at
_METERED, _OPENED = (0.65, 0.95), 4.0  # share of the way there that they go, and the most that they open
_LUMA = np.array([0.30, 0.59, 0.11], np.float32)


def linear(srgb: np.ndarray) -> np.ndarray:
    """Return the light that sRGB values in 0..1 stand for."""
    return np.asarray(srgb) ** 2.2


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """The light of one recording.

    to_sun: unit vector [3].  sun, zenith, horizon, ground: light of each, float [3], where 1 turns white paper white.
    exposure: of the camera.  haze: how much of the sky 100 m of air add.  shadows: whether the sun casts any.
    night: 0 by day, 1 at night: how brightly lamps shine.  dome: light from straight below to straight above, [64, 3].
    """

    to_sun: np.ndarray
    sun: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    ground: np.ndarray
    exposure: float
    haze: float
    shadows: bool
    night: float
    dome: np.ndarray

    def up(self) -> np.ndarray:
        """Return the light that the whole sky throws on level ground, float [3], without the sun."""
        return 0.55 * self.zenith + 0.45 * self.horizon

    def level(self, lamps: np.ndarray) -> np.ndarray:
        """Return the light that level ground gets on average, float [3]. lamps: float [N, 6]; they shine at night."""
        light = self.up() + self.sun * max(self.to_sun[2], 0.0)
        return light + _POOLS * lamps[:, 3:].mean(axis=0) if self.night and len(lamps) else light

    def walls(self) -> np.ndarray:
        """Return the light of sun and sky that walls get on average over their directions, float [3]."""
        return 0.5 * self.up() + self.sun * (np.hypot(*self.to_sun[:2]) / np.pi)

    def mirrored(self, rise: np.ndarray) -> np.ndarray:
        """Return what is seen, float32 [..., 3], in directions whose z is `rise`: ground, skyline, sky."""
        step = (rise + 1) * (_SKY_STEPS / 2)
        return self.dome[np.minimum(np.maximum(step, 0), _SKY_STEPS - 1).astype(np.intp)]


def _dome(zenith: np.ndarray, horizon: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Return the light from below to above, float32 [steps, 3]."""
    rise = (np.arange(_SKY_STEPS)[:, None] + 0.5) / (_SKY_STEPS / 2) - 1
    sky = horizon + (zenith - horizon) * np.clip(rise, 0, 1) ** 0.6
    skyline = 0.30 * horizon + 0.1 * ground  # houses and trees stand along the horizon
    edge = np.clip((rise - 0.06) / 0.16, 0, 1)
    table = np.where(rise > 0, skyline + (sky - skyline) * edge, ground + (skyline - ground) * (1 + rise) ** 6)
    return table.astype(np.float32)


def make_sky(light: Light, seed: int) -> Sky:
    """Return the light of a recording, a little different in each."""
    rng = np.random.default_rng((seed, 21))
    ce = np.cos(light.elevation)
    to_sun = np.array([np.cos(light.azimuth) * ce, np.sin(light.azimuth) * ce, np.sin(light.elevation)])
    wet = 1 - 0.35 * light.rain
    if light.kind == "noon":
        sun, zenith, horizon = np.array([1.75, 1.68, 1.52]), np.array([0.34, 0.44, 0.62]), np.array([0.66, 0.73, 0.82])
        exposure, haze = 0.92, rng.uniform(0.02, 0.10)
    elif light.kind == "dusk":
        sun, zenith, horizon = np.array([1.25, 0.95, 0.64]), np.array([0.26, 0.32, 0.46]), np.array([0.82, 0.66, 0.52])
        exposure, haze = 1.0, rng.uniform(0.03, 0.14)
    elif light.kind == "overcast":
        grey = np.array([0.985, 1.0, 1.02])
        sun, zenith, horizon = np.zeros(3), 1.20 * grey, 0.85 * grey
        exposure, haze = 0.95, rng.uniform(0.04, 0.18)
    else:
        glow = rng.uniform(0.6, 1.3)
        sun, zenith, horizon = np.zeros(3), glow * np.array([0.045, 0.045, 0.06]), glow * np.array([0.11, 0.085, 0.07])
        exposure, haze = 1.25, rng.uniform(0.01, 0.06)
    if light.rain > 0 and light.kind in {"noon", "dusk"}:
        sun = sun * (1 - 0.8 * min(1.0, light.rain * 2))
        zenith = zenith + (np.array([0.72, 0.75, 0.80]) * horizon.mean() - zenith) * min(1.0, light.rain * 2)
    ground = (0.5 * sun * max(to_sun[2], 0.0) + 0.55 * zenith + 0.45 * horizon) * 0.16
    zenith, horizon, exposure = zenith * wet, horizon * wet, exposure * float(np.exp(rng.normal(0, 0.10)))
    return Sky(
        to_sun=to_sun.astype(np.float32),
        sun=(sun * wet).astype(np.float32),
        zenith=zenith.astype(np.float32),
        horizon=horizon.astype(np.float32),
        ground=ground.astype(np.float32),
        exposure=exposure,
        haze=haze + 0.12 * light.rain,
        shadows=light.kind in {"noon", "dusk"} and light.rain < 0.4,
        night=float(light.kind == "night"),
        dome=_dome(zenith, horizon, ground),
    )


class Film:
    """How one camera turns light into pixels: exposure, white balance, contrast, saturation."""

    def __init__(self, sky: Sky, seed: int, camera: str, lamps: np.ndarray) -> None:
        """Draw the look of a camera. lamps: float [N, 6], places and light of the lamps of the place."""
        rng = np.random.default_rng((seed, int.from_bytes(camera.encode(), "little") % (1 << 62), 22))
        white = sky.level(lamps)
        gain = sky.exposure * np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.02, 3))
        metered = 0.5 * (white + sky.walls()) @ _LUMA * sky.exposure
        gain *= min((_AIM / metered) ** rng.uniform(*_METERED), _OPENED)
        self.gain = (gain * (white @ _LUMA / white) ** rng.uniform(*_BALANCED)).astype(np.float32)
        self.saturation = float(rng.uniform(0.86, 1.22))
        value = np.arange(_TONES) / (_TONES - 1) * _BRIGHTEST
        bent = value * (1 + value * 0.12) / (1 + value * rng.uniform(0.50, 0.66))  # twice white is not twice as bright
        grey = np.clip(bent * 1.26, 0, 1) ** (1 / rng.uniform(2.05, 2.4))
        contrast, lift = rng.uniform(0.0, 0.45), rng.uniform(0.0, 0.05) * (1 - 0.6 * sky.night)
        grey += contrast * (grey * grey * (3 - 2 * grey) - grey)
        tones = (lift + (1 - lift) * np.clip(grey, 0, 1)) * 255
        self.table = np.clip(tones + 0.5, 5, 249).astype(np.uint8)  # Panda3D overflows a little at the very ends

    def develop(self, light: np.ndarray) -> np.ndarray:
        """Return the pixels, uint8 [..., 3], of light, float [..., 3]."""
        value = light * self.gain
        grey = value @ _LUMA
        value = grey[..., None] + (value - grey[..., None]) * np.float32(self.saturation)
        step = value * np.float32((_TONES - 1) / _BRIGHTEST)
        return self.table[np.minimum(np.maximum(step, 0), _TONES - 1).astype(np.intp)]


def air(sky: Sky, colour: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return light, float [..., 3], after it has come through so many metres of hazy air."""
    share = np.asarray(1 - np.exp(-sky.haze * distance / 100.0), np.float32)[..., None]
    return colour + (np.float32(0.85) * sky.horizon - colour) * share


def shade(
    sky: Sky,
    vertices: np.ndarray,
    normals: np.ndarray,
    albedo: np.ndarray,
    *,
    eye: np.ndarray,
    mirror: np.ndarray,
    shine: np.ndarray,
    metallic: np.ndarray,
    to_sun: np.ndarray | None = None,
    sunlit: np.ndarray | float = 1.0,
    lamps: np.ndarray | None = None,
) -> np.ndarray:
    """Return the light, float32 [V, 3], that vertices throw at the eye.

    vertices, normals: float32 [V, 3].  albedo: linear, float32 [V, 3].  mirror, shine, metallic: float32 [V].
    to_sun: where the sun is, if not where the sky says.  sunlit: share of the sun that reaches each vertex.
    lamps: float [N, 6], places and light of lamps near by, at night.
    """
    to_sun = sky.to_sun if to_sun is None else to_sun
    see = eye.astype(np.float32) - vertices
    see /= np.sqrt(np.einsum("ij,ij->i", see, see))[:, None]
    away = np.maximum(np.einsum("ij,ij->i", normals, see), 0.0)
    bounce = normals * (2 * away)[:, None] - see
    below = sky.ground * np.float32(1.6)
    diffuse = below + (sky.up() - below) * (0.5 + 0.5 * normals[:, 2:3])
    edge = 1 - away
    edge2 = edge * edge
    fresnel = mirror + (1 - mirror) * (edge2 * edge2 * edge) * np.minimum(mirror * 10, np.float32(0.8))
    sheen = sky.mirrored(bounce[:, 2])
    if sky.sun.any():
        diffuse = diffuse + sky.sun * (np.maximum(normals @ to_sun, 0.0) * sunlit)[:, None]
        glint = np.maximum(bounce @ to_sun, 0.0)
        glint4 = glint**2 * glint**2
        glint8 = glint4 * glint4
        glint32 = glint8 * glint8 * glint8 * glint8
        shining = shine * sunlit * (0.10 * glint8 * glint4 + 1.4 * glint32 * glint32 * glint32)
        flakes = sheen * np.float32(0.55) + sky.sun * (0.5 * sunlit * glint4 * glint * glint)[:, None]
    else:
        shining, flakes = None, sheen * np.float32(0.55)
    light = albedo * (diffuse * (1 - 0.35 * metallic)[:, None] + flakes * metallic[:, None])
    light += fresnel[:, None] * sheen
    if shining is not None:
        light += sky.sun * shining[:, None]
    if lamps is not None and len(lamps):
        light += lamplight(vertices, normals, albedo, lamps, bounce=bounce, shine=shine)
    return light.astype(np.float32)


def lamplight(
    vertices: np.ndarray,
    normals: np.ndarray,
    albedo: np.ndarray,
    lamps: np.ndarray,
    *,
    bounce: np.ndarray | None = None,
    shine: np.ndarray | None = None,
) -> np.ndarray:
    """Return the light, float32 [V, 3], that vertices throw back of lamps, float [N, 6], place and light at 1 m."""
    if len(lamps) * len(vertices) > _AT_ONCE and len(vertices) > 1:
        parts = [slice(0, len(vertices) // 2), slice(len(vertices) // 2, None)]
        return np.concatenate(
            [
                lamplight(
                    vertices[part],
                    normals[part],
                    albedo[part],
                    lamps,
                    bounce=None if bounce is None else bounce[part],
                    shine=None if shine is None else shine[part],
                )
                for part in parts
            ]
        )
    way = lamps[:, None, :3].astype(np.float32) - vertices
    far2 = np.maximum(np.einsum("nij,nij->ni", way, way), 1.0)
    near = 1 / np.sqrt(far2)
    strength = 1 / (far2 + 4.0)
    colours = lamps[:, 3:].astype(np.float32)
    facing = strength * (0.12 + 0.88 * near * np.maximum(np.einsum("ij,nij->ni", normals, way), 0.0))
    light = albedo * (facing.T @ colours)
    if bounce is not None and shine is not None:
        glint = near * np.maximum(np.einsum("ij,nij->ni", bounce, way), 0.0)
        glint8 = (glint * glint) ** 4
        light += (strength * (0.15 * glint8 + 2.5 * (glint8 * glint8) ** 4)).T @ colours * shine[:, None]
    return light


def finish(kinds: np.ndarray, gloss: float, metallic: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mirror, shine and metallic of vertices of some kinds, float32 [V] each, of a vehicle with such a paint."""
    paint = kinds == _K["paint"]
    scale = np.where(paint, 0.25 + 0.75 * gloss, 1.0)
    return (
        (_MIRROR[kinds] * scale).astype(np.float32),
        (_SHINE[kinds] * scale).astype(np.float32),
        np.where(paint, metallic, np.where(kinds == _K["metal"], 0.8, 0.0)).astype(np.float32),
    )

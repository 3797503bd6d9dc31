"""What moves in a frame: vehicles and walkers, lit where they are, with their shadows, beams and glows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from . import effects
from .actors import Actor, Pose, coarser, make_ready
from .meshes import KINDS
from .paint import paint_of
from .shading import air, shade
from .vehicles import mesh
from .walkers import figure, stride

if TYPE_CHECKING:
    from .plate import Plate
    from .render import Moment
    from .shading import Film, Sky
    from .world import Camera, Vehicle

_K = {name: k for k, name in enumerate(KINDS)}
_SHUTTER = {False: 1 / 90, True: 1 / 30}  # seconds, by day and at night
_CONTACT = (70, 140, 235)  # how dark it is under an actor, from beside it to within
_FINE = 22.0  # pixels a metre; what is seen smaller is drawn coarser
_REACH = {False: 10.0, True: 32.0}  # metres from the middle of a vehicle to all of it, and to all that it lights
_PAD = 6  # pixels that blur adds around a box
_BLINK = 4  # ticks that an indicator is lit, and dark
_GLOWS = {  # light in grey levels, and size in metres, of the glow about a lamp
    "lamp-front": (np.array([204.0, 197, 180]), 0.45),
    "lamp-rear": (np.array([204.0, 32, 20]), 0.22),
}


def _cones() -> np.ndarray:
    """Return where head lamps light the ground, float64 [4, 6, 3], from their far reach to what is near."""
    cones = []
    for far, wide in ((22.0, 4.5), (14.0, 3.2), (8.0, 2.2), (4.0, 1.3)):
        rim = [(0.5, -0.7), (far * 0.6, -wide), (far, -wide * 0.6), (far, wide * 0.6), (far * 0.6, wide), (0.5, 0.7)]
        cones.append([(x, y, 0.0) for x, y in rim])
    return np.array(cones)


_BEAM, _BEAM_LIGHT = _cones(), (40, 90, 150, 190)
Halo = tuple[tuple[float, float], float, np.ndarray]  # where in the image, radius in pixels, colour
_Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # vertices, pixels, triangles


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What moves, ready to be drawn.

    vertices: float32 [V, 3].  pixels: uint8 [V, 4].  triangles: int32 [F, 3].  starts: int64 [N], of each in vertices.
    boxes: int64 [N, 4], what of the image each may touch, x0, y0, x1, y1.  ways: float64 [N, 2], pixels they move.
    shadow, beam: uint8 [H/2, W/2] or None.  halos: place, radius in pixels, colour.
    """

    vertices: np.ndarray
    pixels: np.ndarray
    triangles: np.ndarray
    starts: np.ndarray
    boxes: np.ndarray
    ways: np.ndarray
    shadow: np.ndarray | None
    beam: np.ndarray | None
    halos: list[Halo]


class Cast:
    """All that ever moves before one camera."""

    def __init__(self, camera: Camera, sky: Sky, film: Film, plate: Plate) -> None:
        self.camera, self.sky, self.film, self.plate = camera, sky, film, plate
        self.eye, self.ahead = np.array([camera.x, camera.y, camera.z]), camera.axes[2]
        self.actors: dict[tuple[int | str, ...], Actor] = {}
        self._still: dict[int, tuple[Pose, dict[str, float], _Part]] = {}  # what was lit last: most who wait stay so

    def play(self, moment: Moment) -> Scene:
        """Return what moves at a moment, where it can be seen."""
        half = (self.camera.height // 2, self.camera.width // 2)
        contact, sun = np.zeros(half, np.uint8), np.zeros(half, np.uint8)
        beam = np.zeros(half, np.uint8) if self.sky.night else None
        parts, boxes, ways, halos = [], [], [], []
        for vehicle, x, y, heading, brakes, signal, speed in self._in_view(moment):
            actor = self._actor(vehicle)
            pose = Pose(x, y, heading)
            if beam is not None:
                self._shine(beam, actor, pose)
            box = self._box(pose.place(actor.solid))
            if box is None:
                continue
            if self.camera.focal / max(self._depth(pose), 1.0) < _FINE:
                actor = self._coarse(vehicle, actor)
            lit = self._lamps_on(vehicle, moment.tick, brakes=brakes, signal=signal)
            parts.append(self._light_once(vehicle.number, actor, pose, lit))
            boxes.append(box)
            ways.append(self._way(pose, speed))
            self._cast_shadow(contact, sun, actor, pose)
            halos += self._halos(actor, pose, lit)
        for look, x, y, heading, phase in moment.walkers:
            pose = Pose(x, y, heading)
            body = self._walker(look, phase)
            box = self._box(pose.place(body.solid))
            if box is not None:
                parts.append(self._light(body, pose, {}))
                boxes.append(box)
                ways.append((0.0, 0.0))
                self._cast_shadow(contact, sun, body, pose)
        vertices, pixels, triangles, starts = _join(parts)
        return Scene(
            vertices,
            pixels,
            triangles,
            starts,
            np.array(boxes, np.int64).reshape(-1, 4),
            np.array(ways).reshape(-1, 2),
            self._shadow(contact, sun),
            None if beam is None else effects.soften(beam, 6),
            halos,
        )

    def _in_view(self, moment: Moment) -> list[tuple[Vehicle, float, float, float, bool, int, float]]:
        """Return the vehicles that may be seen, or whose head lamps may light ground that is."""
        middles = np.array([(x, y, 0.7) for _, x, y, *_ in moment.vehicles]).reshape(-1, 3)
        seen = self.camera.may_see(middles, _REACH[bool(self.sky.night)])
        return [vehicle for vehicle, near in zip(moment.vehicles, seen.tolist(), strict=True) if near]

    def _actor(self, vehicle: Vehicle) -> Actor:
        key = (vehicle.number, vehicle.kind, vehicle.colour, vehicle.look)
        if key not in self.actors:
            paint = paint_of(vehicle)
            self.actors[key] = make_ready(
                mesh(vehicle), paint.gloss, paint.metallic, np.random.default_rng((vehicle.look, 4))
            )
        return self.actors[key]

    def _coarse(self, vehicle: Vehicle, actor: Actor) -> Actor:
        key = ("coarse", vehicle.number, vehicle.kind, vehicle.colour, vehicle.look)
        if key not in self.actors:
            self.actors[key] = coarser(actor)
        return self.actors[key]

    def _depth(self, pose: Pose) -> float:
        return float((np.array([pose.x, pose.y, 0.7]) - self.eye) @ self.ahead)

    def _walker(self, look: int, phase: float) -> Actor:
        key = (look, stride(phase))
        if key not in self.actors:
            self.actors[key] = make_ready(figure(*key), 0.0, 0.0, np.random.default_rng(look))
        return self.actors[key]

    def _light_once(self, number: int, actor: Actor, pose: Pose, lit: dict[str, float]) -> _Part:
        before = self._still.get(number)
        if before is None or before[:2] != (pose, lit):
            before = (pose, lit, self._light(actor, pose, lit))
            self._still[number] = before
        return before[2]

    def _box(self, points: np.ndarray) -> tuple[int, int, int, int] | None:
        """Return the rectangle of pixels that points [N, 3] may touch, None if outside of the image."""
        place = self.camera.project(points)
        ahead = place[:, 2] > 0.5
        if not ahead.any():
            return None
        width, height = self.camera.width, self.camera.height
        if not ahead.all():  # under the camera: what is cut off could be anywhere toward the lower edge
            low = place[ahead, :2].min(axis=0) - _PAD
            return None if low[1] > height else (0, int(np.clip(low[1], 0, height - 1)), width - 1, height - 1)
        low, high = place[:, :2].min(axis=0) - _PAD, place[:, :2].max(axis=0) + _PAD
        if (high < 0).any() or low[0] >= width or low[1] >= height:
            return None
        x0, y0 = np.clip(low, 0, (width - 1, height - 1)).astype(int)
        x1, y1 = np.clip(np.ceil(high), 0, (width - 1, height - 1)).astype(int)
        return int(x0), int(y0), int(x1), int(y1)

    def _way(self, pose: Pose, speed: float) -> tuple[float, float]:
        """Return how far a vehicle moves in the image, pixels right and down, while the shutter is open."""
        step = np.array([np.cos(pose.heading), np.sin(pose.heading), 0.0]) * speed * _SHUTTER[bool(self.sky.night)]
        middle = np.array([pose.x, pose.y, 0.7])
        a, b = self.camera.project(np.array([middle - step / 2, middle + step / 2]))
        if min(a[2], b[2]) < 1.0:
            return 0.0, 0.0
        return float(b[0] - a[0]), float(b[1] - a[1])

    def _lamps_on(self, vehicle: Vehicle, tick: int, *, brakes: bool, signal: int) -> dict[str, float]:
        """Return how brightly each kind of lamp shines."""
        rng = np.random.default_rng((vehicle.look, 5))
        by_day, beat = rng.random() < 0.35, int(rng.integers(2 * _BLINK))
        night = bool(self.sky.night)
        dim = self.sky.exposure * self.sky.zenith.mean() < 0.32 or self.sky.haze > 0.25
        on: dict[str, float] = {}
        if night or (dim and rng.random() < 0.8) or by_day:
            on["lamp-front"] = 3.0 if night else 1.1
        if brakes:
            on["lamp-rear"] = 2.4
        elif night or dim:
            on["lamp-rear"] = 0.5
        if signal and (tick + beat) // _BLINK % 2 == 0:
            on["signal-left" if signal > 0 else "signal-right"] = 2.2
        return on

    def _light(self, actor: Actor, pose: Pose, lit: dict[str, float]) -> _Part:
        """Return vertices in the world, pixels, and triangles of what of an actor faces the camera."""
        eye = pose.local(self.eye)
        facing = actor.faces[:, :3] @ eye.astype(np.float32) > actor.faces[:, 3]
        triangles = actor.triangles[facing]
        used = np.zeros(len(actor.vertices), bool)
        used[triangles] = True
        number = np.cumsum(used, dtype=np.int32) - 1
        points, kinds, albedo = actor.vertices[used], actor.kinds[used], actor.albedo[used]
        world = pose.place(points).astype(np.float32)
        light = shade(
            self.sky,
            points,
            actor.normals[used],
            albedo,
            eye=eye,
            to_sun=pose.turned(self.sky.to_sun),
            mirror=actor.mirror[used],
            shine=actor.shine[used],
            metallic=actor.metallic[used],
            sunlit=self._sunlit(pose, points) if self.sky.shadows else 1.0,
            lamps=self._lamps_near(pose),
        )
        for name, strength in lit.items():
            here = kinds == _K[name]
            light[here] += np.minimum(albedo[here] * 2.0, 1.0) * strength
        light = air(self.sky, light, np.float32(np.linalg.norm(self.eye - (pose.x, pose.y, 0.7))))
        pixels = np.full((len(points), 4), 255, np.uint8)
        pixels[:, :3] = self.film.develop(light)
        return world, pixels, number[triangles]

    def _sunlit(self, pose: Pose, points: np.ndarray) -> np.ndarray:
        """Return the share of the sun that reaches points [V, 3] of an actor, by three places along it."""
        ends = np.linspace(points[:, 0].min(), points[:, 0].max(), 3)
        slope = self.sky.to_sun[:2] / max(self.sky.to_sun[2], 0.05)
        places = pose.place(np.column_stack([ends, np.zeros(3), np.zeros(3)]))[:, :2] - 0.8 * slope
        return np.interp(points[:, 0], ends, self.plate.sun_at(places)).astype(np.float32)

    def _lamps_near(self, pose: Pose) -> np.ndarray | None:
        """Return the street lamps that light an actor, float64 [N, 6], in its own frame."""
        lamps = self.plate.lamps
        if not len(lamps):
            return None
        far = np.hypot(lamps[:, 0] - pose.x, lamps[:, 1] - pose.y)
        near = lamps[np.argsort(far)[:3]]
        return np.column_stack([np.array([pose.local(lamp) for lamp in near[:, :3]]), near[:, 3:]])

    def _cast_shadow(self, contact: np.ndarray, sun: np.ndarray, actor: Actor, pose: Pose) -> None:
        """Darken the ground under an actor, and where it keeps the sun away."""
        rims = pose.place(actor.rims.reshape(-1, 3)).reshape(actor.rims.shape)
        effects.fill(contact, self.camera, rims, _CONTACT)
        if self.sky.shadows:
            points = pose.place(actor.solid)
            fallen = points[:, :2] - points[:, 2:] * self.sky.to_sun[:2] / max(self.sky.to_sun[2], 0.12)
            hull = cv2.convexHull(fallen.astype(np.float32))[:, 0]
            effects.fill(sun, self.camera, np.column_stack([hull, np.zeros(len(hull))])[None], (225,))

    def _shadow(self, contact: np.ndarray, sun: np.ndarray) -> np.ndarray | None:
        if self.sky.shadows:
            sun = cv2.multiply(effects.soften(sun, 1), self.plate.sunlit, scale=1 / 255)
            return cv2.max(effects.soften(contact, 2), sun)
        return effects.soften(contact, 2)

    def _shine(self, beam: np.ndarray, actor: Actor, pose: Pose) -> None:
        """Light the ground before a vehicle."""
        front = actor.lamps[0]
        if len(front):
            cones = _BEAM + np.array([front[:, 0].max(), 0.0, 0.0])
            effects.fill(beam, self.camera, pose.place(cones.reshape(-1, 3)).reshape(cones.shape), _BEAM_LIGHT)

    def _halos(self, actor: Actor, pose: Pose, lit: dict[str, float]) -> list[Halo]:
        """Return the glow of an actor's lamps that shine toward the camera."""
        found: list[Halo] = []
        if not self.sky.night:
            return found
        ahead = np.array([np.cos(pose.heading), np.sin(pose.heading)])
        for lamps, way, name in ((actor.lamps[0], 1, "lamp-front"), (actor.lamps[1], -1, "lamp-rear")):
            if name not in lit or not len(lamps):
                continue
            places = pose.place(lamps)
            toward = self.eye[:2] - places[:, :2]
            faces = way * (toward @ ahead) / np.maximum(np.hypot(*toward.T), 1e-6)
            colour, size = _GLOWS[name]
            for (column, row, depth), face in zip(self.camera.project(places).tolist(), faces.tolist(), strict=True):
                if face > 0.1 and depth > 2:
                    radius = self.camera.focal / depth * size * (1.2 + 1.2 * face)
                    found.append(((column, row), radius, colour * face**0.7 * min(1.0, lit[name])))
        return found


def _join(parts: list[_Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    starts = np.cumsum([0, *(len(vertices) for vertices, _, _ in parts)])[:-1]
    if not parts:
        return np.zeros((0, 3), np.float32), np.zeros((0, 4), np.uint8), np.zeros((0, 3), np.int32), starts
    vertices, pixels = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    triangles = np.concatenate([part[2] + start for part, start in zip(parts, starts, strict=True)])
    return vertices, pixels, triangles, starts

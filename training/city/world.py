"""What the parts of the city tell each other: vehicles and how they move, streets, light, cameras, and what is seen.

The ground is the plane z = 0, x east, y north, z up, in metres. Time is counted in ticks of a tenth of a second, which
is also the rate of the cameras. Angles are in radians, anticlockwise from +x. Everything is a function of a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

TICKS_PER_SECOND = 10
RESOLUTIONS = ((1920, 1080), (2560, 1920), (1280, 960), (1600, 1200))

Manoeuvre = Literal["straight", "left", "right", "u-turn", "parked"]
LightKind = Literal["noon", "dusk", "overcast", "night"]
LayoutKind = Literal["intersection", "highway", "car park"]
Material = Literal["asphalt", "concrete", "grass", "earth", "paint-white", "paint-yellow", "kerb"]

# Length, width and height of the nominal vehicle of each of `language.TYPES`, metres.
SIZES = {
    "sedan": (4.7, 1.82, 1.45),
    "coupe": (4.4, 1.82, 1.32),
    "hatchback": (4.1, 1.76, 1.50),
    "wagon": (4.8, 1.82, 1.50),
    "suv": (4.8, 1.95, 1.80),
    "mpv": (4.7, 1.85, 1.75),
    "van": (5.5, 2.00, 2.20),
    "pickup": (5.5, 1.95, 1.85),
    "cargo": (8.0, 2.45, 3.20),
    "bus": (11.5, 2.55, 3.10),
}


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle of a scene.

    number: its own in the scene.  kind: of `language.TYPES`.  colour: of `language.COLOURS`, that of most of its body.
    look: seed of all that varies among vehicles of one kind and colour: shade, size, wheels, lamps, load.
    """

    number: int
    kind: str
    colour: str
    look: int

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width and height in metres: the kind's, up to 6 % more or less."""
        scale = np.random.default_rng((self.look, 1)).uniform(0.94, 1.06)
        length, width, height = SIZES[self.kind]
        return length * scale, width * scale, height * scale


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How a vehicle moves while it is in its scene.

    start: tick of the first pose.  poses: float64 [T, 4], x and y of its footprint's middle, heading, speed in m/s.
    brakes: bool [T], whether its brake lamps are lit.  signals: int8 [T], −1 for a right indicator, 1 for a left one.
    manoeuvre: what it does at the junction, or on the whole.  stops: it stands still for a second or more on its way.
    changes_lane: once at least.  lanes: int16 [T], its lane's number, −1 off the lanes.
    """

    vehicle: Vehicle
    start: int
    poses: np.ndarray
    brakes: np.ndarray
    signals: np.ndarray
    lanes: np.ndarray
    manoeuvre: Manoeuvre
    stops: bool = False
    changes_lane: bool = False

    @property
    def end(self) -> int:
        """The tick after the last pose."""
        return self.start + len(self.poses)


@dataclass(frozen=True, slots=True, eq=False)
class Walker:
    """A pedestrian: start tick, poses float64 [T, 3], x, y, heading.  look: seed of clothes and height."""

    start: int
    poses: np.ndarray
    look: int


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """A lane to drive in.  line: float64 [N, 2], its middle in the direction of travel, points at most 1 m apart.

    width: metres.  limit: m/s.  role: where it lies: "in" leads to the junction, "out" away from it, "turn" through it,
    "through" for the rest (a highway, the aisles of a car park).
    """

    line: np.ndarray
    width: float
    limit: float
    role: Literal["in", "out", "turn", "through"]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A flat polygon, float64 [N, 2], anticlockwise and without holes, of a material.

    level: surfaces of a higher level lie on those of a lower one (they are drawn a few millimetres above it).
    """

    outline: np.ndarray
    material: Material
    level: int


@dataclass(frozen=True, slots=True)
class Building:
    """A building: the middle of its rectangular footprint, its sides, its turn, its height; look seeds the rest."""

    x: float
    y: float
    length: float
    width: float
    heading: float
    height: float
    look: int


@dataclass(frozen=True, slots=True)
class Prop:
    """Something that stands about."""

    kind: Literal["tree", "lamp", "signal", "sign", "pole", "bush"]
    x: float
    y: float
    heading: float
    height: float
    look: int


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A place as it stands, whoever drives there.

    lanes: those to drive in.  surfaces: ground and markings.  slots: float64 [P, 3], places to park, x, y, heading.
    pavements: float64 [N, 2] lines along which people walk.  centre: where cameras look, float64 [2].
    signals: which lanes of role "in" have green together, one tuple of lane numbers a phase; empty without lights.
    """

    kind: LayoutKind
    lanes: tuple[Lane, ...]
    surfaces: tuple[Surface, ...]
    buildings: tuple[Building, ...]
    props: tuple[Prop, ...]
    slots: np.ndarray
    pavements: tuple[np.ndarray, ...]
    centre: np.ndarray
    signals: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Light:
    """Light and weather of one recording.

    kind: time and sky.  azimuth, elevation: of the sun, radians; it casts shadows at noon and dusk alone.
    rain: 0 for none to 1 for heavy: wet ground that mirrors lamps, streaks, haze.
    """

    kind: LightKind
    azimuth: float
    elevation: float
    rain: float


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera on a pole.

    x, y, z: where it hangs.  azimuth, pitch: where it looks, pitch below the horizon counted positive.
    focal: in pixels.  width, height: of its images.  jpeg: quality of its files, 0 to 100.
    blur, noise: of its optics and sensor: sigma of a Gaussian in pixels, and of grey levels at full signal.
    """

    name: str
    x: float
    y: float
    z: float
    azimuth: float
    pitch: float
    focal: float
    width: int
    height: int
    jpeg: int = 90
    blur: float = 0.6
    noise: float = 2.0

    @property
    def axes(self) -> np.ndarray:
        """Right, down and forward as rows of a float64 [3, 3]."""
        return _axes(self.azimuth, self.pitch)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return where points are seen: float64 [..., 3] → column and row in pixels, and depth in metres.

        What is behind the camera has a depth of 0 or less and no meaningful place.
        """
        seen = (points - np.array([self.x, self.y, self.z])) @ self.axes.T
        depth = np.where(np.abs(seen[..., 2]) < 1e-9, 1e-9, seen[..., 2])
        scale = self.focal / depth
        seen[..., 0] = seen[..., 0] * scale + self.width / 2
        seen[..., 1] = seen[..., 1] * scale + self.height / 2
        return seen

    def may_see(self, points: np.ndarray, radius: float) -> np.ndarray:
        """Tell which balls about points, float64 [N, 3], of a radius in metres reach into the view: bool [N]."""
        right, down, ahead = ((points - np.array([self.x, self.y, self.z])) @ self.axes.T).T
        reached = ahead > -radius
        for aside, half in ((right, self.width / 2), (down, self.height / 2)):
            reached &= (np.abs(aside) * self.focal - ahead * half) < radius * np.hypot(self.focal, half)
        return reached


@lru_cache(maxsize=64)
def _axes(azimuth: float, pitch: float) -> np.ndarray:
    ca, sa, cp, sp = np.cos(azimuth), np.sin(azimuth), np.cos(pitch), np.sin(pitch)
    axes = np.array([[sa, -ca, 0.0], [-ca * sp, -sa * sp, -cp], [ca * cp, sa * cp, -sp]])
    axes.flags.writeable = False
    return axes


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One place filmed for a while by several cameras at once, in one light.

    scene: "S01" and so on.  start, length: ticks.  seed: of whatever is still drawn at random while it is rendered.
    """

    scene: str
    layout: Layout
    motions: tuple[Motion, ...]
    walkers: tuple[Walker, ...]
    light: Light
    cameras: tuple[Camera, ...]
    length: int
    seed: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another vehicle that an annotator may mention, seen from the one described."""

    kind: str
    colour: str
    relation: Literal["ahead", "behind", "left", "right"]


@dataclass(frozen=True, slots=True)
class Story:
    """What a track shows of a vehicle: all that an annotator can know.

    manoeuvre, stops, changes_lane: as far as the track shows them.  toward: whether it comes toward the camera (True),
    goes away from it (False) or passes across (None).  speed: mean over the frames in which it moves, m/s.
    direction: of its first visible movement, as a compass point of the ground, "north", "east", "south" or "west".
    place: the kind of layout.  light: the kind of light.  neighbours: those nearest, at most three.
    """

    kind: str
    colour: str
    manoeuvre: Manoeuvre
    stops: bool
    changes_lane: bool
    toward: bool | None
    speed: float
    direction: str
    place: LayoutKind
    light: LightKind
    neighbours: tuple[Neighbour, ...] = field(default=())

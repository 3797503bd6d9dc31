"""The picture of an empty place: all that stands still, drawn once and well for each camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from . import ground
from .meshes import KINDS, LIT, Builder
from .scenery import lamp_heads, stand
from .shading import air, finish, lamplight, linear, shade

if TYPE_CHECKING:
    from .meshes import Thing
    from .raster import Raster
    from .shading import Film, Sky
    from .world import Camera, Layout

_MAP, _CELL = 640, 0.6  # the map of the sun's shadows: cells a side, metres a cell
_JITTER = ((-0.1875, -0.0625), (0.0625, -0.1875), (0.1875, 0.0625), (-0.0625, 0.1875))  # of a pixel, over 2 × 2 samples
_LAMP_REACH = 130.0  # metres


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """An empty place as a camera sees it.

    image: uint8 [H, W, 3], R, G, B.  shade: uint8 [H, W, 3], what a full shadow takes away; 0 off the ground.
    beam: uint8 [H, W, 3], what full headlight adds, at night; None by day.
    sunlit: uint8 [H/2, W/2], 255 where the sun reaches the ground.  ground: uint8 [H/2, W/2], 255 where ground is seen.
    hiding: vertices, float32 [V, 3], and triangles, int32 [F, 3], of what vehicles may pass behind.
    lamps: float64 [N, 6], street lamps and their light.  wet: float32 [H/2, W/2], how much the ground mirrors.
    """

    image: np.ndarray
    shade: np.ndarray
    beam: np.ndarray | None
    sunlit: np.ndarray
    ground: np.ndarray
    hiding: tuple[np.ndarray, np.ndarray]
    lamps: np.ndarray
    wet: np.ndarray | None
    _map: np.ndarray

    def sun_at(self, places: np.ndarray) -> np.ndarray:
        """Return the share of the sun, float32 [N], that reaches points [N, 2] a little above the ground."""
        cells = np.floor(places / _CELL + _MAP / 2).astype(np.intp)
        inside = ((cells >= 0) & (cells < _MAP)).all(axis=1)
        cells = np.clip(cells, 0, _MAP - 1)
        return np.where(inside, self._map[cells[:, 1], cells[:, 0]], 255).astype(np.float32) / 255


def make_plate(
    camera: Camera, layout: Layout, sky: Sky, film: Film, *, rain: float, seed: int, raster: Raster
) -> Plate:
    """Draw an empty place. raster: of the camera, 2 times as fine."""
    view = ground.look_down(camera)
    colour = ground.albedo(camera, view, layout, seed)
    lamps = lamp_heads(layout) if sky.night else np.zeros((0, 6))
    lamps = lamps[np.hypot(lamps[:, 0] - camera.x, lamps[:, 1] - camera.y) < _LAMP_REACH]
    outlines = _shadows(layout, sky) if sky.shadows else []
    lit = 1 - _shadow_mask(camera, view, outlines) if outlines else np.ones(view.x.shape, np.float32)
    wet = _wetness(view, rain, seed) if rain > 0 else None
    if wet is not None:
        colour = colour * (1 - 0.45 * min(1.0, rain * 2) * (0.4 + 0.6 * wet))[..., None]
    light = _lit_ground(view, colour, sky, lit, lamps)
    things = stand(layout)
    lit_things = _lit_things(things, camera, sky, film, lamps)
    back = _backdrop(view, sky, seed)
    seen = view.sees[..., None]

    def picture(light: np.ndarray) -> np.ndarray:
        return film.develop(np.where(seen, air(sky, light, view.distance), back))

    full = picture(light)
    dark = picture(light * 0.0 + colour * (0.22 * sky.up()) if not sky.night else light * 0.45)
    front = _draw_things(raster, lit_things)
    clear = 1 - front[..., 3:]
    if wet is not None:
        full = _mirror(full, raster, lit_things, wet, view)
    image = full * clear + front[..., :3] * 255
    shade_ = np.clip(full.astype(np.float32) - dark, 0, 255) * clear * seen
    beam = None
    if sky.night:
        bright = picture(light + colour * np.array([1.1, 1.0, 0.85], np.float32))
        beam = (np.clip(bright.astype(np.float32) - full, 0, 255) * clear * seen).astype(np.uint8)
    for head in lamps:
        if not _hidden(head[:3], camera, layout):
            _glow(image, camera, head, rain)
    half = (camera.width // 2, camera.height // 2)
    free = cv2.resize((clear[..., 0] * view.sees).astype(np.float32), half, interpolation=cv2.INTER_AREA)
    return Plate(
        image=_optics(np.clip(image, 0, 255), camera).astype(np.uint8),
        shade=shade_.astype(np.uint8),
        beam=beam,
        sunlit=(cv2.resize(lit, half, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8),
        ground=(free * 255).astype(np.uint8),
        hiding=_hiding(things, layout, camera),
        lamps=lamps,
        wet=None if wet is None else cv2.resize(wet, half, interpolation=cv2.INTER_AREA) * free,
        _map=_sun_map(outlines),
    )


def _lit_ground(view: ground.View, colour: np.ndarray, sky: Sky, lit: np.ndarray, lamps: np.ndarray) -> np.ndarray:
    """Return the light of the ground, float32 [H, W, 3]."""
    light = sky.up() + lit[..., None] * (sky.sun * max(sky.to_sun[2], 0.0)) if sky.shadows else sky.up() + sky.sun * 0.6
    light = np.broadcast_to(light, colour.shape).astype(np.float32)
    if len(lamps):
        step = 4  # lamplight is smooth
        x, y = view.x[::step, ::step], view.y[::step, ::step]
        points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
        up = np.broadcast_to([0.0, 0.0, 1.0], points.shape)
        pools = lamplight(points, up, np.ones((len(points), 3)), lamps).reshape(*x.shape, 3).astype(np.float32)
        light = light + cv2.resize(pools, view.x.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return colour * light


def _shadows(layout: Layout, sky: Sky) -> list[tuple[float, np.ndarray]]:
    """Return the shadows of buildings and props: how dense each is, and its convex outline on the ground."""
    slope = -sky.to_sun[:2] / max(sky.to_sun[2], 0.05)
    shadows = []
    for b in layout.buildings:
        c, s = np.cos(b.heading), np.sin(b.heading)
        corners = (
            np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (b.length / 2, b.width / 2) @ np.array([[c, s], [-s, c]])
        )
        corners += (b.x, b.y)
        shadows.append((1.0, _hull(np.concatenate([corners, corners + slope * b.height]))))
    for p in layout.props:
        foot, rng = np.array([p.x, p.y]), np.random.default_rng((p.look, 45))
        if p.kind in {"tree", "bush"}:
            low, radius = (0.35, 0.27 * p.height) if p.kind == "tree" else (0.4, 0.6 * p.height)
            for _ in range(7 if p.kind == "tree" else 2):
                spot = foot + slope * p.height * rng.uniform(low, 0.9) + rng.normal(0, 0.5 * radius, 2)
                angles = np.linspace(0, 2 * np.pi, 12)[:-1]
                blob = np.column_stack([np.cos(angles), np.sin(angles)]) * radius * rng.uniform(0.5, 0.8, (11, 1))
                blob = np.concatenate([blob, blob + slope * radius * 0.7])
                shadows.append((0.75, _hull(spot + blob)))
        wide = {"tree": 0.02 * p.height, "lamp": 0.09, "signal": 0.1, "pole": 0.12, "sign": 0.3, "bush": 0.0}[p.kind]
        if wide:
            side = wide * np.array([-sky.to_sun[1], sky.to_sun[0]])
            top = foot + slope * p.height * (0.5 if p.kind == "tree" else 1.0)
            shadows.append((0.85, np.array([foot - side, top - side, top + side, foot + side])))
    return shadows


def _hull(points: np.ndarray) -> np.ndarray:
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)


def _shadow_mask(camera: Camera, view: ground.View, shadows: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Return how much of the sun is kept from each pixel of the ground, float32 [H, W]."""
    solid = ground.cover(camera, [o for density, o in shadows if density > 0.8])
    thin = cv2.GaussianBlur(ground.cover(camera, [o for density, o in shadows if density <= 0.8], 1), (0, 0), 4)
    holes = ground.sample(view, ground.noise_tile(27, 0.8), 0.7)  # light falls through leaves
    fine = np.clip(1.2 - view.grain / 0.5, 0, 1)
    thin = np.clip(thin * (1.05 + 0.35 * fine * np.clip(holes, -1.5, 1)), 0, 1) * 0.92
    return cv2.GaussianBlur(np.maximum(solid, thin), (0, 0), 1.0)


def _sun_map(shadows: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Return the share of the sun that reaches each cell of the ground, uint8 [map, map] over y and x."""
    cells = np.full((_MAP, _MAP), 255, np.uint8)
    for density, outline in shadows:
        if np.ptp(outline, axis=0).min() > 0.5:
            places = np.round((outline / _CELL + _MAP / 2) * 16).astype(np.int32)
            cv2.fillConvexPoly(cells, places, int(255 * (1 - density)), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(cells, (0, 0), 0.8)


def _lit_things(
    things: list[Thing], camera: Camera, sky: Sky, film: Film, lamps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vertices [V, 3], pixels uint8 [V, 4] and triangles [F, 3] of all things."""
    eye = np.array([camera.x, camera.y, camera.z])
    parts = [part for thing in things for part in (thing.solid, thing.trim, thing.leaves)]
    whole = Builder(
        *([item for part in parts for item in getattr(part, name)] for name in ("corners", "colours", "kinds"))
    )
    if not whole.corners:
        return np.zeros((0, 3), np.float32), np.zeros((0, 4), np.uint8), np.zeros((0, 3), np.int32)
    mesh = whole.build_flat()
    mirror, shine, metallic = finish(mesh.kinds, 0.5, 0.0)
    near = lamps[np.argsort(np.hypot(lamps[:, 0] - eye[0], lamps[:, 1] - eye[1]))[:14]]
    colours = linear(mesh.colours).astype(np.float32)
    light = shade(
        sky,
        mesh.vertices,
        mesh.normals,
        colours,
        eye=eye,
        mirror=mirror,
        shine=shine * 0.2,
        metallic=metallic,
        lamps=near,
    )
    light *= np.clip(0.7 + 0.1 * mesh.vertices[:, 2:], 0.7, 1.0)  # walls are darker at their feet
    glowing = (mesh.kinds == KINDS.index(LIT))[:, None]
    light += glowing * colours * (1.3 if sky.night else 0.0)
    light = air(sky, light, np.linalg.norm(mesh.vertices - eye, axis=1))
    pixels = np.full((len(light), 4), 255, np.uint8)
    pixels[:, :3] = film.develop(light)
    return mesh.vertices, pixels, mesh.triangles


def _draw_things(
    raster: Raster, lit: tuple[np.ndarray, np.ndarray, np.ndarray], *, mirrored: bool = False
) -> np.ndarray:
    """Return how lit things look over nothing, float32 [H, W, 4] in 0..1, R, G, B premultiplied, and alpha."""
    vertices, pixels, triangles = lit
    if mirrored:
        vertices = vertices * np.array([1, 1, -1], np.float32)
    height, width = raster.shape[0] // 2, raster.shape[1] // 2
    total = np.zeros((height, width, 4), np.float32)
    shifts = _JITTER[:1] if mirrored else _JITTER
    for shift in shifts:
        drawn = raster.draw(vertices, pixels, triangles, two_sided=True, shift=shift)
        total += cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)
    return total[..., (2, 1, 0, 3)] / (255.0 * len(shifts))


def _hiding(things: list[Thing], layout: Layout, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices and triangles of the things that someone may pass behind."""
    lines = [lane.line for lane in layout.lanes] + [line for line in layout.pavements] + [layout.slots[:, :2]]
    ways = np.concatenate([_dense(line) for line in lines if len(line)])
    high = np.repeat([0.0, 1.5, 3.0], len(ways))[:, None]
    place = camera.project(np.column_stack([np.tile(ways, (3, 1)), high]))
    slack = 3.0 * camera.focal / np.maximum(place[:, 2], 1.0)  # people and cars reach beyond their middles
    place, slack = place[place[:, 2] > 0], slack[place[:, 2] > 0]
    kept = []
    for thing in things:
        corners = [c for part in (thing.solid, thing.leaves) for c in part.corners]
        if not corners:
            continue
        triangles = np.concatenate(corners)
        seen = camera.project(triangles.reshape(-1, 3))
        ahead = seen[:, 2] > 0.3
        if not ahead.any():
            continue
        low, top = seen[ahead, :2].min(axis=0), seen[ahead, :2].max(axis=0)
        if not ahead.all():
            low, top = np.full(2, -np.inf), np.full(2, np.inf)
        if (top < 0).any() or (low > (camera.width, camera.height)).any():
            continue
        behind = (place[:, 2] > seen[ahead, 2].min() - 2) & (place[:, :2] > low - slack[:, None]).all(axis=1)
        if (behind & (place[:, :2] < top + slack[:, None]).all(axis=1)).any():
            kept.append(triangles)
    if not kept:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    vertices = np.concatenate(kept).reshape(-1, 3).astype(np.float32)
    return vertices, np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)


def _dense(line: np.ndarray) -> np.ndarray:
    """Return points of a line at most 2 m apart; of single places, the places."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    if len(line) < 2 or steps.max() <= 2.0:
        return line
    along = np.r_[0, np.cumsum(steps)]
    wanted = np.arange(0, along[-1], 2.0)
    return np.column_stack([np.interp(wanted, along, line[:, k]) for k in (0, 1)])


def _backdrop(view: ground.View, sky: Sky, seed: int) -> np.ndarray:
    """Return sky, clouds and the far skyline, linear float32 [H, W, 3]."""
    rng = np.random.default_rng((seed, 33))
    rise = np.clip(view.rise, 0, 1)[..., None]
    colour = sky.horizon + (sky.zenith - sky.horizon) * rise**0.6
    if sky.night == 0:
        flat = replace(
            view, x=np.cos(view.turn) / np.maximum(view.rise, 0.03), y=np.sin(view.turn) / np.maximum(view.rise, 0.03)
        )
        clouds = ground.sample(flat, ground.noise_tile(29, 1.7), rng.uniform(0.8, 2.5))
        share = np.clip((clouds - rng.uniform(-0.8, 1.2)) * 0.8, 0, 1)[..., None] * np.clip(rise * 12, 0, 1)
        colour = colour + (1.05 * sky.horizon.mean() * np.array([1.0, 1.0, 1.02]) - colour) * share * 0.8
    profile = ground.noise_tile(int(rng.integers(40, 60)), 1.1)[0]
    height = (0.030 + 0.014 * np.interp(view.turn * 81.5, np.arange(512), profile, period=512)) * rng.uniform(0.4, 1.5)
    trees = (sky.ground * np.array([0.75, 0.9, 0.6]) + 0.12 * sky.horizon).astype(np.float32)
    edge = np.clip((height - view.rise) / 0.002, 0, 1)[..., None]
    return (colour + (air(sky, trees, np.array(420.0)) - colour) * edge).astype(np.float32)


def _wetness(view: ground.View, rain: float, seed: int) -> np.ndarray:
    """Return how much of what is above the ground mirrors, float32 [H, W]: puddles more than the rest, the far more."""
    puddles = ground.sample(view, ground.noise_tile(31 + seed % 5, 1.8), 5.0)
    slant = (1 + view.rise.clip(-1, 0)) ** 4
    return (
        np.clip(0.45 + 0.55 * slant, 0, 1) * min(1.0, 0.35 + rain) * np.clip(0.55 + 0.35 * puddles, 0.25, 1)
    ).astype(np.float32)


def _mirror(full: np.ndarray, raster: Raster, lit: tuple, wet: np.ndarray, view: ground.View) -> np.ndarray:
    """Return the ground, float32 [H, W, 3] in grey levels, with what stands on it mirrored in wet places."""
    below = _draw_things(raster, lit, mirrored=True)
    below = cv2.blur(cv2.resize(below, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), (1, 13))
    below = cv2.resize(below, full.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    share = (0.5 * wet * view.sees)[..., None]
    return full * (1 - share * below[..., 3:] * 0.7) + share * below[..., :3] * 255


def _hidden(point: np.ndarray, camera: Camera, layout: Layout) -> bool:
    """Tell whether a building stands between a camera and a point, [3]."""
    eye = np.array([camera.x, camera.y, camera.z])
    steps = eye + np.linspace(0, 1, 400)[:, None] * (point - eye)
    for b in layout.buildings:
        c, s = np.cos(b.heading), np.sin(b.heading)
        x, y = ((steps[:, :2] - (b.x, b.y)) @ np.array([[c, -s], [s, c]])).T
        if ((np.abs(x) < b.length / 2) & (np.abs(y) < b.width / 2) & (steps[:, 2] < b.height)).any():
            return True
    return False


def _glow(image: np.ndarray, camera: Camera, head: np.ndarray, rain: float) -> None:
    """Add the halo of a lamp to an image, float [H, W, 3], in place."""
    column, row, depth = camera.project(head[:3])
    if depth < 2 or not (-100 < column < camera.width + 100 and -100 < row < camera.height + 100):
        return
    radius = int(np.clip(camera.focal * (0.9 + 1.2 * rain) / depth, 6, 180))
    x0, y0 = round(column) - 2 * radius, round(row) - 2 * radius
    x = np.arange(max(x0, 0), min(x0 + 4 * radius, camera.width))
    y = np.arange(max(y0, 0), min(y0 + 4 * radius, camera.height))
    if not len(x) or not len(y):
        return
    far = np.hypot((x - column)[None], (y - row)[:, None]) / radius
    halo = np.exp(-(far**2) * 9) * 1.3 + 0.28 * np.exp(-far * 2.2) * np.clip(2 - far, 0, 1)
    image[y[0] : y[-1] + 1, x[0] : x[-1] + 1] += halo[..., None] * head[3:] / head[3:].max() * 190


def _optics(image: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the image as blurred by the lens, and darker toward its corners."""
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), max(camera.blur, 0.3))
    x, y = np.linspace(-1, 1, camera.width)[None], np.linspace(-1, 1, camera.height)[:, None]
    return image * (1 - 0.07 * (x**2 + y**2))[..., None].astype(np.float32)

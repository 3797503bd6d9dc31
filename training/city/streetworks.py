"""What lies and stands on the streets of an intersection: asphalt, kerbs, pavements, islands, paint, signals, lamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .intersections import EDGE, GUTTER, KERB_LANE, POCKET, corner_of, round_corner, way_between
from .roads import (
    ASPHALT,
    ISLAND,
    ISLAND_KERB,
    KERB,
    PAINT,
    PAVEMENT,
    RIM,
    fan,
    paint_arrow,
    paint_dashes,
    paint_line,
    paint_zebra,
    polygon,
    row_of_lamps,
    strip,
)
from .world import Prop

if TYPE_CHECKING:
    from .intersections import Arm
    from .world import Surface


def cover(arms: list[Arm], rng: np.random.Generator) -> list[Surface]:
    """Return asphalt, kerbs, pavements, islands and all the paint of a junction."""
    surfaces: list[Surface] = []
    for place, arm in enumerate(arms):
        after = arms[(place + 1) % len(arms)]
        surfaces += fan(np.zeros(2), _edge(arm, after), "asphalt", ASPHALT)
        surfaces += _corner(arm, after)
        surfaces += strip(arm.along(arm.mouth, EDGE, 0), -arm.right, arm.left, "asphalt", ASPHALT)
        surfaces += strip(arm.along(arm.mouth, EDGE, 0), -arm.right - RIM, arm.left + RIM, "kerb", KERB)
        if arm.walk:
            surfaces += strip(arm.along(arm.mouth, EDGE, 0), arm.left, arm.left + arm.walk, "concrete", PAVEMENT)
            surfaces += strip(arm.along(arm.mouth, EDGE, 0), -arm.right - arm.walk, -arm.right, "concrete", PAVEMENT)
    yellow = rng.random() < 0.6
    for arm in arms:
        surfaces += _paint(arm, "paint-yellow" if yellow else "paint-white")
        surfaces += _arrows(arm, arms)
    return surfaces


def _corner(arm: Arm, after: Arm) -> list[Surface]:
    """Return the ground at the corner between two arms."""
    inner, apex = round_corner(arm, after, 0.0), corner_of(arm, after, 0.0)
    if inner is None or apex is None:
        return _straight_side(arm, after)
    surfaces = fan(apex, inner, "asphalt", ASPHALT)
    rim = round_corner(arm, after, RIM)
    surfaces += fan(apex, np.vstack([inner[:1], rim, inner[-1:]]), "kerb", KERB)
    if arm.walk:
        outer = round_corner(arm, after, arm.walk)
        surfaces += fan(apex, np.vstack([inner[:1], outer, inner[-1:]]), "concrete", PAVEMENT)
    return surfaces


def _edge(arm: Arm, after: Arm) -> np.ndarray:
    """Return the junction's edge across an arm and on to the next one, its corner not yet rounded."""
    apex = corner_of(arm, after, 0.0)
    near, far = arm.at(arm.mouth, arm.left), after.at(after.mouth, -after.right)
    return np.array([arm.at(arm.mouth, -arm.right), near, *([] if apex is None else [apex]), far])


def _straight_side(arm: Arm, after: Arm) -> list[Surface]:
    """Return kerb and pavement on the side where no street joins, straight from one arm to the next."""
    surfaces = []
    for out, material, level in ((RIM, "kerb", KERB), (arm.walk, "concrete", PAVEMENT)):
        if out:
            near, far = (arm.mouth, arm.left), (after.mouth, -after.right)
            corners = [arm.at(*near), arm.at(near[0], near[1] + out), after.at(far[0], far[1] - out), after.at(*far)]
            surfaces.append(polygon(np.array(corners), material, level))
    return surfaces


def _paint(arm: Arm, middle: str) -> list[Surface]:
    """Return the island or middle line, lane lines, stop line and crossing of an arm."""
    surfaces, low, high = [], -arm.median / 2, arm.median / 2
    full = high + arm.width * arm.pocket
    split = arm.stop + POCKET + 14 if arm.pocket else arm.stop
    for start, end, top in ((arm.stop, min(split, EDGE), high), (split, EDGE, full)):
        if end - start > 2 and top - low > 0.9:
            line = arm.along(start + 0.3, end, 0)
            surfaces += strip(line, low + 0.15, top - 0.15, "kerb", ISLAND_KERB)
            filling = "grass" if top - low > 2.4 else "concrete"
            surfaces += strip(arm.along(start + 0.5, end, 0), low + 0.3, top - 0.3, filling, ISLAND)
        elif end - start > 2:
            for side in (low, top):
                surfaces += paint_line(arm.along(start, end, side), middle)
    if arm.pocket and high - low > 0.9:  # the island's nose beside the opening pocket
        nose = np.array([arm.at(split - 14, high - 0.2), arm.at(split, high - 0.2), arm.at(split, full - 0.15)])
        surfaces.append(polygon(nose, "kerb", ISLAND_KERB))
    for number in range(1, arm.pocket + arm.inward):
        side, begin = high + number * arm.width, arm.stop + 22
        surfaces += paint_line(arm.along(arm.stop, begin, side))
        end = arm.stop + POCKET + 4 if arm.pocket and number == 1 else EDGE
        surfaces += paint_dashes(arm.along(begin, end, side))
    for number in range(1, arm.outward):
        surfaces += paint_dashes(arm.along(arm.stop, EDGE, low - number * arm.width))
    for side, park in ((arm.left, arm.park), (-arm.right, arm.park)):
        inset = np.sign(side) * (GUTTER + KERB_LANE * park - 0.1)
        if park:
            surfaces += paint_dashes(arm.along(arm.stop + 14, EDGE, side - inset), dash=1.0, gap=1.0)
        else:
            surfaces += paint_line(arm.along(arm.stop, EDGE, side - inset), width=0.12)
    surfaces += strip(arm.along(arm.stop - 0.45, arm.stop, 0), high, arm.left - GUTTER, "paint-white", PAINT)
    if arm.zebra:
        line = np.array([arm.at(arm.stop - 3.2, -arm.right + 0.2), arm.at(arm.stop - 3.2, arm.left - 0.2)])
        surfaces += paint_zebra(line, 3.4)
    return surfaces


def _arrows(arm: Arm, arms: list[Arm]) -> list[Surface]:
    """Return the arrows of an arm's lanes, which say where each leads."""
    if len(arm.lanes_in) < 2:
        return []
    ways = {way_between(arm, other) for other in arms if other is not arm}
    surfaces, last = [], len(arm.lanes_in) - 1
    for number in range(last + 1):
        own = {"straight"} & ways if number or not arm.pocket else set()
        own |= {"left"} & ways if number == 0 else set()
        own |= {"right"} & ways if number == last else set()
        for d in (arm.stop + 9, arm.stop + 34):
            if own:
                surfaces += paint_arrow(arm.at(d, arm.offset_in(number)), arm.angle + np.pi, own)
    return surfaces


def furnish(arms: list[Arm], lit: bool, rng: np.random.Generator) -> list[Prop]:
    """Return signals or signs at the stop lines, and lamps and poles along the streets."""
    props, height, spacing = [], rng.uniform(7, 10), rng.uniform(24, 40)

    def stand(kind: str, arm: Arm, d: float, left: float, tall: float) -> None:
        x, y = arm.at(d, left)
        props.append(Prop(kind, float(x), float(y), float(arm.angle), tall, int(rng.integers(2**31))))

    both = rng.random() < 0.5
    for arm in arms:
        if lit:
            stand("signal", arm, arm.stop, arm.left + 0.8, rng.uniform(4.5, 6.0))
            if arm.median > 1.2:
                stand("signal", arm, arm.stop + 1.0, 0.0, 3.6)
        elif len(arms) == 4 or rng.random() < 0.7:
            stand("sign", arm, arm.stop + 0.5, arm.left + 0.8, 2.6)
        stand("sign", arm, arm.stop + rng.uniform(25, 60), arm.left + 0.8, 2.8)
        if rng.random() < 0.3:
            for d in np.arange(arm.mouth + 15, EDGE, 38):
                stand("pole", arm, d, -arm.right - arm.walk - 0.8, 9.0)
        edge = 0.7
        props += row_of_lamps(
            arm.along(arm.mouth + 3, EDGE, arm.left + edge), rng, side=-1, spacing=spacing, height=height
        )
        if both:
            line = arm.along(arm.mouth + 3, EDGE, -arm.right - edge)
            props += row_of_lamps(line, rng, side=1, spacing=spacing, height=height)
    return props

"""A car park beside a road: one drives in at one end, along one-way aisles between rows of slots, and out at the other.

It is laid out with the road along x and the car park north of it, then mirrored, turned and moved to the middle.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from .roads import (
    ASPHALT,
    ISLAND,
    ISLAND_KERB,
    KERB,
    PAVEMENT,
    RIM,
    connect,
    offset,
    paint_arrow,
    paint_dashes,
    paint_line,
    polygon,
    rectangle,
    resample,
    row_of_lamps,
    strip,
    unit,
)
from .world import Lane, Prop, Surface

REACH, EDGE = 135.0, 210.0
BEND = 5.6  # radius of turns between aisles
MOUTH = 11.0  # metres from the middle of a junction with the road to where its lanes end
AISLE = 7.2
DEEP = 5.9  # length of a slot


@dataclass(slots=True)
class Plan:
    """The measures of a car park, metres.

    aisles: x of each; the first leads in and north, the others south.  south, north: y of its edges.
    lane: width of the road's lanes.  slant: angle between slots and aisles.  wide: width of a slot.
    """

    aisles: list[float]
    south: float
    north: float
    lane: float
    slant: float
    wide: float
    walk: float

    @property
    def west(self) -> float:
        """The x of the western edge."""
        return self.aisles[0] - AISLE / 2 - DEEP - 0.8

    @property
    def east(self) -> float:
        """The x of the eastern edge."""
        return self.aisles[-1] + AISLE / 2 + DEEP + 0.8

    @property
    def top(self) -> float:
        """The y of the way along the north, which leads from the first aisle to the others."""
        return self.north - 4.2

    @property
    def bottom(self) -> float:
        """The y of the way along the south, which leads from the aisles out."""
        return self.south + 4.2


def draw(rng: np.random.Generator) -> tuple[list[Lane], list[Surface], list[Prop], np.ndarray, list[np.ndarray]]:
    """Return lanes, surfaces, props, slots and pavements of a car park."""
    count, south = int(rng.integers(2, 5)), rng.uniform(19, 23)
    pitch = AISLE + 2 * DEEP + rng.uniform(0.3, 2.5)
    if count == 2:  # the junctions at both ends must not run into each other
        pitch = rng.uniform(28, 31)
    first = -pitch * (count - 1) / 2
    plan = Plan(
        aisles=[first + pitch * number for number in range(count)],
        south=south,
        north=south + rng.uniform(42, 74),
        lane=rng.uniform(3.1, 3.6),
        slant=np.radians(float(rng.choice([90.0, 90.0, 70.0, 60.0]))),
        wide=rng.uniform(2.6, 2.9),
        walk=float(rng.choice([0.0, 2.0, 3.0])),
    )
    lanes, slots = _lanes(plan), _slots(plan)
    surfaces = [*_ground(plan), *_paint(plan, slots, rng)]
    props, pavements = _furnish(plan, rng), _walks(plan)
    move = _Move(rng.uniform(-np.pi, np.pi), np.array([0.0, (plan.south + plan.north) / 2 - 8]))
    return (
        [Lane(move.points(lane.line), lane.width, lane.limit, lane.role) for lane in lanes],
        [polygon(move.points(s.outline), s.material, s.level) for s in surfaces],
        [move.prop(prop) for prop in props],
        np.column_stack([move.points(slots[:, :2]), slots[:, 2] + move.turn]),
        [move.points(line) for line in pavements],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Move:
    """Moves `middle` to the origin and turns everything about it."""

    turn: float
    middle: np.ndarray

    def points(self, points: np.ndarray) -> np.ndarray:
        c, s = np.cos(self.turn), np.sin(self.turn)
        return (points - self.middle) @ np.array([[c, s], [-s, c]])

    def prop(self, prop: Prop) -> Prop:
        x, y = self.points(np.array([prop.x, prop.y]))
        return Prop(prop.kind, float(x), float(y), prop.heading + self.turn, prop.height, prop.look)


def _lanes(plan: Plan) -> list[Lane]:
    """Return the lanes of the road, of its two junctions with the car park, and of the aisles."""
    lanes: list[Lane] = []

    def run(points: list[tuple[float, float]], role: str, limit: float, width: float = plan.lane) -> Lane:
        lanes.append(Lane(resample(np.array(points, float)), width, limit, role))
        return lanes[-1]

    def bend(before: Lane, after: Lane, role: str, limit: float) -> None:
        lanes.append(Lane(_smooth(before.line, after.line), before.width, limit, role))

    enter, leave, half = plan.aisles[0], plan.aisles[-1], plan.lane / 2
    fast, between, slow = 11.0, 8.0, 5.0
    # The road, whose lanes are divided at both junctions: eastwards below the axis, westwards above it.
    east = [
        run([(-REACH, -half), (enter - MOUTH, -half)], "in", fast),
        run([(enter + MOUTH, -half), (leave - MOUTH, -half)], "in", between),
        run([(leave + MOUTH, -half), (REACH, -half)], "out", fast),
    ]
    west = [
        run([(REACH, half), (leave + MOUTH, half)], "in", fast),
        run([(leave - MOUTH, half), (enter + MOUTH, half)], "in", between),
        run([(enter - MOUTH, half), (-REACH, half)], "out", fast),
    ]
    for line in (east, west):
        for before, after in itertools.pairwise(line):
            bend(before, after, "turn", fast)
    gate = plan.south - 2.0
    aisle = run([(enter, gate), (enter, plan.top - BEND)], "through", slow, AISLE)
    bend(east[0], aisle, "turn", slow)
    bend(west[1], aisle, "turn", slow)
    out = run([(leave, plan.bottom - BEND), (leave, MOUTH - 2)], "in", slow, AISLE)
    bend(out, west[1], "turn", slow)
    bend(out, east[2], "turn", slow)
    _loops(plan, aisle, out, run, bend)
    return lanes


def _loops(plan: Plan, aisle: Lane, out: Lane, run: object, bend: object) -> None:
    """Add the way along the north, the aisles down from it, and the way along the south to the exit."""
    slow, before = 5.0, aisle
    bottoms: list[Lane] = []
    for number, x in enumerate(plan.aisles[1:], start=1):
        last = number == len(plan.aisles) - 1
        left = plan.aisles[number - 1] + BEND
        across = run([(left, plan.top), (x - BEND, plan.top)], "through", slow, AISLE)
        bend(before, across, "through", slow)
        down = run([(x, plan.top - BEND), (x, plan.bottom + BEND)], "through", slow, AISLE)
        bend(across, down, "through", slow)
        if last:
            bend(down, out, "through", slow)
        else:
            ahead = run(
                [(x + BEND, plan.bottom), (plan.aisles[number + 1] - BEND, plan.bottom)], "through", slow, AISLE
            )
            bend(down, ahead, "through", slow)
            if bottoms:
                bend(bottoms[-1], ahead, "through", slow)
            bottoms.append(ahead)
        before = across
    if bottoms:
        bend(bottoms[-1], out, "through", slow)


def _smooth(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the line from the end of one lane to the beginning of another."""
    first, last = before[-1] - before[-2], after[1] - after[0]
    return connect(before[-1], float(np.arctan2(*first[::-1])), after[0], float(np.arctan2(*last[::-1])))


def _slots(plan: Plan) -> np.ndarray:
    """Return the slots either side of the aisles, float64 [P, 3], headed as one drives in."""
    slots = []
    for number, x in enumerate(plan.aisles):
        ahead = np.pi / 2 if number == 0 else -np.pi / 2
        step = plan.wide / np.sin(plan.slant)
        low, high = plan.bottom + 6.5, plan.top - 6.5
        for side in (-1, 1):
            heading = ahead + side * plan.slant
            reach = AISLE / 2 + DEEP / 2 * np.sin(plan.slant) + 0.5 * (1 - np.sin(plan.slant))
            across = np.sign(np.cos(heading)) * reach
            slots += [[x + across, y, heading] for y in np.arange(low, high, step)]
    return np.array(slots, float)


def _ground(plan: Plan) -> list[Surface]:
    """Return the asphalt of the road and the car park, kerbs and pavements."""
    surfaces: list[Surface] = []
    road, half = np.array([[-EDGE, 0.0], [EDGE, 0.0]]), plan.lane + 0.4

    def box(  # noqa: PLR0917  four numbers are one rectangle
        x0: float, x1: float, y0: float, y1: float, material: str, level: int, rim: float = 0.0
    ) -> None:
        corners = np.array([[x0 - rim, y0 - rim], [x1 + rim, y0 - rim], [x1 + rim, y1 + rim], [x0 - rim, y1 + rim]])
        surfaces.append(polygon(corners, material, level))

    surfaces += strip(road, -half, half, "asphalt", ASPHALT)
    surfaces += strip(road, -half - RIM, half + RIM, "kerb", KERB)
    box(plan.west, plan.east, plan.south, plan.north, "asphalt", ASPHALT)
    box(plan.west, plan.east, plan.south, plan.north, "kerb", KERB, RIM)
    for x in (plan.aisles[0], plan.aisles[-1]):
        flare = [
            (x - 4, plan.south + 1),
            (x - 4, half + 5),
            (x - 9, half - 0.5),
            (x + 9, half - 0.5),
            (x + 4, half + 5),
        ]
        corners = [*flare, (x + 4, plan.south + 1)]
        for wide, material, level in ((0.0, "asphalt", ASPHALT), (RIM, "kerb", KERB)):
            shifted = np.array([(a + np.sign(a - x) * wide, b) for a, b in corners])
            surfaces.append(polygon(shifted[[0, 1, 4, 5]], material, level))
            surfaces.append(polygon(shifted[[1, 2, 3, 4]], material, level))
    if plan.walk:
        surfaces += strip(road, half, half + plan.walk, "concrete", PAVEMENT)
        surfaces += strip(road, -half - plan.walk, -half, "concrete", PAVEMENT)
    return surfaces


def _paint(plan: Plan, slots: np.ndarray, rng: np.random.Generator) -> list[Surface]:
    """Return the lines of slots and road, the arrows of the aisles, and islands at the ends of rows."""
    colour = "paint-white" if rng.random() < 0.75 else "paint-yellow"
    surfaces: list[Surface] = []
    road = np.array([[-EDGE, 0.0], [EDGE, 0.0]])
    surfaces += paint_dashes(road, "paint-yellow" if rng.random() < 0.6 else "paint-white")
    surfaces += paint_line(offset(road, -plan.lane), width=0.12)
    for x, y, heading in slots:
        ahead, left = unit(heading), unit(heading + np.pi / 2)
        for side in (-1, 1):
            foot = np.array([x, y]) + side * plan.wide / 2 * left
            surfaces += paint_line(np.array([foot - DEEP / 2 * ahead, foot + DEEP / 2 * ahead]), colour, 0.1)
    for number, x in enumerate(plan.aisles):
        ahead = np.pi / 2 if number == 0 else -np.pi / 2
        for y in np.linspace(plan.bottom + 8, plan.top - 8, 3):
            surfaces += paint_arrow(np.array([x, y]), ahead, {"straight"}, 3.2)
    leave = plan.aisles[-1]
    surfaces += strip(np.array([[leave - 3.4, MOUTH - 2], [leave + 3.4, MOUTH - 2]]), -0.2, 0.2, "paint-white", 7)
    if len(plan.aisles) == 2 or rng.random() < 0.6:  # where rows meet back to back
        for before, after in zip(plan.aisles, plan.aisles[1:], strict=False):
            x, gap = (before + after) / 2, after - before - AISLE - 2 * DEEP
            for y in (plan.bottom + 4.6, plan.top - 4.6):
                for grow, material, level in ((0.0, "kerb", ISLAND_KERB), (-0.2, "grass", ISLAND)):
                    outline = rectangle(x, y, gap + 2 * DEEP * 0.8, 1.3, 0.0, margin=grow)
                    surfaces.append(polygon(outline, material, level))
    return surfaces


def _furnish(plan: Plan, rng: np.random.Generator) -> list[Prop]:
    """Return lamps between the rows and along the road, and signs at the gates."""
    props: list[Prop] = []
    height = rng.uniform(6, 9)
    edge = plan.lane + 0.4 + plan.walk + 0.5
    props += row_of_lamps(np.array([[-REACH, -edge], [REACH, -edge]]), rng, side=1, spacing=34, height=height)
    rows = [(a + b) / 2 for a, b in zip(plan.aisles, plan.aisles[1:], strict=False)]
    if plan.aisles[1] - plan.aisles[0] - AISLE - 2 * DEEP > 0.7:
        for x in rows:
            line = np.array([[x, plan.bottom + 6], [x, plan.top - 6]])
            props += row_of_lamps(line, rng, side=float(rng.choice([-1, 1])), spacing=22, height=height)
    for x, side in ((plan.west - 1, -1), (plan.east + 1, 1)):
        line = np.array([[x, plan.south + 4], [x, plan.north]])
        props += row_of_lamps(line, rng, side=side, spacing=28, height=height)
    for x in (plan.aisles[0] + 5, plan.aisles[-1] - 5):
        props.append(Prop("sign", x, plan.south - 1.2, -np.pi / 2, 2.6, int(rng.integers(2**31))))
    return props


def _walks(plan: Plan) -> list[np.ndarray]:
    """Return the lines along which people walk: beside the road, and through the car park to its aisles."""
    half = plan.lane + 0.4
    lines = []
    if plan.walk:
        for y in (half + plan.walk / 2, -half - plan.walk / 2):
            lines.append(resample(np.array([[-REACH, y], [REACH, y]])))
    for x in plan.aisles:
        y = _clear_of_ends(plan)
        lines.append(resample(np.array([[x + 2.6, plan.bottom + y], [x + 2.6, plan.top - y]])))
    return lines


def _clear_of_ends(plan: Plan) -> float:
    """Return how far from the ends of an aisle people walk."""
    return 5.0 if plan.north - plan.south > 30 else 3.0

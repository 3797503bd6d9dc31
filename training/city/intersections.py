"""Where three or four streets meet: lanes, what the ground is covered with, lights, signs and pavements.

A street is given in a frame of its own: `d` metres outward from the middle of the junction, `l` metres to the left of
that direction. One drives on the right, so lanes inward lie at l > 0 and lanes outward at l < 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .roads import (
    about_face,
    bezier,
    connect,
    resample,
    turn_between,
    unit,
)
from .world import Lane

REACH = 135.0  # metres from the middle to where lanes end
EDGE = 210.0  # metres to where what lies on the ground ends: far from any lens, so that nothing seems to stop short
POCKET = 52.0  # length of a lane for left turns alone
TURNABOUT = 6.6  # least metres between the lanes of a U-turn
GUTTER = 0.35
KERB_LANE = 2.3  # width of a strip to park in along a kerb


@dataclass(slots=True)
class Arm:
    """One street from the junction outward.

    angle: outward.  main: whether it is of the road that goes first.  inward, outward: how many lanes.
    pocket: whether a lane for left turns opens before the junction.
    median: metres between the directions.  park: whether one parks along its kerbs.  walk: width of the pavements, 0
    for none.  mouth: d at which its corners begin.  stop: d of the stop line, where lanes end and begin.
    """

    angle: float
    main: bool
    inward: int
    outward: int
    pocket: bool
    width: float
    median: float
    park: bool
    walk: float
    zebra: bool
    mouth: float = 0.0
    stop: float = 0.0
    lanes_in: list[int] = field(default_factory=list)
    lanes_out: list[int] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Metres from the axis to the kerb on the inward side."""
        return self.median / 2 + self.width * (self.pocket + self.inward) + GUTTER + KERB_LANE * self.park

    @property
    def right(self) -> float:
        """Metres from the axis to the kerb on the outward side."""
        return self.median / 2 + self.width * self.outward + GUTTER + KERB_LANE * self.park

    def at(self, d: float, left: float) -> np.ndarray:
        """Return a point of the street's frame on the ground, float64 [2]."""
        ahead = unit(self.angle)
        return d * ahead + left * np.array([-ahead[1], ahead[0]])

    def along(self, start: float, end: float, left: float) -> np.ndarray:
        """Return the line between two distances at an offset, float64 [2, 2]."""
        return np.array([self.at(start, left), self.at(end, left)])

    def offset_in(self, number: int) -> float:
        """Return the offset of an inward lane, counted from the axis and the pocket first."""
        return self.median / 2 + self.width * (number + 0.5)

    def offset_out(self, number: int) -> float:
        """Return the offset of an outward lane, counted from the axis."""
        return -self.median / 2 - self.width * (number + 0.5)


def draw_arms(rng: np.random.Generator) -> list[Arm]:
    """Return the streets of a junction, anticlockwise: two opposite ones of a main road, and one or two others."""
    tee = rng.random() < 0.35
    turn, skew = rng.uniform(-np.pi, np.pi), np.radians(rng.uniform(68, 112))
    bends = np.radians(rng.uniform(-9, 9, 2))
    width, walk = rng.uniform(3.1, 3.6), float(rng.choice([0.0, 2.2, 3.0, 4.0], p=[0.15, 0.3, 0.35, 0.2]))
    main, side = int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2])), int(rng.choice([1, 2], p=[0.65, 0.35]))
    side = min(main, side)
    median = float(rng.choice([0.3, rng.uniform(1.2, 2.5), rng.uniform(3.0, 6.0)], p=[0.5, 0.25, 0.25]))
    zebra, park = walk > 0 and rng.random() < 0.7, rng.random(2) < (0.35 if walk else 0.1)
    pocket = rng.random(2) < (0.6 if main > 1 else 0.25)

    def arm(angle: float, road: int) -> Arm:
        lanes, gap = (main, median) if road == 0 else (side, 0.3 if rng.random() < 0.7 else 1.6)
        return Arm(angle, road == 0, lanes, lanes, bool(pocket[road]), width, gap, bool(park[road]), walk, zebra)

    arms = [arm(turn, 0), arm(turn + skew, 1), arm(turn + np.pi + bends[0], 0), arm(turn + skew + np.pi + bends[1], 1)]
    if tee:
        del arms[int(rng.choice([1, 3]))]
    for number, one in enumerate(arms):
        _set_mouth(one, arms[number - 1], arms[(number + 1) % len(arms)], rng.uniform(6.0, 10.0))
    for one in arms:
        one.stop = one.mouth + (6.0 if one.zebra else 1.5)
    return arms


def _set_mouth(arm: Arm, before: Arm, after: Arm, radius: float) -> None:
    """Let an arm's corners begin where its kerbs would meet its neighbours', and a rounding further."""
    reach = [2.0]
    for near, far, angle in (
        (arm.left, after.right, turn_between(arm.angle, after.angle)),
        (arm.right, before.left, turn_between(before.angle, arm.angle)),
    ):
        if np.radians(30) < angle % (2 * np.pi) < np.radians(150):
            reach.append((far + near * np.cos(angle)) / np.sin(angle))
    arm.mouth = max(reach) + radius


def draw_lanes(arms: list[Arm], rng: np.random.Generator) -> list[Lane]:
    """Return the lanes towards, from and across a junction, and note in the arms which are whose."""
    lanes: list[Lane] = []
    fast, slow = rng.choice([12.0, 13.5, 15.0, 17.0][: 2 * arms[0].inward]), rng.choice([9.0, 10.0, 11.0])
    for arm in arms:
        limit = float(fast if arm.main else slow)
        for number in range(arm.pocket + arm.inward):
            start = arm.stop + POCKET if arm.pocket and number == 0 else REACH
            line = resample(arm.along(start, arm.stop, arm.offset_in(number)))
            arm.lanes_in.append(len(lanes))
            lanes.append(Lane(line, arm.width, limit, "in"))
        for number in range(arm.outward):
            line = resample(arm.along(arm.stop, REACH, arm.offset_out(number)))
            arm.lanes_out.append(len(lanes))
            lanes.append(Lane(line, arm.width, limit, "out"))
    for place, arm in enumerate(arms):
        for other in (arms[(place + step) % len(arms)] for step in range(1, len(arms))):
            lanes += _across(arm, other, lanes)
        lanes += _back(arm, lanes)
    return lanes


def way_between(arm: Arm, other: Arm) -> str:
    """Return whether one turns "left" or "right" from one arm into another, or goes "straight"."""
    angle = turn_between(arm.angle + np.pi, other.angle)
    if abs(angle) < np.radians(30):
        return "straight"
    return "left" if angle > 0 else "right"


def _across(arm: Arm, other: Arm, lanes: list[Lane]) -> list[Lane]:
    """Return the lanes through the junction from one arm to another."""
    way, count = way_between(arm, other), len(arm.lanes_in)
    pairs: list[tuple[int, int]]
    if way == "left":
        pairs = [(0, 0)]
    elif way == "right":
        pairs = [(count - 1, other.outward - 1)]
    else:
        pairs = [(number, min(number - arm.pocket, other.outward - 1)) for number in range(int(arm.pocket), count)]
    found = []
    for first, last in pairs:
        source, target = lanes[arm.lanes_in[first]], lanes[other.lanes_out[last]]
        # To the right one hugs the kerb, and begins to turn where it does.
        straight = min(arm.stop - arm.mouth, other.stop - other.mouth) - 0.5 if way == "right" else 0.0
        line = connect(source.line[-1], arm.angle + np.pi, target.line[0], other.angle, straight=straight)
        found.append(Lane(line, min(source.width, target.width), target.limit, "turn"))
    return found


def _back(arm: Arm, lanes: list[Lane]) -> list[Lane]:
    """Return the lane to turn about in, where there is room for one."""
    first = arm.offset_in(0)
    for number, target in enumerate(arm.lanes_out):
        if TURNABOUT <= first - arm.offset_out(number) <= 13:
            line = about_face(lanes[arm.lanes_in[0]].line[-1], arm.angle + np.pi, lanes[target].line[0])
            return [Lane(line, arm.width, arm_limit(lanes, arm), "turn")]
    return []


def arm_limit(lanes: list[Lane], arm: Arm) -> float:
    """Return the limit of an arm's street."""
    return lanes[arm.lanes_in[0]].limit


def draw_phases(arms: list[Arm], rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    """Return which inward lanes have green together; none for a junction without lights."""
    if rng.random() < (0.35 if max(arm.inward for arm in arms) == 1 else 0.0):
        return ()
    phases = []
    for main in (True, False):
        road = [arm for arm in arms if arm.main is main]
        apart = [arm.lanes_in[0] for arm in road if arm.pocket]
        if not apart and len(road) == 2 and rng.random() < (1.0 if road[0].inward == 1 else 0.85):
            phases += [tuple(arm.lanes_in) for arm in road]
            continue
        rest = [lane for arm in road for lane in arm.lanes_in if lane not in apart]
        if len(apart) == len(road) == 2 and rng.random() < 0.7:
            phases += [tuple(apart), tuple(rest)]
        else:
            phases.append(tuple(apart + rest))
    return tuple(phases)


def corner_of(arm: Arm, after: Arm, out: float) -> np.ndarray | None:
    """Return where an arm's left kerb would meet the next one's right, `out` metres behind them; None if nowhere."""
    angle = turn_between(arm.angle, after.angle) % (2 * np.pi)
    if not np.radians(30) < angle < np.radians(150):
        return None
    near, far = arm.left + out, after.right + out
    return arm.at((far + near * np.cos(angle)) / np.sin(angle), near)


def round_corner(arm: Arm, after: Arm, out: float) -> np.ndarray | None:
    """Return the rounded line between an arm's left kerb and the next arm's right one, `out` metres behind the kerbs.

    None where the two are one straight side. Where the junction's mouth has room, it swings from one to the other.
    """
    apex = corner_of(arm, after, out)
    if apex is None:
        return None
    return bezier([arm.at(arm.mouth, arm.left + out), apex, after.at(after.mouth, -after.right - out)], 12)


def walks(arms: list[Arm]) -> list[np.ndarray]:
    """Return the lines along which people walk: round each corner, and over each crossing."""
    lines = []
    for place, arm in enumerate(arms):
        after = arms[(place + 1) % len(arms)]
        if not arm.walk:
            continue
        half = arm.walk / 2
        bend = round_corner(arm, after, half)
        begin, end = arm.at(EDGE, arm.left + half), after.at(EDGE, -after.right - half)
        if bend is None:
            bend = np.array([arm.at(arm.mouth, arm.left + half), after.at(after.mouth, -after.right - half)])
        lines.append(resample(np.vstack([begin, bend, end])))
        if arm.zebra:
            ends = [arm.at(arm.stop - 3.2, -arm.right - half), arm.at(arm.stop - 3.2, arm.left + half)]
            lines.append(resample(np.array(ends)))
    return lines


def kerb_slots(arms: list[Arm], rng: np.random.Generator) -> np.ndarray:
    """Return the places to park along the kerbs, float64 [P, 3]."""
    slots = []
    for arm in arms:
        if not arm.park:
            continue
        for side, heading in ((arm.left, arm.angle + np.pi), (-arm.right, arm.angle)):
            left = side - np.sign(side) * (GUTTER + 0.75)
            for d in np.arange(arm.stop + 16, REACH - 4, 6.3):
                if rng.random() < 0.9:
                    slots.append([*arm.at(d, left), heading])
    return np.array(slots, float).reshape(-1, 3)

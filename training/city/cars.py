"""A vehicle under way: where it is on its lanes, where it is bound for, and the trail it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import Vehicle

DT = 0.1  # seconds a tick


@dataclass(slots=True, eq=False)
class Shift:
    """A change of lane under way. lane, s: where the car would be had it stayed; rate: metres there per metre here."""

    lane: int
    s: float
    rate: float
    begun: float
    length: float


@dataclass(slots=True, eq=False)
class Piece:
    """A stretch of a car's trail from an odometer reading on: at `s` of `lane`, backwards or changing lanes if so."""

    odometer: float
    lane: int
    s: float
    backwards: bool = False
    shift: Shift | None = None


@dataclass(slots=True, eq=False)
class Car:
    """A vehicle under way.

    lane, s: where its middle is.  todo: lanes still to come after this one or those beside it.  goal: the lane of this
    group that it must be on before they come.  eager: m/s² it likes to gain.  headway: seconds.  haste: its share of
    the limit.  claims: lanes of junctions claimed, and the odometer at their start.  blinks: (odometer, to, side).
    """

    vehicle: Vehicle
    lane: int
    s: float
    speed: float
    todo: list[int]
    goal: int
    haste: float
    headway: float
    eager: float
    gap: float
    born: int = 0
    length: float = 0.0
    odometer: float = 0.0
    wish_at: float = 0.0
    waits: int = 0
    blinkers: bool = True
    shift: Shift | None = None
    slot: int = -1
    backwards: bool = False
    pause: int = 0
    done: bool = False
    claims: dict[int, float] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    blinks: list[tuple[float, float, int]] = field(default_factory=list)
    marks: list[tuple[float, float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin the trail."""
        self.length = self.vehicle.size[0]
        self.pieces.append(Piece(0.0, self.lane, self.s, self.backwards))

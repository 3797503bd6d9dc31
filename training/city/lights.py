"""Traffic lights: which lanes have green when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from .world import Layout

    State = Literal["green", "amber", "clearing", "red", "none"]

AMBER, ALL_RED = 3.0, 1.5  # seconds


class Lights:
    """Lights with fixed times, seconds.

    phases: lanes that have green together.  ends: when each phase's green ends in the cycle.  cycle: its length.
    """

    def __init__(self, layout: Layout, rng: np.random.Generator) -> None:
        self.phases = [frozenset(phase) for phase in layout.signals]
        greens = [rng.uniform(*self._span(layout, phase)) for phase in self.phases]
        steps = np.array(greens) + AMBER + ALL_RED
        self.starts = np.concatenate([[0.0], np.cumsum(steps)[:-1]]) if greens else np.zeros(0)
        self.greens = np.array(greens)
        self.cycle = float(steps.sum()) if greens else 0.0
        self.shift = rng.uniform(0, self.cycle) if greens else 0.0
        self.phase_of = {lane: number for number, phase in enumerate(self.phases) for lane in phase}

    @staticmethod
    def _span(layout: Layout, phase: frozenset[int]) -> tuple[float, float]:
        """Return the least and most seconds of green: more for the faster road, little for lanes to turn left alone."""
        entering = [lane for lane in layout.lanes if lane.role == "in"]
        own = [layout.lanes[number] for number in phase]
        if all(len(lane.line) < 0.75 * max(len(other.line) for other in entering) for lane in own):
            return 6.0, 9.0
        fast = max(lane.limit for lane in own) == max(lane.limit for lane in entering)
        return (18.0, 28.0) if fast else (11.0, 17.0)

    def state(self, lane: int, seconds: float) -> State:
        """Return what a lane's light shows at a time; "none" where it has none, "clearing" while all have red."""
        phase = self.phase_of.get(lane)
        if phase is None:
            return "none"
        since = (seconds + self.shift - self.starts[phase]) % self.cycle
        if since < self.greens[phase]:
            return "green"
        if since < self.greens[phase] + AMBER:
            return "amber"
        return "clearing" if since < self.greens[phase] + AMBER + ALL_RED else "red"

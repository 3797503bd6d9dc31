from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.city.layout import build_layout
from nlvr.training.city.traffic import simulate


@pytest.mark.parametrize("kind", ["intersection", "car park"])
def test_people_walk_at_a_walk_and_keep_out_of_the_way(kind):
    seen = hits = 0
    for seed in range(3):
        layout = build_layout(kind, seed)
        motions, walkers = simulate(layout, seed=seed, ticks=400, vehicles_per_minute=25)
        for walker in walkers:
            seen += len(walker.poses)
            assert walker.start >= 0
            assert walker.start + len(walker.poses) <= 400
            assert np.linalg.norm(np.diff(walker.poses[:, :2], axis=0), axis=1).max() < 0.3
            for motion in motions:
                first, last = max(walker.start, motion.start), min(walker.start + len(walker.poses), motion.end)
                if last <= first:
                    continue
                poses = motion.poses[first - motion.start : last - motion.start]
                away = walker.poses[first - walker.start : last - walker.start, :2] - poses[:, :2]
                cosine, sine = np.cos(poses[:, 2]), np.sin(poses[:, 2])
                along, aside = away[:, 0] * cosine + away[:, 1] * sine, away[:, 1] * cosine - away[:, 0] * sine
                length, width, _ = motion.vehicle.size
                hits += int(((np.abs(along) < length / 2) & (np.abs(aside) < width / 2)).sum())
    assert seen > 0
    assert hits < 0.002 * seen


def test_nobody_walks_on_a_highway():
    layout = build_layout("highway", 0)
    assert simulate(layout, seed=0, ticks=50, vehicles_per_minute=20)[1] == ()

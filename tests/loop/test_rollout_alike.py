"""Canaries that are as good as the champion stay, over whole rollouts of simulated traffic; bad ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import SOAK
from tests.loop.alike import DECLARED, World

CANARIES = 1_000 if SOAK else 20
BAD = {"errors": {"errors": 0.05}, "slower": {"late_ms": 300.0}, "score up": {"shift": 3.0}}


def test_canaries_as_good_as_the_champion_are_stopped_in_at_most_one_of_a_hundred_rollouts():
    """Looked at after every one of 180 intervals; 1,000 of them in the long form."""
    stopped = [seed for seed in range(CANARIES) if not all(v["passed"] for v in World(seed).verdicts())]
    assert len(stopped) <= CANARIES / 100


def test_a_z_test_after_every_interval_stops_many_of_the_same_canaries():
    """The negative control: is the share of flagged events of the two arms the same, at 1 %?"""
    stopped = 0
    for seed in range(10):
        world = World(seed)
        rows = world.decisions()
        flagged, canary = rows["probability"].to_numpy() >= 0.2, rows["route"].to_numpy() == "canary"
        n = np.stack([np.cumsum(canary), np.cumsum(~canary)])[:, world.per_minute - 1 :: world.per_minute]
        hits = np.stack([np.cumsum(flagged & canary), np.cumsum(flagged & ~canary)])
        hits = hits[:, world.per_minute - 1 :: world.per_minute]
        both = hits.sum(axis=0) / n.sum(axis=0)
        spread = np.sqrt(both * (1 - both) * (1 / np.maximum(n[0], 1) + 1 / n[1]))
        z = (hits[0] / np.maximum(n[0], 1) - hits[1] / n[1]) / spread
        stopped += bool((np.abs(z[n[0] >= 30]) > 2.576).any())
    assert stopped >= 3


@pytest.mark.parametrize("guard", BAD)
def test_a_canary_that_goes_bad_in_the_middle_is_out_at_the_end_of_that_interval(guard):
    """At 50 % of 3,000 events a minute, after 40 good minutes, on every seed."""
    for seed in range(40 if SOAK else 2):
        world = World(seed, minutes=20, per_minute=3_000, bad_from=40, **BAD[guard])
        rows = world.decisions()
        assert all(v["passed"] for v in world.verdicts(40, rows))
        broken = [v["guard"] for v in world.verdicts(41, rows) if not v["passed"]]
        assert guard in broken
    assert DECLARED.steps[2].share == 0.5

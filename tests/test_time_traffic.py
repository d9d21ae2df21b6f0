"""Random traffic through the door: a jumping clock, repeats, refusals, labels, restarts and a small bound per key."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import SOAK
from tests.test_time_semantics import FromCheckpoints, InMemory
from tests.test_time_semantics_can_fail import (
    CountsRepeatsTwice,
    EvictsTooEarly,
    FirstLabelCounts,
    RestartsWithoutLabels,
    TiesExcluded,
    TimeIsArrival,
)
from weighbridge.errors import Rejected
from weighbridge.testing.semantics.scene import DAY_US, FUTURE_US, HOUR_US, KEPT_US, LATE_US, NOON_US, WEEK_US

MOVES = (0, 0, 0, 1, 1, HOUR_US, HOUR_US, DAY_US, LATE_US, WEEK_US, KEPT_US, KEPT_US - 1, -HOUR_US, -DAY_US)
AHEAD = (0, 0, 0, 0, 1, -1, HOUR_US, FUTURE_US, FUTURE_US + 1, -HOUR_US, -DAY_US, 1 - LATE_US, -LATE_US, -LATE_US - 1)
WHAT = st.sampled_from(["event"] * 6 + ["again", "label", "label", "restart"])
STEP = st.tuples(WHAT, st.sampled_from(MOVES), st.sampled_from(AHEAD), st.integers(0, 11))


STEPS = st.lists(STEP, min_size=20, max_size=60), st.sampled_from([4, 4, 1_000])


@settings(max_examples=2_000 if SOAK else 40)
@given(*STEPS)
def test_whatever_comes_the_vectors_follow_from_the_log(steps, events_per_key):
    drive(InMemory(), steps, events_per_key)


@settings(max_examples=2_000 if SOAK else 40)
@given(*STEPS)
def test_a_restart_from_a_checkpoint_changes_nothing(steps, events_per_key):
    drive(FromCheckpoints(), steps, events_per_key)


class CheckpointsAlone(FromCheckpoints):
    """Forgets what the log holds behind the checkpoint."""

    def restart(self, make, plan, log):
        if not self.path_of(log).exists():
            return super().restart(make, plan, log)
        state = make(plan)
        state.restore(self.path_of(log), log.head().seq)
        return state


@pytest.mark.parametrize(
    "wrong",
    [
        CheckpointsAlone,
        TiesExcluded,
        TimeIsArrival,
        EvictsTooEarly,
        CountsRepeatsTwice,
        FirstLabelCounts,
        RestartsWithoutLabels,
    ],
)
def test_wrong_stores_do_not_get_through(wrong):
    @settings(max_examples=400, phases=[Phase.generate], derandomize=True)
    @given(*STEPS)
    def driven(steps, events_per_key):
        drive(wrong(), steps, events_per_key)

    with pytest.raises(AssertionError):
        driven()


def drive(suite, steps, events_per_key):
    """Play the steps on an empty scene and prove what was served."""
    scene, wall_us, sent, refused = suite.scene(events_per_key=events_per_key), NOON_US, {}, set()
    for number, (what, move_us, ahead_us, choice) in enumerate(steps):
        wall_us += move_us
        scene.clock.set(wall_us)
        if what == "restart":
            scene.restart()
        elif what == "label":
            scene.label(f"e{choice}", number % 2, arrived_us=wall_us)
        elif what == "again" and sent:
            event_id = sorted(sent)[choice % len(sent)]
            at_us, fields = sent[event_id]
            assert scene.vector(event_id, at_us, arrived_us=wall_us, **fields) == scene.door.served[event_id]
        else:
            event_id, at_us = f"e{len(sent)}", scene.door.arrival_us() + ahead_us
            fields = {"card": f"c{choice % 2}", "shop_id": f"s{choice % 3}", "amount": choice / 4, "items": choice}
            try:
                scene.vector(event_id, at_us, arrived_us=wall_us, **fields)
            except Rejected as rejected:
                refused.add(rejected.rule)
            else:
                sent[event_id] = at_us, fields
    assert refused <= {"late", "future", "events_per_key"}
    assert set(scene.door.served) == set(sent)
    scene.proven()

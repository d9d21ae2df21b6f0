"""Wrong stores and wrong doors, and the scenario that notices each by the numbers written in it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from tests.test_time_semantics import InMemory
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.validate import parse_event
from weighbridge.records import LabelRecord
from weighbridge.score.rollups import Rollups, segments
from weighbridge.stores.state import MemoryState
from weighbridge.testing.semantics.door import Door
from weighbridge.testing.semantics.proof import prove
from weighbridge.testing.semantics.scene import NOON_US, PSEUDONYMS, Scene
from weighbridge.testing.time_semantics import TimeSemantics


class WrongDeclaration(InMemory):
    """A state that was built for slightly other windows or allowances."""

    def make_state(self, plan):
        return MemoryState(compile_plan(self.altered(plan.case)))

    def altered(self, case):
        return case


class EvictsTooEarly(WrongDeclaration):
    def altered(self, case):
        shorter = [replace(f, late="259199999999us") if f is case.events.time else f for f in case.events.fields]
        return replace(case, events=replace(case.events, fields=shorter))


class OpenTooFar(WrongDeclaration):
    def altered(self, case):
        return windows(case, lambda a: {"last_us": a.last_us + 1})


class ClosesTooEarly(WrongDeclaration):
    def altered(self, case):
        return windows(case, lambda a: {"until_us": a.until_us + 1})


class ForgetsTheZone(WrongDeclaration):
    def altered(self, case):
        return replace(case, features=[replace(f, zone="UTC") if hasattr(f, "zone") else f for f in case.features])


class KeysInOneHistory(WrongDeclaration):
    def make_state(self, plan):
        return Altered(MemoryState(plan), lambda e: replace(e, values=("c1", PSEUDONYMS.of("s1"), *e.values[2:])))


def windows(case, change):
    made = [replace(f, **change(f)) if hasattr(f, "last_us") else f for f in case.features]
    return replace(case, features=made)


class Altered:
    """A state that hears every event altered."""

    def __init__(self, state, alter, alter_asked=None):
        self.state, self.alter, self.alter_asked = state, alter, alter_asked or alter
        self.waiting = 0

    def vector(self, event):
        return self.state.vector(self.alter_asked(event))

    def append(self, event):
        self.state.append(self.alter(event))

    def label(self, label, event):
        self.state.label(label, event)
        self.waiting = self.state.waiting

    def load(self, events, labels, find):
        self.state.load(events, labels, find)
        self.waiting = self.state.waiting


class WrongState(InMemory):
    Kept = MemoryState

    def make_state(self, plan):
        return self.Kept(plan)


class UndefinedIsZero(WrongState):
    class Kept(MemoryState):
        def vector(self, event):
            return np.nan_to_num(np.frombuffer(super().vector(event), dtype="<f4")).tobytes()


class TiesExcluded(InMemory):
    def make_state(self, plan):
        return Altered(MemoryState(plan), lambda e: e, lambda e: replace(e, event_us=e.event_us - 1))


class TimeIsArrival(InMemory):
    def make_state(self, plan):
        return Altered(MemoryState(plan), lambda e: replace(e, event_us=e.arrived_us))


class WrongDoor(InMemory):
    Entrance = Door

    def make_door(self, case, log, state, clock):
        return self.Entrance(case, log, state, clock, PSEUDONYMS)


class ArrivalIsTheWall(WrongDoor):
    class Entrance(Door):
        def arrival_us(self):
            return self.clock.now_us()


class CountsRepeatsTwice(WrongDoor):
    class Entrance(Door):
        def again(self, event, stored):
            self.state.append(replace(event, event_id=event.event_id + " again"))
            return super().again(event, stored)


class AnswersRepeatsAnew(WrongDoor):
    class Entrance(Door):
        def again(self, event, stored):
            return self.state.vector(event)


class TakesAnything(WrongDoor):
    """Forgets lateness: what is too late or too early is taken as if it had come in time."""

    class Entrance(Door):
        def decide(self, body):
            at = self.case.events.time
            wide = [replace(f, late="99d", future="99d") if f is at else f for f in self.case.events.fields]
            event = parse_event(replace(self.case.events, fields=wide), body, self.arrival_us(), PSEUDONYMS)
            found = self.log.find(event.event_id)
            return self.take(event) if found is None else self.again(event, found[1])


class WithoutALock(WrongDoor):
    class Entrance(Door):
        def __init__(self, *parts):
            super().__init__(*parts)
            self._lock = nullcontext()

        def take(self, event):
            self.state, state = Slow(self.state), self.state
            try:
                return super().take(event)
            finally:
                self.state = state


class Slow:
    def __init__(self, state):
        self.state = state

    def vector(self, event):
        vector = self.state.vector(event)
        time.sleep(0.002)
        return vector

    def append(self, event):
        self.state.append(event)


class DropsEarlyLabels(WrongState):
    class Kept(MemoryState):
        def label(self, label, event):
            if event is not None:
                super().label(label, event)


class FirstLabelCounts(WrongState):
    class Kept(MemoryState):
        def label(self, label, event):
            known = self.__dict__.setdefault("known", set())
            if label.event_id not in known:
                known.add(label.event_id)
                super().label(label, event)


class LabelsWaitForTheNight(WrongDoor):
    """The log has a label at once; the state would hear of it later, in a batch."""

    class Entrance(Door):
        def label(self, event_id, value, source="test"):
            self.log.commit([], [LabelRecord(event_id, value, self.arrival_us(), source)])


class ForgetsTheLatestArrival(WrongDoor):
    class Entrance(Door):
        def __init__(self, *parts):
            super().__init__(*parts)
            self._latest_us = 0


class RestartsWithoutLabels(InMemory):
    def restart(self, make, plan, log):
        state = make(plan)
        state.load(log.events(), log.labels().slice(0, 0), log.find)
        return state


class TruncatesOverTheBudget(InMemory):
    """A state whose budget holds a hundred events: what is beyond is forgotten instead of spilled."""

    class Kept(MemoryState):
        def append(self, event):
            taken = self.__dict__["taken"] = self.__dict__.get("taken", 0) + 1
            if taken <= 100:
                super().append(event)

    def make_state_within(self, plan, budget_bytes):
        return self.Kept(plan)


class RowsComeLate(WrongDoor):
    """The newest segment of child rows is not seen yet."""

    class Entrance(Door):
        def rolled_up(self, event):
            known = segments(self.log, self.child_rows)
            newest = max((seq for parts in known.values() for seq, _ in parts), default=0)
            seen = {name: [part for part in parts if part[0] < newest] for name, parts in known.items()}
            return Rollups(compile_plan(self.case), seen).of(event)


class RowsSentAreForgotten(WrongDoor):
    class Entrance(Door):
        def rolled_up(self, event):
            return replace(event, partials=super().rolled_up(replace(event, sent=None)).partials)


class TheOldestRowCounts(WrongDoor):
    class Entrance(Door):
        def rolled_up(self, event):
            known = {name: parts[::-1] for name, parts in segments(self.log, self.child_rows).items()}
            return Rollups(compile_plan(self.case), known).of(event)


NOTICED = [
    (UndefinedIsZero, "an_empty_key_counts_nothing"),
    (OpenTooFar, "an_event_exactly_last_old_is_out"),
    (ClosesTooEarly, "an_event_exactly_until_old_is_in"),
    (TiesExcluded, "ties_count_in_the_order_of_arrival"),
    (TimeIsArrival, "a_late_event_changes_no_earlier_vector"),
    (TakesAnything, "an_event_too_late_is_refused"),
    (TimeIsArrival, "the_near_future_is_invisible_until_it_is_there"),
    (TakesAnything, "the_far_future_is_refused"),
    (CountsRepeatsTwice, "the_same_event_again_gets_the_same_vector"),
    (AnswersRepeatsAnew, "the_same_event_again_gets_the_same_vector"),
    (ArrivalIsTheWall, "arrival_does_not_fall_with_the_clock"),
    (LabelsWaitForTheNight, "a_label_counts_from_its_arrival_on"),
    (DropsEarlyLabels, "a_label_may_come_before_its_event"),
    (FirstLabelCounts, "a_correction_wins_from_its_arrival_on"),
    (FirstLabelCounts, "of_two_labels_in_conflict_the_latest_counts"),
    (OpenTooFar, "a_label_is_of_its_events_time"),
    (ForgetsTheZone, "hours_follow_the_zone_over_daylight_saving"),
    (OpenTooFar, "a_day_is_24_hours_on_the_day_the_clocks_change"),
    (OpenTooFar, "the_leap_day_is_a_day"),
    (RowsComeLate, "child_rows_count_from_their_arrival_on"),
    (RowsSentAreForgotten, "child_rows_sent_with_an_event_take_the_place_of_stored_ones"),
    (TheOldestRowCounts, "the_newest_child_row_of_a_key_counts"),
    (RowsComeLate, "child_rows_count_once_their_parent_is_there"),
    (UndefinedIsZero, "a_child_table_that_never_came_is_empty"),
    (RestartsWithoutLabels, "a_restart_in_mid_stream_changes_nothing"),
    (ForgetsTheLatestArrival, "arrival_does_not_fall_over_a_restart"),
    (EvictsTooEarly, "eviction_at_the_edge_of_retention_is_not_seen"),
    (KeysInOneHistory, "keys_do_not_touch_one_another"),
    (WithoutALock, "two_threads_see_one_order"),
    (OpenTooFar, "a_hot_key_is_exact"),
    (TruncatesOverTheBudget, "spilling_is_not_seen"),
]


@pytest.mark.parametrize(("wrong", "scenario"), NOTICED, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_what_is_wrong_is_noticed(wrong, scenario, monkeypatch):
    """By the expectations alone: a fault that oracle, replay and state had in common would be noticed too."""
    monkeypatch.setattr(Scene, "proven", lambda self, sampled=None: None)
    with pytest.raises(AssertionError):
        getattr(wrong(), f"test_{scenario}")()


def test_every_scenario_can_fail():
    assert {f"test_{name}" for _, name in NOTICED} == {n for n in dir(TimeSemantics) if n.startswith("test_")}


def scene_of_two():
    scene = InMemory().scene()
    scene.event("a", NOON_US)
    scene.event("b", NOON_US + 1)
    scene.proven()
    return scene


def test_the_proof_notices_one_wrong_bit():
    scene = scene_of_two()
    right = scene.door.served["b"]
    scene.door.served["b"] = bytes([right[0] ^ 1]) + right[1:]
    with pytest.raises(AssertionError, match="card_count_1h"):
        scene.proven()


def test_the_proof_notices_a_vector_without_an_event():
    scene = scene_of_two()
    scene.door.served["c"] = scene.door.served["b"]
    with pytest.raises(AssertionError, match="not in the log"):
        prove(scene.case, scene.log, scene.door.served)


def test_the_proof_notices_what_was_refused_and_yet_stored():
    scene = scene_of_two()
    scene.refused.append("a")
    with pytest.raises(AssertionError, match="refused"):
        scene.proven()


def test_the_proof_notices_a_state_that_is_no_function_of_the_log():
    scene = scene_of_two()
    scene.door.state.append(replace(scene.log.find("b")[1], event_id="c"))
    with pytest.raises(AssertionError, match="function of the log"):
        scene.proven()


class NeverSpills(InMemory):
    budget_bytes = 1 << 26


def test_a_state_that_never_spilled_shows_nothing():
    with pytest.raises(AssertionError, match="nothing was spilled"):
        NeverSpills().test_spilling_is_not_seen()

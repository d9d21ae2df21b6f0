"""One scene of the suite: a log, a state and a door at a clock that the scenario moves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from weighbridge.clock import Clock, ManualClock, iso_to_us, us_to_iso
from weighbridge.declare import Contract, UseCase
from weighbridge.errors import Rejected
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.plan import Plan, compile_plan
from weighbridge.ports import Log, StateStore
from weighbridge.ports.rows import RowStore
from weighbridge.records import EventRecord
from weighbridge.stores.rows import MemoryRows
from weighbridge.testing.samples import sample_case
from weighbridge.testing.semantics.door import Door
from weighbridge.testing.semantics.proof import prove

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US
LATE_US, FUTURE_US = 3 * DAY_US, 2 * HOUR_US  # what the sample contract allows
KEPT_US = WEEK_US + LATE_US  # longest window and allowed lateness: what a state must retain
NOON_US = iso_to_us("2026-03-10T12:00:00Z")

Features = dict[str, float]
PSEUDONYMS = Pseudonyms(b"time semantics")


class Scenes:
    """The factories that a suite is given, and what every scenario starts and ends with."""

    def make_log(self, contract: Contract) -> Log:
        """Return an empty log."""
        raise NotImplementedError

    def make_state(self, plan: Plan) -> StateStore:
        """Return an empty state."""
        raise NotImplementedError

    def make_state_within(self, plan: Plan, budget_bytes: int) -> StateStore | None:
        """Return an empty state that spills above a memory budget; None where the store has no budget."""
        return None

    def has_spilled(self, state: StateStore) -> bool:
        """Return whether a state of `make_state_within` has outgrown its budget. Default: it is taken on trust."""
        return True

    def make_rows(self) -> RowStore:
        """Return an empty store of child rows. Default: one in memory."""
        return MemoryRows()

    def make_door(self, case: UseCase, log: Log, state: StateStore, clock: Clock) -> Door:
        """Return the door that scenarios go through."""
        return Door(case, log, state, clock, PSEUDONYMS)

    def reopen(self, log: Log) -> Log:
        """Return the log as a new process finds it. Default: the same object."""
        return log

    def restart(self, make: Callable[[Plan], StateStore], plan: Plan, log: Log) -> StateStore:
        """Return the state as a new process builds it from the log."""
        state = make(plan)
        state.load(log.events(), log.labels(), log.find)
        return state

    def scene(
        self, make: Callable[[Plan], StateStore] | None = None, events_per_key: int = 0, case: UseCase | None = None
    ) -> Scene:
        """Return an empty scene of a case (default: the sample case); `events_per_key` raises its contract's bound."""
        case = case or sample_case()
        if events_per_key:
            case = replace(case, events=replace(case.events, events_per_key=events_per_key))
        return Scene(self, case, make or self.make_state)


class Scene:
    """What one scenario plays on. Times are microseconds UTC; an event arrives when it happens unless it says so."""

    def __init__(self, suite: Scenes, case: UseCase, make: Callable[[Plan], StateStore]) -> None:
        self.suite, self.case, self.make = suite, case, make
        self.plan = compile_plan(case)
        self.clock = ManualClock()
        self.log = suite.make_log(case.events)
        self.child_rows = suite.make_rows()
        self._enter(make(self.plan))
        self.refused: list[str] = []

    def _enter(self, state: StateStore) -> None:
        self.door = self.suite.make_door(self.case, self.log, state, self.clock)
        self.door.child_rows = self.child_rows

    def rows(self, table: str, *rows: Mapping[str, object], arrived_us: int) -> None:
        """Send rows of a child table."""
        self.clock.set(arrived_us)
        self.door.take_rows(table, rows)

    def vector(self, event_id: str, at_us: int, *, arrived_us: int | None = None, **fields: object) -> bytes:
        """Send an event; return its vector. Raises Rejected or Conflict."""
        self.clock.set(at_us if arrived_us is None else arrived_us)
        return self.door.decide(body(event_id, at_us, **fields))

    def event(self, event_id: str, at_us: int, *, arrived_us: int | None = None, **fields: object) -> Features:
        """Send an event; return its vector by feature name. Raises Rejected or Conflict."""
        vector = self.vector(event_id, at_us, arrived_us=arrived_us, **fields)
        return dict(zip(self.case.feature_names, np.frombuffer(vector, dtype="<f4").tolist(), strict=True))

    def refusal(self, event_id: str, at_us: int, *, arrived_us: int | None = None) -> str:
        """Send an event that must be rejected; return the rule it breaks."""
        try:
            self.event(event_id, at_us, arrived_us=arrived_us)
        except Rejected as rejected:
            self.refused.append(event_id)
            return rejected.rule
        raise AssertionError(f"event {event_id} was not rejected")

    def label(self, event_id: str, value: int, *, arrived_us: int, source: str = "test") -> None:
        """Send a label."""
        self.clock.set(arrived_us)
        self.door.label(event_id, value, source)

    def restart(self) -> None:
        """Go on as a new process does: the log as it is found, the state built from it."""
        self.log = self.suite.reopen(self.log)
        served = self.door.served
        state = self.suite.restart(self.make, self.plan, self.log)
        self._enter(state)
        self.door.served = served

    def import_history(self, events: pa.Table, labels: pa.Table) -> None:
        """Start from a history: into the empty log, and a state built from it."""
        self.log.import_history(events, labels)
        self.restart()

    def proven(self, sampled: Collection[str] | None = None) -> None:
        """Assert what ends every scenario.

        The served vectors equal oracle and replay, what was refused is not in the log, and a state built from the
        log answers the next event as the one that lived through it does.
        """
        prove(self.case, self.log, self.door.served, sampled, self.child_rows)
        for event_id in self.refused:
            assert not self.log.holds(event_id), f"refused event {event_id} is in the log"
        now_us = self.door.arrival_us()
        built = self.suite.restart(self.make, self.plan, self.log)
        for at_us in (now_us - LATE_US, now_us, now_us + FUTURE_US):
            probe = EventRecord("probe", at_us, now_us, ("c1", PSEUDONYMS.of("s1"), 100, None, 1, "web"))
            probe = self.door.rolled_up(probe)
            assert asked(self.door.state, probe) == asked(built, probe), "the state is not a function of the log"


def asked(state: StateStore, event: EventRecord) -> bytes | str:
    """Return the vector of an event, or the rule by which a state refuses it."""
    try:
        return state.vector(event)
    except Rejected as rejected:
        return rejected.rule


def body(event_id: str, at_us: int, **fields: object) -> dict[str, object]:
    """Return a raw event of the sample contract: card c1 at shop s1 pays 1.00, unless fields say otherwise."""
    usual = {"card": "c1", "shop_id": "s1", "amount": 1.0, "items": 1, "device": "web"}
    return {"event_id": event_id, "at": us_to_iso(at_us), **usual, **fields}


def is_undefined(value: float) -> bool:
    """Whether a float32 value is the one canonical NaN."""
    return np.float32(value).tobytes() == b"\x00\x00\xc0\x7f"

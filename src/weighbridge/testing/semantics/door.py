"""The door that the time-semantics suite drives: an event's way as `score.decide` goes it, without a model."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, Rejected
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.child_rows import parse_batch
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.validate import parse_event
from weighbridge.ports import Log, StateStore
from weighbridge.ports.rows import ROWS, RowStore
from weighbridge.records import DecisionRecord, EventRecord, LabelRecord, Note
from weighbridge.score.rollups import Rollups, segments


class Door:
    """Takes in events and labels one at a time, in the order of arrival, and remembers each vector it served.

    `served`: little-endian float32 bytes by event id. Arrivals never fall, even where the clock does. `child_rows` has
    the segments that the log names.
    """

    child_rows: RowStore

    def __init__(self, case: UseCase, log: Log, state: StateStore, clock: Clock, pseudonyms: Pseudonyms) -> None:
        self.case, self.log, self.state, self.clock, self.pseudonyms = case, log, state, clock, pseudonyms
        self.served: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._latest_us = log.head().arrived_us

    def arrival_us(self) -> int:
        """Return when what comes in now arrives: the clock's present, or the latest arrival where that is later."""
        return max(self.clock.now_us(), self._latest_us)

    def decide(self, body: Mapping[str, object]) -> bytes:
        """Return the vector of a raw event; the same event again gets the same vector.

        Raises Rejected for an event that breaks its contract, Conflict for a known id with other content; then
        nothing has changed.
        """
        with self._lock:
            try:
                event = parse_event(self.case.events, body, self.arrival_us(), self.pseudonyms)
            except Rejected as rejected:
                known = self.log.find(str(body.get(self.case.events.id.name)))
                if rejected.rule != "late" or known is None:
                    raise
                event = parse_event(self.case.events, body, known[1].arrived_us, self.pseudonyms)
            found = self.log.find(event.event_id)
            return self.take(event) if found is None else self.again(event, found[1])

    def take(self, event: EventRecord) -> bytes:
        """Serve, store and remember a new event."""
        event = self.rolled_up(event)
        vector = self.state.vector(event)
        self.log.commit([(event, _decision(event, vector))])
        self.state.append(event)
        self._latest_us = event.arrived_us
        self.served[event.event_id] = vector
        return vector

    def rolled_up(self, event: EventRecord) -> EventRecord:
        """Return an event with the partials of its child rows, as they are now."""
        return Rollups(compile_plan(self.case), segments(self.log, self.child_rows)).of(event)

    def take_rows(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Take in raw rows of a child table: from here on they count. Raises ValueError for one that is rejected."""
        with self._lock:
            child = next(child for child in self.case.children if child.name == table)
            good, rejects = parse_batch(child, rows, self.pseudonyms)
            if rejects.rows:
                raise ValueError(f"row {rejects.rows[0]} of {table}: {rejects.fields[0]}: {rejects.details[0]}")
            written, arrived_us = self.child_rows.write(child, [good]), self.arrival_us()
            self.log.commit([], [Note(ROWS, {"table": table, "name": written.name, "rows": written.rows}, arrived_us)])
            self._latest_us = arrived_us

    def again(self, event: EventRecord, stored: EventRecord) -> bytes:
        """Return the vector that was served for a stored event. Raises Conflict where the content differs."""
        decision = self.log.decision(event.event_id)
        if decision is None or not stored.same_content(event):
            raise Conflict(f"event {event.event_id} is stored already with other content, or as history")
        return decision.vector

    def label(self, event_id: str, value: int, source: str = "test") -> None:
        """Take in what came of an event, which may still be to come: 0 or 1."""
        with self._lock:
            known = self.log.find(event_id)
            label = LabelRecord(event_id, value, self.arrival_us(), source)
            self.log.commit([], [label])
            self.state.label(label, known[1] if known else None)
            self._latest_us = label.arrived_us


def _decision(event: EventRecord, vector: bytes) -> DecisionRecord:
    return DecisionRecord(
        decision_id=f"decision-{event.event_id}",
        event_id=event.event_id,
        bundle="",
        vector=vector,
        probability=0.5,
        level="low",
        action="approve",
        rules=(),
        degraded=(),
        decided_us=event.arrived_us,
        latency_us=0,
        trace_id="",
    )

"""An event as it comes in: held against its contract, and against what is known under its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, Rejected
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.validate import parse_event
from weighbridge.ports import Stores
from weighbridge.records import EventRecord
from weighbridge.score.answer import Answer, Scored
from weighbridge.score.rollups import rollups_of


class Intake:
    """Reads events. `scored` are those that are not in the log yet, by id; `rollups` know the child rows of the log."""

    def __init__(self, case: UseCase, stores: Stores, scored: Mapping[str, Scored]) -> None:
        self._contract, self._stores = case.events, stores
        self._scored = scored
        self.rollups = rollups_of(compile_plan(case), stores)

    def read(self, body: Mapping[str, object], arrived_us: int) -> tuple[EventRecord, EventRecord | None]:
        """Return an event, and what was scored or stored under its id before; it says the same.

        Raises Rejected for an event that breaks its contract, Conflict for a known id with other content.
        """
        try:
            event = parse_event(self._contract, body, arrived_us, self._stores.pseudonyms)
        except Rejected as rejected:
            # a retry may come when the event itself is too late by now: it still gets its answer
            event_id = body.get(self._contract.id.name)
            earlier = self.earlier(event_id) if rejected.rule == "late" and isinstance(event_id, str) else None
            if earlier is None:
                raise
            event = parse_event(self._contract, body, earlier.arrived_us, self._stores.pseudonyms)
        earlier = self.earlier(event.event_id)
        if earlier is not None and self._contract.time is None:
            event = replace(event, event_us=earlier.event_us)  # it happened when it arrived first
        if earlier is not None and not earlier.same_content(event):
            raise Conflict(
                f"event {event.event_id} is stored already with other content; send a new id for a new event"
            )
        return (event, earlier) if earlier else (self.rollups.of(event), None)

    def earlier(self, event_id: str) -> EventRecord | None:
        """Return the event of this id that was scored or stored before."""
        if event_id in self._scored:
            return self._scored[event_id].event
        found = self._stores.log.find(event_id)
        return found[1] if found else None

    def repeated(self, event: EventRecord) -> Answer:
        """Return the answer that a stored event was given. Raises Conflict when it was never decided."""
        decision = self._stores.log.decision(event.event_id)
        if decision is None:
            raise Conflict(f"event {event.event_id} is stored already as history, without a decision")
        return Answer(decision, repeated=True)

"""One event's way: contract, idempotency, state, vector, model, policy, one durable write, answer."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, Rejected, StoreFailure
from weighbridge.identity import ulid_at
from weighbridge.kernel.rules import json_type, reject
from weighbridge.kernel.validate import parse_event
from weighbridge.ports import StateStore, Stores
from weighbridge.records import DecisionRecord, EventRecord, LabelRecord
from weighbridge.score.route import Router

MOST_WAITING = 100_000  # labels that may wait for their event


@dataclass(frozen=True)
class Answer:
    """A decision as the caller sees it. `repeated`: the event was decided before, and this is that decision."""

    decision: DecisionRecord
    repeated: bool

    def body(self) -> dict[str, Any]:
        """Return the answer's JSON members; the same for a repeated event."""
        d = self.decision
        return {
            "decision_id": d.decision_id,
            "event_id": d.event_id,
            "prediction": int(d.action != "approve"),
            "probability": d.probability,
            "risk_level": d.level,
            "action": d.action,
            "model_version": d.bundle[:12],
            "degraded": list(d.degraded),
            "trace_id": d.trace_id,
        }


class Desk:
    """Decides events and takes in labels, one at a time, in the order of arrival."""

    def __init__(self, case: UseCase, stores: Stores, state: StateStore, clock: Clock) -> None:
        self.case, self.stores, self.clock = case, stores, clock
        self.router = Router(case, stores)
        self._state = state
        self._lock = threading.Lock()
        self._latest_us = stores.log.head().arrived_us

    def decide(self, body: Mapping[str, object], trace_id: str) -> Answer:
        """Decide one raw event.

        Raises Rejected for an event that breaks its contract, Conflict for a known id with other content,
        StoreFailure when nothing could be stored or no bundle is in production; then nothing has changed.
        """
        started = time.perf_counter_ns()
        with self._lock:
            arrived_us = max(self.clock.now_us(), self._latest_us)
            try:
                event = parse_event(self.case.events, body, arrived_us, self.stores.pseudonyms)
            except Rejected as rejected:
                # a retry may come when the event itself is too late by now: it still gets its answer
                known = self._known(body, rejected)
                if known is None:
                    raise
                return known
            known = self._repeated(event)
            if known is not None:
                return known
            decision = self._score(event, trace_id, started)
            self.stores.log.commit(event, decision)
            self._state.append(event)
            self._latest_us = arrived_us
            return Answer(decision, repeated=False)

    def _score(self, event: EventRecord, trace_id: str, started: int) -> DecisionRecord:
        champion = self.router.champion
        if champion is None:
            raise StoreFailure(
                self.router.refusal or "no bundle is in production; train and promote one with `weigh run`"
            )
        vector = self._state.vector(event)
        values = np.frombuffer(vector, dtype="<f4").reshape(1, -1)
        probability = float(champion.scorer.probability(values)[0])
        return DecisionRecord(
            decision_id=ulid_at(event.arrived_us, hashlib.sha256(event.event_id.encode()).digest()),
            event_id=event.event_id,
            bundle=champion.id,
            vector=vector,
            probability=probability,
            level=champion.thresholds.level(probability),
            action=champion.thresholds.action(probability),
            degraded=(),
            decided_us=event.arrived_us,
            latency_us=(time.perf_counter_ns() - started) // 1_000,
            trace_id=trace_id,
        )

    def _repeated(self, event: EventRecord) -> Answer | None:
        found = self.stores.log.find(event.event_id)
        if found is None:
            return None
        if not found[1].same_content(event):
            raise Conflict(
                f"event {event.event_id} is stored already with other content; send a new id for a new event"
            )
        decision = self.stores.log.decision(event.event_id)
        if decision is None:
            raise Conflict(f"event {event.event_id} is stored already as history, without a decision")
        return Answer(decision, repeated=True)

    def _known(self, body: Mapping[str, object], rejected: Rejected) -> Answer | None:
        """Return the stored answer of an event that is refused only because its retry came too late."""
        event_id = body.get(self.case.events.id.name)
        if rejected.rule != "late" or not isinstance(event_id, str):
            return None
        found = self.stores.log.find(event_id)
        if found is None:
            return None
        return self._repeated(parse_event(self.case.events, body, found[1].arrived_us, self.stores.pseudonyms))

    def feedback(self, body: Mapping[str, object]) -> bool:
        """Take in one label: `event_id`, `label` (0 or 1) and optionally `source`; return whether the event is known.

        A label may precede its event. Raises Rejected, or StoreFailure when nothing could be stored.
        """
        for name in body:
            if name not in ("event_id", "label", "source"):
                raise reject(str(name)[:64], "known")
        event_id, value, source = body.get("event_id"), body.get("label"), body.get("source", "feedback")
        if not isinstance(event_id, str) or not 1 <= len(event_id) <= 256:
            raise reject("event_id", "type", f"text of 1 to 256 characters, not {json_type(event_id)}")
        if isinstance(value, bool) or value not in (0, 1) or not isinstance(value, int):
            raise reject("label", "type", f"0 or 1, not {json_type(value)}")
        if not isinstance(source, str) or not 1 <= len(source) <= 64:
            raise reject("source", "type", "text of 1 to 64 characters")
        with self._lock:
            known = self.stores.log.find(event_id)
            if known is None and self._state.waiting >= MOST_WAITING:
                raise StoreFailure(f"{MOST_WAITING:,} labels wait for events that have not come; send the events first")
            arrived_us = max(self.clock.now_us(), self._latest_us)
            label = LabelRecord(event_id, value, arrived_us, source)
            self.stores.log.add_label(label)
            self._state.label(label, known[1] if known else None)
            self._latest_us = arrived_us
            return known is not None

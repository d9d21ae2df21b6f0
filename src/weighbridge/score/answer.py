"""What the desk makes of an event on the way to its answer."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from weighbridge.identity import ulid_at
from weighbridge.records import DecisionRecord, EventRecord, Reason
from weighbridge.score.bundle import Bundle
from weighbridge.score.promise import Promise
from weighbridge.score.route import CHAMPION
from weighbridge.score.rulebook import Rulebook, Verdict


@dataclass(frozen=True)
class Answer:
    """A decision as the caller sees it. `repeated`: the event was decided before, and this is that decision."""

    decision: DecisionRecord
    repeated: bool

    def body(self) -> dict[str, Any]:
        """Return the answer's JSON members; the same for a repeated event."""
        d = self.decision
        body = {
            "decision_id": d.decision_id,
            "event_id": d.event_id,
            "prediction": int(d.action != "approve"),
            "probability": d.probability,
            "risk_level": d.level,
            "action": d.action,
            "rules": list(d.rules),
            "reasons": [asdict(reason) for reason in d.reasons or ()],
            "model_version": d.bundle[:12] or None,
            "route": d.route,
            "degraded": list(d.degraded),
            "trace_id": d.trace_id,
        }
        if d.propensity is not None:
            body["propensity"] = d.propensity
        return body


@dataclass(frozen=True)
class Scored:
    """An event that was decided and is not committed yet, and everybody who waits for that."""

    event: EventRecord
    decision: DecisionRecord
    waiting: list[Promise]


class Outcome(NamedTuple):
    """What was decided, by which bundle ("" where none did), on which route, without what (`degraded`)."""

    bundle: str
    route: str
    probability: float | None
    level: str
    verdict: Verdict
    degraded: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] | None = None


def decision_of(
    bundle: Bundle, book: Rulebook, event: EventRecord, vector: bytes, trace_id: str, started_ns: int,
    route: str = CHAMPION, *, degraded: tuple[str, ...] = (),
) -> DecisionRecord:  # fmt: skip
    """Return what a bundle and the rules decide on an event. `started_ns`: when it came, by `time.perf_counter_ns`.

    `route`: the arm by which the event met the bundle. `degraded`: what was missing; such an answer is never explored.
    """
    values = np.frombuffer(vector, dtype="<f4").reshape(1, -1)
    probability = float(bundle.scorer.probability(values)[0])
    verdict = book.verdict(bundle.thresholds, event.values, vector, probability, event.arrived_us)
    if book.explorer is not None and not degraded:
        verdict = book.explored(verdict, event.event_id, event.values, event.arrived_us)
    reasons = bundle.reasoner.told(verdict.action, event.event_id, vector)
    level = bundle.thresholds.level(probability)
    outcome = Outcome(bundle.id, route, probability, level, verdict, degraded, reasons)
    return record_of(event, vector, outcome, trace_id, started_ns)


def record_of(event: EventRecord, vector: bytes, outcome: Outcome, trace_id: str, started_ns: int) -> DecisionRecord:
    """Return the record of a decision; its id follows from the event's id and arrival."""
    return DecisionRecord(
        decision_id=ulid_at(event.arrived_us, hashlib.sha256(event.event_id.encode()).digest()),
        event_id=event.event_id,
        bundle=outcome.bundle,
        vector=vector,
        probability=outcome.probability,
        level=outcome.level,
        action=outcome.verdict.action,
        rules=outcome.verdict.rules,
        degraded=outcome.degraded,
        decided_us=event.arrived_us,
        latency_us=(time.perf_counter_ns() - started_ns) // 1_000,
        trace_id=trace_id,
        reasons=outcome.reasons,
        route=outcome.route,
        propensity=outcome.verdict.propensity,
    )

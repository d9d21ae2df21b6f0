"""The way from an event to its decision when nothing is missing, and what decides when something is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.declare.fallback import (
    EVENT_ONLY,
    MISSING_CANARY,
    MISSING_MODEL,
    MISSING_STATE,
    MISSING_TIME,
    OTHERWISE,
    RULES,
    TEST,
)
from weighbridge.declare.fields import Text
from weighbridge.kernel.partials import without_rows
from weighbridge.kernel.plan import compile_plan
from weighbridge.records import DecisionRecord, EventRecord
from weighbridge.score.answer import Outcome, decision_of, record_of
from weighbridge.score.bundle import Bundle
from weighbridge.score.promise import Catching
from weighbridge.score.route import CANARY, CHAMPION
from weighbridge.score.rulebook import Rulebook
from weighbridge.score.scorer import Always
from weighbridge.stores.state import MemoryState

UNKNOWN = "unknown"  # the risk level of what no model has seen
DEGRADED = "degraded"


@dataclass(frozen=True)
class Asked:
    """What a decision is asked for: an event, its trace, when it came (`time.perf_counter_ns`), a forced outcome."""

    event: EventRecord
    trace_id: str
    started_ns: int
    forced: str | None = None


class Decider:
    """Decides an event by the first that can: the whole model, the event-only one, the rules, the declared outcome.

    `failed` is told of every event that a canary could not decide, and what it raised, if it did.
    """

    def __init__(self, case: UseCase, book: Rulebook, failed: Callable[[BaseException | None], None]) -> None:
        self._declared, self._book = case.policy.fallback, book
        self._deadline_ns = self._declared.deadline_us * 1_000
        self._events = EventVectors(case)
        self._without = Always(self._declared.otherwise, UNKNOWN)
        self._failed = failed

    def decide(
        self, asked: Asked, bundle: Bundle | None, route: str, vector: bytes | None, champion: Bundle | None = None
    ) -> DecisionRecord:
        """Return the decision. bundle: None when there is none; vector: None when the histories are away.

        `champion` decides on what a canary cannot.
        """
        if asked.forced is not None:
            return self._forced(asked, bundle, route, vector, champion)
        missing = [MISSING_STATE] if vector is None else []
        if bundle is None:
            missing.append(MISSING_MODEL)
        if time.perf_counter_ns() - asked.started_ns > self._deadline_ns:
            missing.append(MISSING_TIME)
        if bundle is not None and vector is not None and not missing:
            if route == CANARY and champion is not None:
                return self._tried(asked, bundle, champion, vector)
            return decision_of(bundle, self._book, asked.event, vector, asked.trace_id, asked.started_ns, route)
        vector = self._events.vector(asked.event) if vector is None else vector
        if bundle is not None and missing == [MISSING_STATE] and bundle.event_only and self._declared.event_only:
            scored = bundle.event_only.probability(np.frombuffer(vector, dtype="<f4").reshape(1, -1))
            return self._record(asked, bundle, EVENT_ONLY, vector, float(scored[0]), missing)
        return self._record(asked, None, RULES, vector, None, missing)

    def _tried(self, asked: Asked, canary: Bundle, champion: Bundle, vector: bytes) -> DecisionRecord:
        """Return what a canary decides, or, when it raises, gives no probability or takes too long, the champion."""
        rest, found = (self._book, asked.event, vector, asked.trace_id, asked.started_ns), None
        begun_ns = time.perf_counter_ns()
        with Catching() as caught:
            found = decision_of(canary, *rest, CANARY)
        in_time = time.perf_counter_ns() - begun_ns <= self._deadline_ns
        if found is not None and in_time and 0 <= (found.probability or 0.0) <= 1:
            return found
        self._failed(caught.fault)
        return decision_of(champion, *rest, CHAMPION, degraded=(MISSING_CANARY,))

    def _record(
        self, asked: Asked, bundle: Bundle | None, route: str, vector: bytes, probability: float | None,
        missing: list[str],
    ) -> DecisionRecord:  # fmt: skip
        event, thresholds = asked.event, bundle.thresholds if bundle else self._without
        p = np.nan if probability is None else probability
        verdict = self._book.verdict(thresholds, event.values, vector, p, event.arrived_us)
        if route == RULES and not verdict.rules:
            route = OTHERWISE
        why = bundle.event_only_reasoner.told(verdict.action, event.event_id, vector) if bundle else None
        name, level = bundle.id if bundle else "", thresholds.level(p)
        outcome = Outcome(name, route, probability, level, verdict, tuple(missing), why)
        return record_of(event, vector, outcome, asked.trace_id, asked.started_ns)

    def _forced(
        self, asked: Asked, bundle: Bundle | None, route: str, vector: bytes | None, champion: Bundle | None
    ) -> DecisionRecord:
        """Return the decision that a test asks for, and say that it is one."""
        plain = replace(asked, forced=None)
        if asked.forced == DEGRADED:
            found = self.decide(plain, bundle, route, None, champion)
        else:
            made = self.decide(plain, bundle, route, vector, champion)
            found = replace(made, action=str(asked.forced), route=TEST, rules=(), propensity=None)
        return replace(found, degraded=(*found.degraded, TEST), reasons=None)


class EventVectors:
    """Vectors of what the event alone gives; all that needs a history is missing."""

    def __init__(self, case: UseCase) -> None:
        plan = compile_plan(case)
        self._state = MemoryState(plan)
        self._texts = [place in plan.coded and isinstance(field, Text) for place, field in enumerate(plan.payload)]
        self._stateful = np.setdiff1d(np.arange(len(case.feature_names)), np.array(case.stateless, dtype=np.int64))
        self._without_rows = tuple(without_rows(plan.partials).tolist())
        self._load_kernels()

    def _load_kernels(self) -> None:
        """Go an event's whole way once, so that no deadline passes while the first one waits for kernels."""
        empty = EventRecord("", 0, 0, (None,) * len(self._texts), partials=self._without_rows)
        self.vector(empty)
        self._state.append(empty)
        self._state.retract(empty)

    def vector(self, event: EventRecord) -> bytes:
        """Return an event's vector, little-endian float32 bytes."""
        values = tuple(None if text else value for text, value in zip(self._texts, event.values, strict=True))
        found = np.frombuffer(self._state.vector(replace(event, values=values)), dtype="<f4").copy()
        found[self._stateful] = np.nan
        return found.tobytes()

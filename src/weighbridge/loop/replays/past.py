"""A decision of the past with what it takes to look at it again: event, bundle, and its vector from the log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.declare.fallback import EVENT_ONLY
from weighbridge.errors import InputError, StoreFailure
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.loop.verify import whole_from_us
from weighbridge.ports import Log, Stores
from weighbridge.records import DecisionRecord, EventRecord
from weighbridge.score.bundle import Bundle, load
from weighbridge.score.reasons import Reasoner
from weighbridge.score.rollups import with_rollups


@dataclass(frozen=True)
class Past:
    """One decision, its event and the bundle that decided.

    `recomputed` is its vector by the log as it was then, None where that cannot be known any more; then `why` says so.
    """

    decision: DecisionRecord
    event: EventRecord
    bundle: Bundle
    recomputed: bytes | None
    why: str

    @property
    def differing(self) -> int:
        """How many values of the vector differ between what was served and what was recomputed, bit by bit."""
        if self.recomputed is None:
            return 0
        served, again = self.decision.vector, self.recomputed
        if len(served) != len(again):
            return len(again) // 4
        return int((np.frombuffer(served, dtype="<u4") != np.frombuffer(again, dtype="<u4")).sum())

    @property
    def reasoner(self) -> Reasoner:
        """What explains the score: that of the part of the bundle that gave it."""
        return self.bundle.event_only_reasoner if self.decision.route == EVENT_ONLY else self.bundle.reasoner

    @property
    def vector(self) -> bytes:
        """The vector that was stored with the decision."""
        if len(self.decision.vector) != 4 * len(self.bundle.reasoner.features):
            raise StoreFailure(
                f"the vector of decision {self.decision.decision_id} is damaged; restore the home from a copy"
            )
        return self.decision.vector


def find_decision(log: Log, name: str) -> DecisionRecord | None:
    """Return the decision that an id names: its own, else that of its event."""
    return log.decision_called(name) or log.decision(name)


def newest_flagged(log: Log) -> DecisionRecord | None:
    """Return the newest decision that was not to approve, or None."""
    decisions = log.decisions()
    flagged = decisions.filter(pc.not_equal(decisions["action"], "approve"))
    return log.decision(flagged["event_id"][-1].as_py()) if len(flagged) else None


def look_back(case: UseCase, stores: Stores, decision: DecisionRecord) -> Past:
    """Return a decision of the past.

    Raises BundleRefused when the bundle that decided cannot be read any more, InputError when no model decided.
    """
    if not decision.bundle:
        missing = ", ".join(decision.degraded)
        raise InputError(
            f"no model decided {decision.decision_id} ({missing}); its rules and its action are all there is"
        )
    found = stores.log.find(decision.event_id)
    if found is None:
        raise StoreFailure(f"the event of decision {decision.decision_id} is not in the log; restore it from a copy")
    seq, event = found
    bundle = load(decision.bundle, case, stores.bundles, stores.signer, past=True)
    why = ""
    if decision.degraded:
        why = f"it was given degraded ({', '.join(decision.degraded)})"
    elif not bundle.reasoner.of_case:
        why = "the declaration has other features now"
    elif event.event_us < whole_from_us(compile_plan(case), stores):
        why = "a part of the history that it saw was forgotten"
    return Past(decision, event, bundle, None if why else as_known_then(case, stores, seq, event), why)


def as_known_then(case: UseCase, stores: Stores, seq: int, event: EventRecord) -> bytes:
    """Return the vector of a stored event by the records with a smaller seq, little-endian float32 bytes.

    Only the histories of its own keys are replayed: a vector is a function of nothing else.
    """
    plan, events = compile_plan(case), stores.log.events(until=seq)
    ours = pc.equal(events["seq"], seq)
    for entity in plan.entities:
        keys, key = events[plan.payload[entity.key_field].name], event.values[entity.key_field]
        ours = pc.or_(ours, pc.is_null(keys) if key is None else pc.fill_null(pc.equal(keys, key), fill_value=False))
    events = events.filter(ours)
    wanted = np.arange(len(events)) == len(events) - 1
    columns = to_columns(plan, with_rollups(plan, stores, events, wanted), stores.log.labels(until=seq))
    vectors = replay(plan, columns, wanted)
    return bytes(vectors.astype("<f4").tobytes())

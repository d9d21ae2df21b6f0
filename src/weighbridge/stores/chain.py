"""The hash chain of decisions: each hash covers the decision and the hash before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from weighbridge.identity import canonical
from weighbridge.records import DecisionRecord
from weighbridge.stores.tables import reasons_text

GENESIS = "0" * 64


def link(before: str, seq: int, decision: DecisionRecord) -> str:
    """Return the sha256 hex of a decision chained to the hash before it."""
    content = [
        before,
        seq,
        *(getattr(decision, name) for name in _NAMES),
        list(decision.rules),
        list(decision.degraded),
        decision.vector.hex(),
        reasons_text(decision.reasons),
    ]
    return hashlib.sha256(canonical(content).encode()).hexdigest()


_NAMES = ("decision_id", "event_id", "bundle", "probability", "level", "action", "decided_us", "latency_us", "trace_id")


def first_broken(chain: Iterable[tuple[int, DecisionRecord, str]], before: str, after: str) -> int | None:
    """Return the seq of the first decision whose stored hash does not follow, None when all do.

    `before` is the hash that the first one follows, `after` that of the last one: where decisions are missing behind
    the last, its seq is returned (0 where none is left).
    """
    last = 0
    for seq, decision, stored in chain:
        if link(before, seq, decision) != stored:
            return seq
        last, before = seq, stored
    return None if before == after else last

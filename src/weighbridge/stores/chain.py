"""The hash chains of decisions and of the audit: each hash covers the content and the hash before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from weighbridge.identity import canonical
from weighbridge.records import AuditEntry, Change, DecisionRecord
from weighbridge.stores.tables import DECISIONS, decision_of, reasons_text, told_as_text

GENESIS = "0" * 64
Link = tuple[int, DecisionRecord | None, str]  # place, content and hash of a stored decision


def link(before: str, seq: int, decision: DecisionRecord) -> str:
    """Return the sha256 hex of a decision chained to the hash before it.

    What is hashed is the canonical JSON of a list.
    """
    d = decision
    content = [
        before, seq, d.decision_id, d.event_id, d.bundle, d.route, _number(d.probability), _number(d.propensity),
        d.level, d.action, d.decided_us, d.latency_us, d.trace_id, d.rules, d.degraded, d.vector.hex(),
        reasons_text(d.reasons),
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(content)).hexdigest()


def _number(value: float | None) -> orjson.Fragment | None:
    return None if value is None else orjson.Fragment(repr(value))  # 1e-05, where orjson writes 1e-5


def first_broken(chain: Iterable[Link], before: str, after: str) -> int | None:
    """Return the seq of the first decision whose stored hash does not follow, None when all do.

    A decision that is none any more is None. `before` is the hash that the first one follows, `after` that of the last
    one: where decisions are missing behind the last, its seq is returned (0 where none is left).
    """
    last = 0
    for seq, decision, stored in chain:
        if decision is None or link(before, seq, decision) != stored:
            return seq
        last, before = seq, stored
    return None if before == after else last


def stored_decision(row: Mapping[str, Any]) -> DecisionRecord | None:
    """Return a row of decisions as a record, None unless it stands in the very words in which it was stored."""
    if not all(isinstance(row[name], of) for name, of in _TYPES.items()):
        return None
    try:
        decision = decision_of(row)
    except (TypeError, ValueError):
        return None
    return decision if told_as_text(decision).items() <= row.items() else None


_PYTHON = {pa.int64(): int, pa.string(): str, pa.float64(): float, pa.binary(): bytes}
_NULLABLE = ("probability", "propensity", "reasons")
_TYPES = {f.name: _PYTHON[f.type] | None if f.name in _NULLABLE else _PYTHON[f.type] for f in DECISIONS}


def audited(number: int, before: str, changes: Sequence[Change]) -> list[AuditEntry]:
    """Return changes as the entries that follow entry `number`, whose hash is `before`."""
    entries = []
    for change in changes:
        number += 1
        content = (number, change.seq, change.at_us, change.who, change.what, change.subject, canonical(change.detail))
        before = _entry_hash(before, content)
        entries.append(AuditEntry(*content, before))
    return entries


def first_broken_entry(rows: Iterable[Sequence[Any]], number: int, after: str) -> int | None:
    """Return the number of the first entry of the audit that is not as it was written or is missing, None if none is.

    rows: the members of the entries, as stored, by number; the audit ended at `number` with the hash `after`.
    """
    before, due = GENESIS, 1
    for row in rows:
        if row[0] != due or _entry_hash(before, row[:-1]) != row[-1]:
            return due
        before, due = row[-1], due + 1
    return None if (due, before) == (number + 1, after) else due


def _entry_hash(before: str, content: Sequence[Any]) -> str:
    try:
        return hashlib.sha256(canonical([before, *content]).encode()).hexdigest()
    except (TypeError, ValueError):
        return ""  # what is no JSON was never written

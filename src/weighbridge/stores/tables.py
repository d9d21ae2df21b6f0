"""The shapes of the log's tables, and the order of arrival of imported history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.contract import Contract
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Vectors
from weighbridge.records import DecisionRecord, EventRecord, Head, Reason, Stored

LABELS = pa.schema(
    [("seq", pa.int64()), ("event_id", pa.string()), ("value", pa.int64()), ("arrived_us", pa.int64()),
     ("source", pa.string())]
)  # fmt: skip
DECISIONS = pa.schema(
    [("seq", pa.int64()), ("decision_id", pa.string()), ("event_id", pa.string()), ("bundle", pa.string()),
     ("route", pa.string()), ("vector", pa.binary()), ("probability", pa.float64()), ("level", pa.string()),
     ("action", pa.string()), ("rules", pa.string()), ("degraded", pa.string()), ("decided_us", pa.int64()),
     ("latency_us", pa.int64()), ("trace_id", pa.string()), ("reasons", pa.string()), ("propensity", pa.float64()),
     ("hash", pa.string())]
)  # fmt: skip

SENT = "sent"
SHADOWS = pa.schema(
    [("event_id", pa.string()), ("bundle", pa.string()), ("probability", pa.float64()), ("action", pa.string())]
)


def event_schema(contract: Contract) -> pa.Schema:
    """Return the schema of a contract's stored events; `sent` holds the child rows that came with them, JSON."""
    payload = [(f.name, pa.int64() if f.numeric else pa.string()) for f in contract.payload]
    payload += [(SENT, pa.string())] if contract.children else []
    return pa.schema(
        [("seq", pa.int64()), ("event_id", pa.string()), ("event_us", pa.int64()), ("arrived_us", pa.int64()), *payload]
    )


def event_table(contract: Contract, records: Sequence[tuple[int, EventRecord]]) -> pa.Table:
    """Return (seq, event) pairs as a table."""
    schema = event_schema(contract)
    columns: list[list[Stored]] = [[seq for seq, _ in records]]
    columns += [[getattr(e, name) for _, e in records] for name in ("event_id", "event_us", "arrived_us")]
    columns += [[e.values[place] for _, e in records] for place in range(len(contract.payload))]
    columns += [[e.sent for _, e in records]] if contract.children else []
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def event_at(contract: Contract, table: pa.Table, row: int) -> EventRecord:
    """Return one row of an event table."""
    return event_of(contract, table.slice(row, 1).to_pylist()[0])


def event_of(contract: Contract, row: Mapping[str, Any]) -> EventRecord:
    """Return a row of an event table as a record."""
    values = tuple(row[field.name] for field in contract.payload)
    return EventRecord(row["event_id"], row["event_us"], row["arrived_us"], values, row.get(SENT))


def event_body(event: EventRecord) -> str:
    """Return what an event says as the JSON text of a hot record: its values, then the child rows sent with it."""
    return text_of(event.values if event.sent is None else [*event.values, event.sent])


def event_from(contract: Contract, event_id: str, event_us: int, arrived_us: int, body: str) -> EventRecord:
    """Return a hot record as an event."""
    told, width = json.loads(body), len(contract.payload)
    return EventRecord(event_id, event_us, arrived_us, tuple(told[:width]), told[width] if len(told) > width else None)


def text_of(values: object) -> str:
    """Return plain values as the JSON text that is stored; floats keep every bit."""
    return orjson.dumps(values).decode()


def reasons_text(reasons: Sequence[Reason] | None) -> str | None:
    """Return the reasons of a decision as they are stored; floats keep every bit."""
    if reasons is None:
        return None
    return text_of([[r.feature, r.contribution, r.value, r.sentence] for r in reasons])


def reasons_of(text: str | None) -> tuple[Reason, ...] | None:
    """Return stored reasons as records."""
    return None if text is None else tuple(Reason(*parts) for parts in json.loads(text))


def decision_of(row: Mapping[str, Any]) -> DecisionRecord:
    """Return a row of a decision table as a record."""
    members = {k: row[k] for k in DECISIONS.names if k not in ("seq", "hash")}
    read = {**{k: tuple(json.loads(row[k])) for k in ("rules", "degraded")}, "reasons": reasons_of(row["reasons"])}
    return DecisionRecord(**{**members, **read})


def vectors_of(decisions: pa.Table) -> Vectors:
    """Return the vectors of a table of decisions, float32[n, features]; there is one, and all are of one width."""
    stored = b"".join(decisions["vector"].to_pylist())
    return np.frombuffer(stored, dtype="<f4").reshape(len(decisions), -1)


def told_as_text(decision: DecisionRecord) -> dict[str, str | None]:
    """Return the members of a decision that a table holds as JSON."""
    return {
        "rules": text_of(decision.rules),
        "degraded": text_of(decision.degraded),
        "reasons": reasons_text(decision.reasons),
    }


def check_appends(head: Head, events: pa.Table, labels: pa.Table) -> None:
    """Raise InputError when an import is older than the log's head."""
    oldest = [pc.min(table["arrived_us"]).as_py() for table in (events, labels) if len(table)]
    if head.data_seq and oldest and min(oldest) < head.arrived_us:
        raise InputError(
            "this history begins before the latest arrival in the log; "
            "history can only be appended, import older files into a new home first"
        )


def in_order_of_arrival(head: Head, events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Give imported rows their seq, by (arrived_us, labels before events, file order), and sort them by it.

    Raises InputError when the import is older than the log's head.
    """
    check_appends(head, events, labels)
    event_arrived, label_arrived = (np.asarray(t["arrived_us"].to_numpy(), dtype=np.int64) for t in (events, labels))
    arrived = np.concatenate([label_arrived, event_arrived])
    is_event = np.r_[np.zeros(len(label_arrived), dtype=np.int8), np.ones(len(event_arrived), dtype=np.int8)]
    seq = np.empty(len(arrived), dtype=np.int64)
    seq[np.lexsort((is_event, arrived))] = head.seq + 1 + np.arange(len(arrived))
    return _numbered(events, seq[len(label_arrived) :]), _numbered(labels, seq[: len(label_arrived)])


def _numbered(table: pa.Table, seq: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Table:
    return table.add_column(0, "seq", pa.array(seq)).sort_by("seq")

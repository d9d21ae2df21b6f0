"""Records as rows of the hot tables, and how many rows go in with one statement."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from weighbridge.errors import Conflict
from weighbridge.records import DecisionRecord, EventRecord, Follower, ListEdit, Note
from weighbridge.stores.tables import reasons_text

STATEMENT_ROWS = 64


def remember(connection: sqlite3.Connection, pairs: Sequence[tuple[str, int]]) -> None:
    """Insert ids with their places. Raises Conflict when one is stored already, or stands twice."""
    try:
        insert(connection, "ids", pairs)
    except sqlite3.IntegrityError:
        raise Conflict("the group holds an event that is stored already, or one event twice") from None


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows with one statement for `STATEMENT_ROWS` of them."""
    for first in range(0, len(rows), STATEMENT_ROWS):
        piece = rows[first : first + STATEMENT_ROWS]
        connection.execute(_insertion(table, len(piece), len(piece[0])), list(chain.from_iterable(piece)))


@cache
def _insertion(table: str, rows: int, columns: int) -> str:
    return f"insert into {table} values " + ", ".join([f"({', '.join('?' * columns)})"] * rows)


def log_row(seq: int, record: EventRecord | Follower) -> tuple[object, ...]:
    """Return a record as a row of `log`."""
    if isinstance(record, EventRecord):
        return seq, "event", record.event_id, record.event_us, record.arrived_us, json.dumps(record.values)
    if isinstance(record, ListEdit):
        body = [record.name, record.value, record.listed, record.until_us, record.by, record.why]
        return seq, "edit", None, None, record.arrived_us, json.dumps(body)
    if isinstance(record, Note):
        return seq, record.kind, None, None, record.arrived_us, json.dumps(record.body)
    return seq, "label", record.event_id, None, record.arrived_us, json.dumps([record.value, record.source])


def decision_row(seq: int, d: DecisionRecord, chained: str) -> tuple[object, ...]:
    """Return a decision as a row of `decisions`."""
    return (
        seq, d.decision_id, d.event_id, d.bundle, d.vector, d.probability, d.level, d.action, json.dumps(d.rules),
        json.dumps(d.degraded), d.decided_us, d.latency_us, d.trace_id, reasons_text(d.reasons), chained,
    )  # fmt: skip

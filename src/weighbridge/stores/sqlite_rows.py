"""Records as rows of the hot tables, and how they are appended."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from weighbridge.errors import Conflict
from weighbridge.records import Decided, DecisionRecord, EventRecord, Follower, LabelRecord, ListEdit, Note
from weighbridge.stores.chain import link
from weighbridge.stores.changes import of_follower
from weighbridge.stores.sqlite_audit import add_changes
from weighbridge.stores.tables import event_body, reasons_text, text_of

STATEMENT_ROWS = 64
MOVE_HEAD = "update head set seq = max(seq, ?), data_seq = max(data_seq, ?), arrived_us = max(arrived_us, ?)"
_MOVE_ALL = f"{MOVE_HEAD}, chained = ?"


def append(connection: sqlite3.Connection, group: Sequence[Decided], followers: Sequence[Follower]) -> list[int]:
    """Append events with their decisions, then what follows them, with its audit; return the seqs. In a transaction.

    A group is a handful of statements, each of many rows: Python gives the interpreter away at every statement, and has
    to wait to get it back. Raises Conflict when an id is stored already, or stands twice.
    """
    records = [*(event for event, _ in group), *followers]
    last, chained = connection.execute("select seq, chained from head").fetchone()
    seqs = list(range(last + 1, last + 1 + len(records)))
    remember(connection, [(event.event_id, seq) for (event, _), seq in zip(group, seqs, strict=False)])
    insert(connection, "log", [log_row(*pair) for pair in zip(seqs, records, strict=True)])
    decisions = []
    for seq, (_, decision) in zip(seqs, group, strict=False):
        if decision is not None:
            chained = link(chained, seq, decision)
            decisions.append(decision_row(seq, decision, chained))
    insert(connection, "decisions", decisions)
    insert(connection, "decision_ids", [(row[1], row[0]) for row in decisions])
    data = [pair for pair in zip(seqs, records, strict=True) if isinstance(pair[1], EventRecord | LabelRecord)]
    arrived_us = max((record.arrived_us for _, record in data), default=0)
    connection.execute(_MOVE_ALL, (last + len(records), data[-1][0] if data else 0, arrived_us, chained))
    add_changes(connection, [of_follower(*pair) for pair in zip(seqs[len(group) :], followers, strict=True)])
    return seqs


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
        return seq, "event", record.event_id, record.event_us, record.arrived_us, event_body(record)
    if isinstance(record, ListEdit):
        body = [record.name, record.value, record.listed, record.until_us, record.by, record.why]
        return seq, "edit", None, None, record.arrived_us, text_of(body)
    if isinstance(record, Note):
        return seq, record.kind, None, None, record.arrived_us, text_of(record.body)
    return seq, "label", record.event_id, None, record.arrived_us, text_of([record.value, record.source])


def decision_row(seq: int, d: DecisionRecord, chained: str) -> tuple[object, ...]:
    """Return a decision as a row of `decisions`."""
    return (
        seq, d.decision_id, d.event_id, d.bundle, d.route, d.vector, d.probability, d.level, d.action,
        text_of(d.rules), text_of(d.degraded), d.decided_us, d.latency_us, d.trace_id,
        reasons_text(d.reasons), d.propensity, chained,
    )  # fmt: skip

"""The audit of an embedded home, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from typing import Any, cast

from weighbridge.records import AuditEntry, AuditHead, Change
from weighbridge.stores.chain import audited, first_broken_entry
from weighbridge.stores.database import Database

_COLUMNS = ", ".join(field.name for field in fields(AuditEntry))
_ADD = f"insert into audit ({_COLUMNS}) values ({', '.join('?' for _ in fields(AuditEntry))})"
_READ = f"select {_COLUMNS} from audit where number > ? order by number"
_READ_ALL = f"select {_COLUMNS} from audit order by number"
_HEAD = "select audit_number, audit_hash, seq from head"
PIECE = 10_000  # entries read at once


def add_changes(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Append changes to the audit, within the transaction that makes them."""
    if changes:
        number, before, _ = connection.execute(_HEAD).fetchone()
        entries = audited(number, before, changes)
        connection.executemany(_ADD, [astuple(entry) for entry in entries])
        last = entries[-1]
        connection.execute("update head set audit_number = ?, audit_hash = ?", (last.number, last.hash))


class SqliteAudit:
    """Audit of an embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> AuditHead:
        """Return where the trail and the log end."""
        return AuditHead(*cast(tuple[Any, ...], self._database.read(_HEAD)[0]))

    def entries(self, after: int = 0) -> Iterator[AuditEntry]:
        """Yield the entries with number > after."""
        while rows := self._database.read(f"{_READ} limit {PIECE}", after):
            yield from (AuditEntry(*cast(tuple[Any, ...], row)) for row in rows)
            after = cast(int, rows[-1][0])

    def broken_entry(self) -> int | None:
        """Return the number of the first entry that is not as it was written, or is missing."""
        with self._database.snapshot() as reader:
            number, after, _ = reader.execute(_HEAD).fetchone()
            return first_broken_entry(reader.execute(_READ_ALL), number, after)

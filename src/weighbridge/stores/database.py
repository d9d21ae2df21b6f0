"""One SQLite file in WAL mode: how it is opened, and its tables."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weighbridge.errors import HomeError, StoreFailure

SCHEMA = """
create table if not exists head (
    one integer primary key check (one = 1), seq integer not null, data_seq integer not null,
    arrived_us integer not null);
insert or ignore into head values (1, 0, 0, 0);
create table if not exists ids (event_id text primary key, seq integer not null) without rowid;
create table if not exists log (
    seq integer primary key, kind text not null, event_id text, event_us integer, arrived_us integer not null,
    body text not null);
create index if not exists log_kind on log (kind, seq);
create table if not exists segments (
    first_seq integer primary key, last_seq integer not null, kind text not null, file text not null,
    rows integer not null, sha256 text not null);
create table if not exists decisions (
    seq integer primary key, decision_id text unique not null, event_id text unique not null, bundle text not null,
    vector blob not null, probability real not null, level text not null, action text not null, degraded text not null,
    decided_us integer not null, latency_us integer not null, trace_id text not null, hash text not null);
create table if not exists bundles (bundle text primary key, added_us integer not null, facts text not null);
create table if not exists aliases (alias text primary key, bundle text not null references bundles);
create table if not exists moves (
    number integer primary key, alias text not null, bundle text not null, before text, by text not null,
    reason text not null, moved_us integer not null, gates text not null);
create table if not exists runs (
    number integer primary key, run text unique not null, verb text not null, started_us integer not null,
    facts text not null);
"""
ACKNOWLEDGE = {"synced": "full", "written": "normal"}


class Database:
    """A connection that many threads may share, one transaction at a time.

    `acknowledge`: "synced" answers after an fsync of every commit, "written" after the operating system has it.
    """

    def __init__(self, path: Path, acknowledge: str = "synced") -> None:
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute(f"pragma synchronous = {ACKNOWLEDGE[acknowledge]}")
            self._connection.executescript(SCHEMA)
        except sqlite3.DatabaseError as fault:
            raise HomeError(
                f"{path} cannot be opened as a weighbridge database ({fault}); restore it from a copy"
            ) from None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one durable transaction; raises StoreFailure when it did not commit, and nothing is stored then."""
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                yield self._connection
                self._connection.execute("commit")
            except sqlite3.DatabaseError as fault:
                raise StoreFailure(f"the durable write failed ({fault}); nothing was stored, try again") from fault
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")

    def read(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with self._lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.DatabaseError as fault:
                raise StoreFailure(f"the store could not be read ({fault})") from fault

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

"""One SQLite file in WAL mode: how it is opened, and its tables."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from weighbridge.errors import HomeError, StoreFailure

FORMAT = 4
SCHEMA = """
create table if not exists head (
    one integer primary key check (one = 1), seq integer not null, data_seq integer not null,
    arrived_us integer not null, chained text not null, forgotten_us integer, forgotten_chain text not null,
    audit_number integer not null, audit_hash text not null);
insert or ignore into head
    values (1, 0, 0, 0, hex(zeroblob(32)), null, hex(zeroblob(32)), 0, hex(zeroblob(32)));
create table if not exists audit (
    number integer primary key, seq integer, at_us integer not null, who text not null, what text not null,
    subject text not null, detail text not null, hash text not null);
create table if not exists ids (event_id text primary key, seq integer not null) without rowid;
create table if not exists log (
    seq integer primary key, kind text not null, event_id text, event_us integer, arrived_us integer not null,
    body text not null);
create index if not exists log_kind on log (kind, seq);
create table if not exists segments (
    kind text not null, first_seq integer not null, last_seq integer not null, last_arrived_us integer not null,
    file text not null, rows integer not null, sha256 text not null, primary key (kind, first_seq));
create table if not exists decisions (
    seq integer primary key, decision_id text not null, event_id text not null, bundle text not null,
    route text not null, vector blob not null, probability real, level text not null, action text not null,
    rules text not null, degraded text not null, decided_us integer not null,
    latency_us integer not null, trace_id text not null, reasons text, propensity real,
    hash text not null);
create table if not exists decision_ids (decision_id text primary key, seq integer not null) without rowid;
create table if not exists bundles (bundle text primary key, added_us integer not null, facts text not null);
create table if not exists aliases (alias text primary key, bundle text not null references bundles, share real);
create table if not exists moves (
    number integer primary key, alias text not null, bundle text, before text, by text not null,
    reason text not null, moved_us integer not null, gates text not null, share real, share_before real);
create table if not exists keys (
    id text primary key, name text not null, scopes text not null, secret_sha256 text not null,
    made_us integer not null, made_by text not null, until_us integer, rate real, burst integer,
    revoked_us integer, revoked_by text);
create unique index if not exists keys_name on keys (name) where revoked_us is null;
create table if not exists runs (
    number integer primary key, run text unique not null, verb text not null, started_us integer not null,
    facts text not null);
"""
STATEMENTS = 512  # kept prepared: a group of every size has its own
BUSY_SECONDS = 10.0
CHECKPOINT_EVERY = 4_096  # transactions


class Database:
    """A connection that writes, one transaction at a time, and connections that read and never wait for it.

    `acknowledge`: "synced" answers after an fsync of every commit, "written" after the operating system has it.
    """

    def __init__(self, path: Path, acknowledge: str = "synced", tables: str = SCHEMA) -> None:
        self._path, self.syncs = path, acknowledge == "synced"
        self._ahead = -1  # the write-ahead file, open to be synced
        self._lock = threading.Lock()
        self._transactions = 0
        self._checkpoint = threading.Thread()  # the newest that was begun
        self._idle: list[sqlite3.Connection] = []  # readers that nobody uses now
        try:
            self._writer = self._connect()
            self._check_format()
            self._writer.execute("pragma journal_mode = wal")
            self._writer.execute("pragma synchronous = normal")  # `sync` does the rest
            self._writer.execute("pragma wal_autocheckpoint = 0")  # `_empty_ahead` does it beside
            self._writer.execute(f"pragma user_version = {FORMAT}")
            self._writer.executescript(tables)
            if self.syncs:  # a process that was killed may have left what it had not synced
                self._writer.execute("pragma wal_checkpoint(passive)")
        except sqlite3.DatabaseError as fault:
            raise HomeError(
                f"{path} cannot be opened as a weighbridge database ({fault}); restore it from a copy"
            ) from None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False,
            cached_statements=STATEMENTS,
        )  # fmt: skip

    def _reader(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _check_format(self) -> None:
        used = self._writer.execute("select count(*) from sqlite_master").fetchone()[0]
        made = self._writer.execute("pragma user_version").fetchone()[0]
        if used and made != FORMAT:
            raise HomeError(
                f"{self._path} has format {made}, this program reads {FORMAT}; choose another --home and ingest again"
            )

    def sync(self) -> None:
        """Make durable what was written. Raises StoreFailure; what was written may then be stored or not."""
        if not self.syncs:
            return
        try:
            if self._ahead < 0:
                self._ahead = os.open(f"{self._path}-wal", os.O_RDWR)
            os.fdatasync(self._ahead)
        except OSError as fault:
            raise StoreFailure(f"the disk confirmed no write ({fault.strerror}); look at it, then restart") from fault

    @contextmanager
    def write(self, *, sync: bool = True) -> Iterator[sqlite3.Connection]:
        """Run one transaction; raises StoreFailure when it did not commit, and nothing is stored then.

        It is durable when the block has ended, or without `sync` when that has been called.
        """
        with self._transaction() as connection:
            yield connection
        if sync:
            self.sync()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                try:
                    self._writer.execute("begin immediate")
                    yield self._writer
                    self._writer.execute("commit")
                    self._transactions += 1
                finally:
                    if self._writer.in_transaction:
                        self._writer.execute("rollback")
            except sqlite3.DatabaseError as fault:
                raise StoreFailure(
                    f"the durable write failed ({fault}); nothing of it was stored, try again"
                ) from fault
        if self._transactions % CHECKPOINT_EVERY == 0 and not self._checkpoint.is_alive():
            self._checkpoint = threading.Thread(target=self._empty_ahead, name="checkpoint", daemon=True)
            self._checkpoint.start()

    def _empty_ahead(self) -> None:
        """Copy what is in the write-ahead file into the database; nobody waits for more than the last bit of it."""
        try:
            with closing(self._connect()) as connection:
                connection.execute("pragma wal_checkpoint(passive)")
                with self._lock:  # without this, writers would always be ahead, and the file would grow for ever
                    connection.execute("pragma wal_checkpoint(passive)")
        except sqlite3.DatabaseError:
            return  # the disk is full: the next one tries again

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Read several times as of one moment; raises StoreFailure when the store cannot be read."""
        try:
            reader = self._reader()
            try:
                reader.execute("begin")
                yield reader
            finally:
                if reader.in_transaction:
                    reader.execute("rollback")
            self._idle.append(reader)
        except sqlite3.DatabaseError as fault:
            raise StoreFailure(f"the store could not be read ({fault}); check the disk and try again") from fault

    def read(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        try:
            reader = self._reader()
            rows = reader.execute(sql, parameters).fetchall()
            self._idle.append(reader)
        except sqlite3.DatabaseError as fault:
            raise StoreFailure(f"the store could not be read ({fault}); check the disk and try again") from fault
        return rows

    def close(self) -> None:
        """Close the connections."""
        if self._checkpoint.is_alive():
            self._checkpoint.join()
        with self._lock:
            self._writer.close()
            while self._idle:
                self._idle.pop().close()
            if self._ahead >= 0:
                os.close(self._ahead)
                self._ahead = -1

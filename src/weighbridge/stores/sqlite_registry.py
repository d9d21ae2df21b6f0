"""The embedded registry and tracker, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from weighbridge.errors import Conflict, InputError
from weighbridge.records import Alias, Move
from weighbridge.stores.changes import of_bundle
from weighbridge.stores.database import Database
from weighbridge.stores.sqlite_audit import add_changes
from weighbridge.stores.sqlite_rows import append

_MOVE = [field.name for field in fields(Move)]


class SqliteRegistry:
    """Registry of an embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, bundle: str, facts: Mapping[str, Any], added_us: int) -> None:
        """Register a bundle."""
        with self._database.write() as connection:
            row = (bundle, added_us, json.dumps(facts))
            if connection.execute("insert or ignore into bundles values (?, ?, ?)", row).rowcount:
                add_changes(connection, [of_bundle(bundle, facts, added_us)])

    def bundles(self) -> Sequence[tuple[str, int, Mapping[str, Any]]]:
        """Return (bundle, added_us, facts), oldest first."""
        rows = self._database.read("select bundle, added_us, facts from bundles order by rowid")
        return [(bundle, at, json.loads(facts)) for bundle, at, facts in cast(list[tuple[str, int, str]], rows)]

    def alias(self, name: str) -> str | None:
        """Return the bundle an alias points at."""
        rows = self._database.read("select bundle from aliases where alias = ?", name)
        return cast(str, rows[0][0]) if rows else None

    def aliases(self) -> Mapping[str, Alias]:
        """Return what every alias points at."""
        rows = cast(
            list[tuple[str, str, float | None]], self._database.read("select alias, bundle, share from aliases")
        )
        return {name: Alias(bundle, share) for name, bundle, share in rows}

    def move(self, *moves: Move) -> None:
        """Move aliases and note it in the log, in one transaction."""
        with self._database.write() as connection:
            for move in moves:
                _move(connection, move)
            append(connection, [], [move.note for move in moves])

    def moves(self) -> Sequence[Move]:
        """Return every move, oldest first."""
        rows = cast(list[list[Any]], self._database.read(f"select {', '.join(_MOVE)} from moves order by number"))
        found = [dict(zip(_MOVE, row, strict=True)) for row in rows]
        return [Move(**{**told, "gates": json.loads(told["gates"])}) for told in found]


def _move(connection: sqlite3.Connection, move: Move) -> None:
    known = connection.execute("select 1 from bundles where bundle = ?", (move.bundle,)).fetchone()
    if move.bundle is not None and not known:
        raise InputError(f"bundle {move.bundle} is not registered")
    row = connection.execute("select bundle, share from aliases where alias = ?", (move.alias,)).fetchone()
    if (Alias(*row) if row else None) != move.seen:
        raise Conflict(f"alias {move.alias} was moved by somebody else; look again and retry")
    if move.bundle is None:
        connection.execute("delete from aliases where alias = ?", (move.alias,))
    else:
        connection.execute("insert or replace into aliases values (?, ?, ?)", (move.alias, move.bundle, move.share))
    told = {**{name: getattr(move, name) for name in _MOVE}, "gates": json.dumps(list(move.gates))}
    names = ", ".join(_MOVE), ", ".join(f":{name}" for name in _MOVE)
    connection.execute("insert into moves ({}) values ({})".format(*names), told)


class SqliteTracker:
    """Tracker of an embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, run: str, verb: str, started_us: int, facts: Mapping[str, Any]) -> None:
        """Store a finished run."""
        row = (run, verb, started_us, json.dumps(facts))
        with self._database.write() as connection:
            try:
                connection.execute("insert into runs (run, verb, started_us, facts) values (?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise Conflict(f"there is a run {run!r} already; give this one another id") from None

    def runs(self, verb: str | None = None) -> Sequence[tuple[str, str, int, Mapping[str, Any]]]:
        """Return (run, verb, started_us, facts), oldest first."""
        rows = self._database.read(
            "select run, verb, started_us, facts from runs where verb = coalesce(?, verb) order by number", verb
        )
        return [(r, v, at, json.loads(facts)) for r, v, at, facts in cast(list[tuple[str, str, int, str]], rows)]

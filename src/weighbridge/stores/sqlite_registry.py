"""The embedded registry and tracker, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from weighbridge.errors import Conflict, InputError
from weighbridge.records import Move
from weighbridge.stores.database import Database


class SqliteRegistry:
    """Registry of an embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, bundle: str, facts: Mapping[str, Any], added_us: int) -> None:
        """Register a bundle."""
        with self._database.write() as connection:
            connection.execute("insert or ignore into bundles values (?, ?, ?)", (bundle, added_us, json.dumps(facts)))

    def bundles(self) -> Sequence[tuple[str, int, Mapping[str, Any]]]:
        """Return (bundle, added_us, facts), oldest first."""
        rows = self._database.read("select bundle, added_us, facts from bundles order by rowid")
        return [(bundle, at, json.loads(facts)) for bundle, at, facts in cast(list[tuple[str, int, str]], rows)]

    def alias(self, name: str) -> str | None:
        """Return the bundle an alias points at."""
        rows = self._database.read("select bundle from aliases where alias = ?", name)
        return cast(str, rows[0][0]) if rows else None

    def move(self, move: Move) -> None:
        """Point an alias at a bundle if it still points at `move.before`."""
        with self._database.write() as connection:
            if not connection.execute("select 1 from bundles where bundle = ?", (move.bundle,)).fetchone():
                raise InputError(f"bundle {move.bundle} is not registered")
            row = connection.execute("select bundle from aliases where alias = ?", (move.alias,)).fetchone()
            if (row[0] if row else None) != move.before:
                raise Conflict(f"alias {move.alias} was moved by somebody else; look again and retry")
            connection.execute("insert or replace into aliases values (?, ?)", (move.alias, move.bundle))
            connection.execute(
                "insert into moves (alias, bundle, before, by, reason, moved_us, gates) values (?, ?, ?, ?, ?, ?, ?)",
                (
                    move.alias,
                    move.bundle,
                    move.before,
                    move.by,
                    move.reason,
                    move.moved_us,
                    json.dumps(list(move.gates)),
                ),
            )

    def moves(self) -> Sequence[Move]:
        """Return every move, oldest first."""
        rows = self._database.read(
            "select alias, bundle, before, by, reason, moved_us, gates from moves order by number"
        )
        found = cast(list[tuple[str, str, str | None, str, str, int, str]], rows)
        return [Move(a, b, before, by, why, at, json.loads(gates)) for a, b, before, by, why, at, gates in found]


class SqliteTracker:
    """Tracker of an embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, run: str, verb: str, started_us: int, facts: Mapping[str, Any]) -> None:
        """Store a finished run."""
        with self._database.write() as connection:
            connection.execute(
                "insert into runs (run, verb, started_us, facts) values (?, ?, ?, ?)",
                (run, verb, started_us, json.dumps(facts)),
            )

    def runs(self, verb: str | None = None) -> Sequence[tuple[str, str, int, Mapping[str, Any]]]:
        """Return (run, verb, started_us, facts), oldest first."""
        rows = self._database.read(
            "select run, verb, started_us, facts from runs where verb = coalesce(?, verb) order by number", verb
        )
        return [(r, v, at, json.loads(facts)) for r, v, at, facts in cast(list[tuple[str, str, int, str]], rows)]

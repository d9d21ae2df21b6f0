"""The keys to the HTTP door of an embedded home, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, fields, replace
from typing import Any, cast

from weighbridge.errors import Conflict, InputError
from weighbridge.records import ApiKey
from weighbridge.stores.changes import of_key, of_revocation
from weighbridge.stores.database import Database
from weighbridge.stores.sqlite_audit import add_changes

_COLUMNS = ", ".join(field.name for field in fields(ApiKey))
_PLACES = ", ".join("?" for _ in fields(ApiKey))


class SqliteKeys:
    """Keys of an embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        """Return how many changes there were."""
        return cast(int, self._database.read("select count(*) + count(revoked_us) from keys")[0][0])

    def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first."""
        rows = self._database.read(f"select {_COLUMNS} from keys order by rowid")
        return [_key(cast(tuple[Any, ...], row)) for row in rows]

    def add(self, key: ApiKey) -> None:
        """Store a key."""
        row = astuple(replace(key, scopes=cast(Any, json.dumps(key.scopes))))
        with self._database.write() as connection:
            try:
                connection.execute(f"insert into keys ({_COLUMNS}) values ({_PLACES})", row)
            except sqlite3.IntegrityError:
                raise Conflict(
                    f"there is a key {key.name!r} already; revoke it first, or choose another name"
                ) from None
            add_changes(connection, [of_key(key)])

    def revoke(self, name: str, by: str, revoked_us: int) -> ApiKey:
        """Revoke the key of this name."""
        with self._database.write() as connection:
            row = connection.execute(
                "update keys set revoked_us = ?, revoked_by = ? where name = ? and revoked_us is null "
                f"returning {_COLUMNS}",
                (revoked_us, by, name),
            ).fetchone()
            if row is None:
                raise InputError(f"there is no key {name!r} that is not revoked; `weigh keys` lists them")
            key = _key(row)
            add_changes(connection, [of_revocation(key)])
        return key


def _key(row: tuple[Any, ...]) -> ApiKey:
    key = ApiKey(*row)
    return replace(key, scopes=tuple(json.loads(cast(Any, key.scopes))))

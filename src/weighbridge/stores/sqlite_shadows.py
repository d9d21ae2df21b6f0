"""What shadows said, in a SQLite file of its own: writing it never holds up the log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import pyarrow as pa

from weighbridge.records import ShadowRecord
from weighbridge.stores.database import Database
from weighbridge.stores.tables import SHADOWS

TABLES = """
create table if not exists shadows (
    number integer primary key, event_id text not null, bundle text not null, probability real,
    action text not null, unique (event_id, bundle));
"""
MOST_ROWS = 2_000_000  # the newest are kept
_PUT = "insert or ignore into shadows (event_id, bundle, probability, action) values (?, ?, ?, ?)"
_DROP = "delete from shadows where number <= (select max(number) from shadows) - ?"
_ALL = "select event_id, bundle, probability, action from shadows order by number"
_ABOUT = """
select event_id, bundle, probability, action from shadows
where bundle = ? and event_id in (select value from json_each(?))"""


class SqliteShadows:
    """Shadows of an embedded home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, rows: Sequence[ShadowRecord]) -> None:
        """Store rows, and drop the oldest beyond the bound."""
        with self._database.write() as connection:
            connection.executemany(_PUT, [astuple(row) for row in rows])
            connection.execute(_DROP, (MOST_ROWS,))

    def about(self, bundle: str, event_ids: Sequence[str]) -> pa.Table:
        """Return what a bundle said about events."""
        return _table(self._database.read(_ABOUT, bundle, json.dumps(list(event_ids))))

    def table(self) -> pa.Table:
        """Return all rows, oldest first."""
        return _table(self._database.read(_ALL))


def _table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = [list(column) for column in zip(*rows, strict=True)]
    return pa.table(columns or [[] for _ in SHADOWS], schema=SHADOWS)

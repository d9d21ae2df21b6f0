"""SQLite files, read with the standard library."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from weighbridge.adapters.database import FORMS, Source
from weighbridge.adapters.rows import in_pieces
from weighbridge.errors import InputError

BUSY_SECONDS = 10.0
READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def pieces(source: Source, rows: int) -> Iterator[pa.Table]:
    """Yield the rows of a table or query, so many at once. Raises InputError when the file or the query is no good."""
    path = _path(source)
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS,
            check_same_thread=False,  # who stops half-way may leave the closing to any thread
        )  # fmt: skip
    except sqlite3.Error as fault:
        raise InputError(f"{path} cannot be opened ({fault}); check its permissions") from None
    with closing(connection):
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY)
        try:
            cursor = connection.execute(_statement(source))
        except (sqlite3.Error, ValueError) as fault:
            raise InputError(
                f"{path} cannot be asked that ({fault}); give a table of it, or a query that reads"
            ) from None
        if cursor.description is None:
            raise InputError("the query gives no rows; write a SELECT")
        try:
            yield from in_pieces([column[0] for column in cursor.description], lambda: cursor.fetchmany(rows))
        except sqlite3.Error as fault:  # its words may quote a value
            why = getattr(fault, "sqlite_errorname", "a text in it is not UTF-8")
            raise InputError(f"{path} cannot be read to its end ({why}); mend it, or leave that row out") from None


def _path(source: Source) -> Path:
    parts = urlsplit(source.address)
    if parts.netloc or parts.query or len(parts.path) < 2:
        raise InputError(f"{source.shown} is no SQLite file; write {FORMS}, with four slashes before a whole path")
    path = Path(unquote(parts.path[1:]))
    if not path.is_file():
        raise InputError(f"{path} is not there; check the path")
    return path


def _statement(source: Source) -> str:
    if source.query is not None:
        return source.query
    table = ".".join('"' + part.replace('"', '""') + '"' for part in source.table)
    return f"select * from {table}"  # noqa: S608 - quoted, and the connection can only read

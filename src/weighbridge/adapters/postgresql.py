"""PostgreSQL, read with psycopg. Passwords come from the URL, or as for every client from PGPASSWORD or ~/.pgpass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa

from weighbridge.adapters.database import FORMS, Source
from weighbridge.adapters.rows import in_pieces
from weighbridge.errors import InputError, MissingExtra

try:
    import psycopg
    from psycopg import errors, sql
    from psycopg.conninfo import conninfo_to_dict
except ImportError:
    raise MissingExtra("psycopg", "postgres") from None

CONNECT_SECONDS = 10
ABOUT_NAMES = (  # faults whose words repeat names of the query only; others may quote a value
    errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction, errors.InvalidSchemaName,
    errors.InsufficientPrivilege, errors.SyntaxError, errors.ReadOnlySqlTransaction,
)  # fmt: skip


def pieces(source: Source, rows: int) -> Iterator[pa.Table]:
    """Yield the rows of a table or query, fetched so many at once from a cursor of the server, which can only read.

    Raises InputError when the server cannot be reached or the query is no good.
    """
    with closing(_connected(source)) as connection:  # whatever the query did is never committed
        connection.read_only = True
        try:
            with connection.cursor("weighbridge") as cursor:
                cursor.execute(_statement(source))
                names = [column.name for column in cursor.description or ()]
                yield from in_pieces(names, lambda: cursor.fetchmany(rows))
        except psycopg.Error as fault:
            why = fault.diag.message_primary if isinstance(fault, ABOUT_NAMES) else type(fault).__name__
            raise InputError(f"{source.shown} cannot be asked that ({why}); give a table of it, or a SELECT") from None


def _connected(source: Source) -> psycopg.Connection[tuple[Any, ...]]:
    try:
        given: dict[str, Any] = dict(conninfo_to_dict(source.address))
    except psycopg.Error:  # its words may quote the password
        raise InputError(f"{source.shown} is no PostgreSQL URL; write {FORMS}") from None
    try:
        return psycopg.connect(**{"connect_timeout": CONNECT_SECONDS, "application_name": "weighbridge", **given})
    except (psycopg.Error, ValueError) as fault:
        why = str(fault).splitlines()[0]
        raise InputError(f"{source.shown} cannot be reached ({why}); check host, user and password") from None


def _statement(source: Source) -> sql.SQL | sql.Composed:
    if source.query is not None:
        return sql.SQL(source.query)  # whoever gives it runs it as their own user
    return sql.SQL("select * from {}").format(sql.Identifier(*source.table))

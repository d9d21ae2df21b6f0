"""A database as a source of rows: which one a URL means, without ever telling its password."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import pyarrow as pa

from weighbridge.errors import InputError

SCHEMES = ("sqlite", "postgresql")
FETCH_ROWS = 16_384  # rows of a database that are in memory as Python values at once
FORMS = "sqlite:///FILE?table=NAME or postgresql://USER@HOST/DATABASE?table=NAME"


@dataclass(frozen=True)
class Source:
    """Rows of a database: those of a table (its name, its schema before it), or those of a query.

    `address` is the URL for the client and may hold a password; `shown` is for people and holds none.
    """

    scheme: str
    address: str = field(repr=False)
    shown: str
    table: tuple[str, ...] = ()
    query: str | None = None


def is_database(text: str) -> bool:
    """Whether a source is the URL of a database, not a file."""
    return "://" in text


def read_database(url: str, query: str | None, rows: int = FETCH_ROWS) -> Iterator[pa.Table]:
    """Yield the rows of a database's table or query, at most so many at once; the first piece may be empty.

    Nothing is written there. Raises InputError for a URL that means none, one that cannot be reached or read, and
    MissingExtra when its client is not installed.
    """
    source = source_of(url, query)
    adapter = importlib.import_module(f"weighbridge.adapters.{source.scheme}")
    return cast(Callable[[Source, int], Iterator[pa.Table]], adapter.pieces)(source, rows)


def source_of(url: str, query: str | None) -> Source:
    """Return what a URL means. Raises InputError, which never holds the URL: it may hold a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InputError(f"the database's URL cannot be read; write {FORMS}") from None
    if parts.scheme not in SCHEMES:
        raise InputError(f"there is no adapter for {parts.scheme}:// databases; write {FORMS}")
    if url.count("@") > parts.netloc.count("@") or parts.netloc.count("@") > 1 or parts.fragment:
        raise InputError("the database's URL has an @ or # in its user, password or path; write it as %40 or %23")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    tables = [value for name, value in asked if name == "table"]
    if (len(tables) != 1 or not tables[0]) if query is None else (tables or not query.strip()):
        raise InputError("name one table at the end of the database's URL (?table=NAME), or else give --query")
    rest = urlencode([(name, value) for name, value in asked if name != "table"])
    address = url.partition("?")[0] + (f"?{rest}" if rest else "")
    return Source(parts.scheme, address, _shown(parts), tuple(tables[0].split(".")) if tables else (), query)


def _shown(parts: SplitResult) -> str:
    known, at, place = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{known.partition(':')[0]}{at}{place}{parts.path}"

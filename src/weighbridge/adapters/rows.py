"""Rows that a database's client gives as Python values, as Arrow tables that a contract reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa

from weighbridge.errors import InputError

Rows = Sequence[Sequence[object]]
PLAIN: dict[type, pa.DataType] = {
    int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_(), bytes: pa.binary(), date: pa.date32(),
}  # fmt: skip


def in_pieces(names: Sequence[str], fetch: Callable[[], Rows]) -> Iterator[pa.Table]:
    """Yield what `fetch` gives until it gives nothing; the first table is there even when it is empty.

    A column of one type keeps it; times without an offset stay so; a mixed one is text, and so is every exact decimal.
    Raises InputError for two columns of one name, or bytes among other values.
    """
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(f"the query has two columns called {twice[0]!r}; rename one of them with AS")
    rows = fetch()
    while True:
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        yield pa.table({name: _column(name, values) for name, values in zip(names, columns, strict=True)})
        rows = fetch()
        if not rows:
            return


def _column(name: str, values: Sequence[object]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    kind = kinds.pop() if len(kinds) == 1 else None
    if not kinds and kind is None:
        return pa.nulls(len(values), pa.string())
    if kind in PLAIN and not (kind is int and any(not -(2**63) <= v < 2**63 for v in values if isinstance(v, int))):
        return pa.array(values, PLAIN[kind])
    if kind is datetime:
        offsets = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
        if len(offsets) == 1:
            return pa.array(values, pa.timestamp("us", "UTC" if offsets.pop() else None))
    if bytes in kinds:
        raise InputError(f"column {name!r} holds bytes among other values; cast it to one type in a --query")
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else str(value)

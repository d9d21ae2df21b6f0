"""The partials of many events at once: one DuckDB query for each table of child rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from weighbridge.declare.children import Child
from weighbridge.declare.conditions import OPERATORS
from weighbridge.errors import StoreFailure
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.child_rows import KEY
from weighbridge.kernel.partials import Kind, Partial, TablePlan, Term, columns_of, scales_of, without_rows
from weighbridge.kernel.plan import Plan
from weighbridge.stores.rows import limited, named

Segments = Mapping[str, Sequence[tuple[int, pa.Table]]]  # (seq of its note, rows) of each table's segments, by seq
SQL = dict(zip(OPERATORS, ("=", "<>", ">=", "<=", ">", "<"), strict=True))
WORD = "18446744073709551616::hugeint"  # 2**64
HALF = "9223372036854775808::hugeint"


def rolled(
    plan: Plan, segments: Segments, events: pa.Table, memory_bytes: int, cores: int = 1, folder: Path | None = None,
    only_counted: bool = False,
) -> tuple[Ints, Ints]:  # fmt: skip
    """Return the partials of events from stored child rows, int64[n, p], and which table has too many, int64[n].

    The latter is a place in `plan.tables`, -1 where every table keeps to its `most_rows`; the partials of an event that
    does not are those of one without rows, and with `only_counted` everyone's are.

    events: place (0 to n - 1), seq, event_us, and for each table whose rows belong to events a column of its name with
    the hash of their key, null where there is none. A row counts for the events behind it in the log. Raises
    StoreFailure when the query cannot be run.
    """
    found, over = np.tile(without_rows(plan.partials), (len(events), 1)), np.full(len(events), -1, dtype=np.int64)
    try:
        with limited(memory_bytes, folder, cores) as connection:
            connection.register("events", events)
            for number, table in enumerate(plan.tables):
                _visible(connection, table.child, segments.get(table.child.name, ()), plan)
                places = _read(connection, replace(table, partials=()) if only_counted else table, found)
                over[places[over[places] < 0]] = number
    except duckdb.Error as fault:
        why = str(fault).splitlines()[0]
        raise StoreFailure(f"rollups could not be computed ({why}); raise the memory budget") from fault
    found[over >= 0] = without_rows(plan.partials)
    return found, over


def _read(connection: duckdb.DuckDBPyConnection, table: TablePlan, found: Ints) -> Ints:
    """Put a table's partials in their places; return the events that have more rows in it than are declared."""
    child, asked, over = table.child, dict[str, int](), [np.empty(0, dtype=np.int64)]
    for partial in table.partials:
        for part in _aggregates(child, partial):
            asked.setdefault(part, len(asked))
    columns = "".join(f", {part} as a{number}" for part, number in asked.items())
    query = f"select place, count(*) as n{columns} from {child.name}_rows group by place"
    for batch in connection.sql(query).to_arrow_reader(65_536):
        places = np.asarray(batch["place"].to_numpy(), dtype=np.int64)
        over.append(places[batch["n"].to_numpy() > child.most_rows])
        for number, partial in enumerate(table.partials):
            told = [batch[f"a{asked[part]}"] for part in _aggregates(child, partial)]
            found[places, table.places[number]] = _integers(partial, told)
    return np.concatenate(over)


def _integers(partial: Partial, told: list[pa.Array]) -> Ints:
    column = told[0]
    if pa.types.is_uint64(column.type):
        return np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.uint64).view(np.int64)
    nothing = MISSING if partial.kind in (Kind.LEAST, Kind.MOST, Kind.LATEST) else 0
    return np.asarray(column.fill_null(nothing).to_numpy(zero_copy_only=False), dtype=np.int64)


def _visible(
    connection: duckdb.DuckDBPyConnection, child: Child, stored: Sequence[tuple[int, pa.Table]], plan: Plan
) -> None:
    """Make the view of every event's rows in a table: place, seq, event_us, and the columns c0, c1, ... of rows."""
    if child.of is None:
        owners = f'select place, seq, event_us, "{child.name}" as owner from events'
    else:
        number = columns_of(child.of)[child.owner]
        # a key may stand under two parents of an event: its rows still count once
        owners = f"select distinct place, seq, event_us, c{number} as owner from {child.of.name}_rows"
    parts = []
    for number, (seq, table) in enumerate(stored):
        connection.register(f"{child.name}_{number}", table)
        parts.append(f"select {seq}::bigint as put, * from {child.name}_{number}")
    names = [field.name for field in child.fields]
    if not parts:
        nothing = pa.table({name: pa.array([], pa.int64()) for name in ("put", KEY, *names)})
        connection.register(f"{child.name}_0", nothing)
        parts = [f"select * from {child.name}_0"]
    until, still = "", ""
    if child.key and len(stored) > 1:
        until = f", lead(put) over (partition by {named(child)} order by put) as until"
        still = "and (r.until is null or o.seq <= r.until)"
    columns = ", ".join([*(f'nullif(r."{name}", {MISSING}) as c{n}' for n, name in enumerate(names))])
    derived = "".join(f", {_derived(child, made.name, made.left, made.right)}" for made in child.derived)
    connection.execute(
        f"""create view {child.name}_rows as
        with stored as (select *{until} from ({" union all by name ".join(parts)})),
        mine as (select o.place, o.seq, o.event_us, {columns} from ({owners}) o
                 join stored r on r.{KEY} = o.owner and r.put < o.seq {still})
        select *{derived} from mine"""
    )


def _derived(child: Child, name: str, left: str, right: str) -> str:
    columns = columns_of(child)
    by_left, by_right = scales_of(child, name, left, right)
    return f"c{columns[left]} * {by_left} - c{columns[right]} * {by_right} as c{columns[name]}"


def _aggregates(child: Child, partial: Partial) -> tuple[str, ...]:
    """Return the SQL of a partial."""
    column, order = f"c{partial.column}", f"c{partial.order}"
    wide = f"sum({column}::hugeint * {column}::hugeint)"
    latest = f"max({order}::hugeint * {WORD} + ({column}::hugeint + {HALF}))"
    text = {
        Kind.ROWS: "count(*)",
        Kind.VALUES: f"count({column})",
        Kind.SUM: f"sum({column})",
        Kind.SQUARES_HIGH: wide,
        Kind.SQUARES_LOW: wide,
        Kind.LEAST: f"min({column})",
        Kind.MOST: f"max({column})",
        Kind.DISTINCT: f"count(distinct {column})",
        Kind.LATEST: latest,
    }[partial.kind]
    terms = " and ".join(map(_term, partial.terms))
    text += f" filter (where {terms})" if terms else ""
    if partial.kind == Kind.SQUARES_LOW:
        return (f"({text} & ({WORD} - 1))::ubigint",)
    if partial.kind == Kind.SQUARES_HIGH:
        return (f"({text} >> 64)::bigint",)
    if partial.kind == Kind.LATEST:
        return (f"((({text} % {WORD}) + {WORD}) % {WORD} - {HALF})::bigint",)
    return (f"try_cast({text} as bigint)",)  # a sum of more rows than are declared may not fit; it is not used


def _term(term: Term) -> str:
    bound = f"event_us + {term.bound}" if term.relative else str(term.bound)
    return f"c{term.column} {SQL[OPERATORS[term.operator]]} {bound}"

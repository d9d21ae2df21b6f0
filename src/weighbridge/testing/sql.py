"""The aggregates of a declaration as DuckDB SQL: a third reading of rule 2, independent of kernel and oracle.

One query for each entity joins every event d with the events e of its key that arrived before it; each aggregate
filters those of its window. Sums are exact integers; the last step is the float64 formula that the declaration
promises. `label_` aggregates look up, for each pair, the newest label record about e that arrived before d.

Row features are left out: they read one event only, and SQL has other logarithms and calendars.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.case import UseCase
from weighbridge.declare.conditions import Condition
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Vectors

OPERATORS = {"==": "=", "!=": "<>", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}


def sql_names(case: UseCase) -> tuple[str, ...]:
    """Return the names of the features that `sql_vectors` computes: every aggregate of the vector, in its order."""
    return tuple(f.name for f in case.vector if isinstance(f, Aggregate))


def sql_vectors(case: UseCase, events: pa.Table, labels: pa.Table) -> Vectors:
    """Return what SQL says of a log's tables: float32[n, len(sql_names(case))], by seq.

    Time and memory grow with the pairs of events of a key. Raises InputError for names
    that SQL cannot tell apart.
    """
    for names in (sql_names(case), [f.name for f in case.events.payload]):
        if len({name.lower() for name in names}) < len(names) or any('"' in name for name in names):
            raise InputError("names differ by case only, or hold a quotation mark; SQL cannot read this declaration")
    found: dict[str, Any] = {}
    with duckdb.connect() as connection:
        connection.register("events", events)
        connection.register("labels", labels)
        for key in dict.fromkeys(a.key for a in _aggregates(case)):
            found.update(connection.execute(select(case, key)).fetchnumpy())
    columns = [found[name] for name in sql_names(case)]
    return np.array(columns, dtype=np.float32).reshape(len(columns), len(events)).T.copy()


def select(case: UseCase, key: str) -> str:
    """Return the query of one entity: seq, then one float column for each of its aggregates, by seq.

    It reads the tables `events` and `labels` as a log gives them.
    """
    aggregates = [a for a in _aggregates(case) if a.key == key]
    payload = [f.name for f in case.events.payload]
    mine = ", ".join(f'd."{name}" as "d.{name}"' for name in payload)
    theirs = ", ".join(f'e."{name}" as "e.{name}"' for name in payload)
    label = "(select arg_max(l.value, l.seq) from labels l where l.event_id = e.event_id and l.seq < d.seq)"
    if not any(a.of_labels for a in aggregates):
        label = "null"
    wanted = ",\n".join(
        f"  coalesce(cast({_value(case, a)} as float), cast('nan' as float)) as \"{a.name}\"" for a in aggregates
    )
    return f"""with pairs as (
  select d.seq as "d.seq", d.event_us as "d.event_us", {mine},
    e.seq as "e.seq", e.event_us as "e.event_us", {theirs}, {label} as label
  from events d left join events e on e."{key}" is not distinct from d."{key}" and e.seq < d.seq
)
select "d.seq" as seq,
{wanted}
from pairs group by "d.seq" order by "d.seq"
"""  # noqa: S608 - names come from a checked declaration, there is nothing to bind


def _aggregates(case: UseCase) -> list[Aggregate]:
    return [f for f in case.vector if isinstance(f, Aggregate)]


def _window(case: UseCase, a: Aggregate) -> str:
    """Return the condition on a pair that e lies in the window of an aggregate and is meant by it."""
    terms = [f'"e.event_us" > "d.event_us" - {a.last_us}', f'"e.event_us" <= "d.event_us" - {a.until_us}']
    terms += [f'"e.{a.field}" is not null'] if a.field else []
    terms += [_condition(case, condition) for condition in a.where]
    return " and ".join(terms)


def _condition(case: UseCase, condition: Condition) -> str:
    if isinstance(condition.value, str):
        bound = "'" + condition.value.replace("'", "''") + "'"
    else:
        bound = str(round(condition.value * case.events.field(condition.field, "where=").scale))
    return f'"e.{condition.field}" {OPERATORS[condition.operator]} {bound}'


def _value(case: UseCase, a: Aggregate) -> str:
    """Return the expression of an aggregate over the pairs of one decision, null where it is undefined."""
    window = _window(case, a)
    if a.of_labels:
        return _of_labels(a, window)
    if a.kind == "count":
        return f"count(*) filter ({window})"
    if a.kind == "since_last":
        return f'cast(any_value("d.event_us") - max("e.event_us") filter ({window}) as double) / 1e6'
    if a.kind == "distinct":
        return f'count(distinct "e.{a.field}") filter ({window})'
    if a.kind == "seen_before":
        same = f'count(*) filter ({window} and "e.{a.field}" = "d.{a.field}") > 0'
        return f'case when any_value("d.{a.field}") is not null then cast({same} as int) end'
    return _of_numbers(a, window, case.events.field(str(a.field), a.name).scale)


def _of_numbers(a: Aggregate, window: str, scale: int) -> str:
    x, n = f'"e.{a.field}"', f"count(*) filter ({window})"
    total = f"coalesce(sum({x}) filter ({window}), 0)"
    if a.kind == "sum":
        return f"{_double(total)} / {scale}::double"
    if a.kind == "mean":
        return f"case when {n} > 0 then {_double(total)} / ({n}::double * {scale}::double) end"
    if a.kind in ("min", "max"):
        return f"{_double(f'{a.kind}({x}) filter ({window})')} / {scale}::double"
    if a.kind == "quantile":
        rank = f"(({n} - 1)::double * {a.measure}::double)"
        low, values = f"floor({rank})", f"list({x} order by {x}) filter ({window})"
        below = f"{values}[{low}::bigint + 1]"
        above = f"{values}[least({low}::bigint + 2, {n})]"
        return f"({_double(below)} + ({rank} - {low}) * ({above} - {below})::double) / {scale}::double"
    squares = f"sum({x}::hugeint * {x}) filter ({window})"
    spread = f"({n}::hugeint * {squares} - {total} * {total})"
    word = "18446744073709551616"  # 2**64: the float64 of 128 bits is that of its halves, high * 2**64 + low
    wide = f"(({spread} // {word})::double * {word}::double + ({spread} % {word})::ubigint::double)"
    return f"case when {n} > 1 then sqrt({wide} / ({n} * ({n} - 1))::double) / {scale}::double end"


def _of_labels(a: Aggregate, window: str) -> str:
    labelled = f"count(*) filter ({window} and label is not null)"
    positive = f"count(*) filter ({window} and label = 1)"
    if a.kind == "label_rate":
        return f"case when {labelled} > 0 then {positive}::double / {labelled}::double end"
    if a.kind == "label_count":
        return positive if a.measure == "positive" else labelled
    newest_first = 'order by "e.event_us" desc, "e.seq" desc'
    known = f"({window} and label is not null)"
    values = f"list(label {newest_first}) filter {known}"
    length = f"coalesce(coalesce(list_position({values}, 0) - 1, len({values})), 0)"
    if a.measure == "length":
        return length
    first = f'(list("e.event_us" {newest_first}) filter {known})[{length}]'
    return f'case when {length} > 0 then (any_value("d.event_us") - {first})::double / 1e6 end'


def _double(integer: str) -> str:
    """Return an integer expression as float64, rounded once."""
    return f"({integer})::bigint::double"

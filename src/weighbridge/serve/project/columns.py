"""What the columns of a user's file look like: the kind of each, its bounds and values, and why."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.contract import RESERVED
from weighbridge.declare.fields import INT64_MAX
from weighbridge.errors import InputError
from weighbridge.kernel.written import outcome_of
from weighbridge.serve.project.times import Times, times_of

ID, TIME, ARRIVED, LABEL, KEY, CATEGORY, MONEY, NUMBER, INTEGER, LEFT_OUT, UNREAD = (
    "Id", "Time", "arrived", "label", "Key", "Category", "Money", "Number", "Integer", "left out",
    "a time in a form that is not read",
)  # fmt: skip
LABEL_NAMES = re.compile(r"(is_|was_|has_)?(fraud\w*|label|target|class|default\w*|chargeback|churn\w*|bad|positive|"
                         r"outcome|disputed|late|cancell?ed|returned|loan_status)", re.I)  # fmt: skip
ARRIVED_NAMES = re.compile(r"arriv|ingest|record|created|received|loaded", re.I)
CODE_NAMES = re.compile(r"(^|[\W_])(id|no|nr|num|number|code|key|zip|zipcode|postcode|iban|ip|phone|email|account|card|"
                        r"customer|client|user|member|merchant|shop|store|device_id|terminal|ssn)$", re.I)  # fmt: skip
PERSONAL = re.compile(r"card|customer|client|user|member|account|email|phone|iban|ssn|patient|person|payer|ip$", re.I)
MOST_VALUES, LEAST_REPEATS = 24, 2.0  # of a category; events a value, on average, of a key


@dataclass(frozen=True)
class Column:
    """One column: `kind` of field it makes, what was seen in it, and a note for whoever decides.

    `skew`: the mean of its numbers by their median, 0 where one of them is not positive.
    """

    name: str
    kind: str
    note: str = ""
    missing: int = 0
    low: float = 0.0
    high: float = 0.0
    decimals: int = 0
    skew: float = 0.0
    values: tuple[str, ...] = ()
    distinct: int = 0
    field: str = ""  # the field's name


def columns_of(table: pa.Table, **named: str | None) -> list[Column]:
    """Return the columns of a file with their kinds; `named` says which is the id, the time, the label.

    Raises InputError when the file has no rows, a named column is not there, or nothing can be the id or the label.
    """
    if not len(table):
        raise InputError("the file has no rows; give one with some history")
    for role, name in named.items():
        if name is not None and name not in table.column_names:
            raise InputError(f"--{role} {name!r} is no column; the file has {', '.join(table.column_names)}")
    found = [_column(name, table[name].combine_chunks(), len(table)) for name in table.column_names]
    found = _chosen(found, LABEL, named.get("label"), lambda c: bool(LABEL_NAMES.fullmatch(c.name)))
    found = _chosen(found, ID, named.get("id"), lambda c: True)
    found = _chosen(found, TIME, named.get("time"), lambda c: not ARRIVED_NAMES.search(c.name))
    kinds = {column.kind for column in found}
    if LABEL not in kinds:
        raise InputError("no column looks like a label of 0 and 1; name it with --label COLUMN")
    if ID not in kinds:
        raise InputError("no column has another value in every row; give each row an id, or name it with --id COLUMN")
    return _named(found)


def _named(found: list[Column]) -> list[Column]:
    """Name the field of each column: the column's name as an identifier, with a number where that is taken or empty."""
    taken: set[str] = set()
    named = []
    for column in found:
        stem = re.sub(r"\W+", "_", column.name, flags=re.ASCII).strip("_")
        if stem and (not stem[0].isalpha() or (stem in RESERVED and column.kind != ID)):
            stem = f"field_{stem}"
        named.append(replace(column, field=next(name for name in _names(stem) if name.lower() not in taken)))
        taken.add(named[-1].field.lower())
    return named


def _names(stem: str) -> Iterator[str]:
    yield from [stem] if stem else []
    yield from (f"{stem or 'field'}_{number}" for number in count(2 if stem else 1))


def _chosen(found: list[Column], kind: str, name: str | None, likely: object) -> list[Column]:
    """Keep one of the columns that could be of a kind: the one that is named, the likely one, or the first."""
    able = [c for c in found if c.kind == kind] if name is None else [c for c in found if c.name == name]
    if name is not None and able[0].kind != kind:
        note = f" ({able[0].note})" if able[0].note else ""
        raise InputError(f"--{kind.lower()} {name!r} cannot be: it looks like {able[0].kind}{note}")
    assert callable(likely)
    best = [c for c in able if likely(c)] or (able if kind != LABEL else [])
    if not best:
        return found
    if kind == TIME:
        best = sorted(best, key=lambda c: c.missing)
    told = [c.name for c in able if c is not best[0] and not (kind == TIME and ARRIVED_NAMES.search(c.name))]
    note = f"{', '.join(told)} could be too" if told else ""
    return [_demoted(c, kind, replace(best[0], note=note)) for c in found]


def _demoted(column: Column, kind: str, best: Column) -> Column:
    if column.name == best.name:
        return best
    if column.kind != kind:
        return column
    if kind == LABEL:
        return replace(column, kind=CATEGORY if column.values else INTEGER)
    if kind == TIME and ARRIVED_NAMES.search(column.name):
        without = f"an arrival that {column.missing:,} rows do not have"
        return replace(column, kind=LEFT_OUT, note=without) if column.missing else replace(column, kind=ARRIVED)
    return replace(column, kind=LEFT_OUT, note="a second time" if kind == TIME else "another value in every row")


def _column(name: str, values: pa.Array, rows: int) -> Column:
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
    elif pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    if pa.types.is_nested(kind):
        return Column(name, LEFT_OUT, f"{kind} is no kind of field")
    missing, distinct = values.null_count, len(values.drop_null().unique())
    made = Column(name, LEFT_OUT, missing=missing, distinct=distinct)
    if not name.strip():
        return replace(made, note="it has no name")
    if distinct < 2:
        return replace(made, note="the same value in every row" if distinct else "empty")
    times = times_of(values)
    if times is not None:
        return _time(made, times, rows)
    if pa.types.is_boolean(kind):
        return replace(made, kind=LABEL, values=("false", "true"))
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_text(values.type)):
        return replace(made, note=f"{kind} is no kind of field")
    numbers = _numbers(values)
    if numbers is not None and set(numbers.unique().to_pylist()) == {0.0, 1.0}:
        return replace(made, kind=LABEL, high=1.0)
    if numbers is None and {outcome_of(text) for text in _texts(values)} == {0, 1}:
        return replace(made, kind=LABEL, values=tuple(_texts(values)))
    if distinct == rows and not missing and (_is_text(values.type) or _whole(numbers)):
        return replace(made, kind=ID)
    if numbers is not None and not (CODE_NAMES.search(name) and _whole(numbers)):
        number = _number(made, numbers)
        if most(number.decimals) >= max(abs(number.low), abs(number.high)):
            return number
        made = replace(made, note="numbers beyond 64 bits")
        if not _is_text(values.type):
            return made
    if distinct <= MOST_VALUES and not CODE_NAMES.search(name):
        return replace(made, kind=CATEGORY, values=tuple(_texts(values)))
    if rows / distinct >= LEAST_REPEATS:
        return replace(made, kind=KEY)
    return replace(made, note=made.note or "hardly a value comes twice")


def _time(made: Column, times: Times, rows: int) -> Column:
    if times.usual:
        return replace(made, kind=TIME, missing=rows - int(times.good.sum()))
    if times.fault:
        return replace(made, kind=UNREAD, note=times.fault)
    return replace(made, note=f"a time that {made.missing:,} of {rows:,} rows do not have")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _texts(values: pa.Array) -> list[str]:
    return sorted(values.cast(pa.string()).drop_null().unique().to_pylist())


def _numbers(values: pa.Array) -> pa.Array | None:
    if _is_text(values.type) and pc.any(pc.match_substring_regex(values, "^0[0-9]")).as_py():
        return None  # a code: its leading zeros mean something
    try:
        numbers = values.drop_null().cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return numbers if pc.all(pc.is_finite(numbers)).as_py() else None


def _whole(numbers: pa.Array | None) -> bool:
    return numbers is not None and bool(pc.all(pc.equal(numbers, pc.round(numbers))).as_py())


def _number(made: Column, numbers: pa.Array) -> Column:
    seen = pc.min_max(numbers).as_py()
    mean, median = pc.mean(numbers).as_py(), pc.quantile(numbers, q=0.5)[0].as_py()
    skew = mean / median if mean > 0 and median > 0 else 0.0
    made = replace(made, low=seen["min"], high=seen["max"], skew=skew)
    if _whole(numbers):
        return replace(made, kind=INTEGER)
    decimals = next((d for d in range(1, 7) if _exact(numbers, d)), 6)
    return replace(made, kind=MONEY if decimals <= 2 else NUMBER, decimals=2 if decimals <= 2 else decimals)


def _exact(numbers: pa.Array, decimals: int) -> bool:
    return bool(pc.all(pc.equal(numbers, pc.round(numbers, decimals))).as_py())


def wider(column: Column) -> tuple[float, float]:
    """Return bounds with room around what was seen: 0 below what is never negative, 1, 2 or 5 times a power of ten."""
    high = _above(2 * max(abs(column.high), abs(column.low)))
    high = min(int(high), most(column.decimals)) if high >= 1 else high
    return (0 if column.low >= 0 else -high), high


def most(decimals: int) -> int:
    """Return the largest whole number that 64 bits hold with so many decimals."""
    return INT64_MAX // int(10**decimals)


def _above(value: float) -> float:
    if value <= 0:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return next(float(step * power) for step in (1, 2, 5, 10) if step * power >= value)

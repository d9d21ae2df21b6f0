"""The naive oracle of rollups: every row of every table looked at for every event, with Python's own integers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weighbridge.clock import DAY_US
from weighbridge.declare.children import Child
from weighbridge.declare.conditions import Condition
from weighbridge.declare.fields import Category, Time
from weighbridge.declare.rollups import Rollup

Row = Mapping[str, int | str | None]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True)
class ChildRow:
    """One stored row of a child table: its place in the order of arrival, and its stored values by field name."""

    table: str
    seq: int
    values: Row


@dataclass(frozen=True)
class Owner:
    """The event that is asked about: its place, its time, the rows sent with it by table, its stored values."""

    seq: int
    event_us: int
    sent: Mapping[str, Sequence[Row]]
    values: Row


def rolled(rollup: Rollup, owner: Owner, stored: Sequence[ChildRow]) -> float:
    """Return the value of a rollup for an event."""
    child, rows = rollup.child, rows_of(rollup.child, owner, stored)
    inside = [row for row in rows if _inside(rollup, owner, row)]
    met = [row for row in inside if all(_holds(child, c, row) for c in rollup.where)]
    if rollup.kind == "count":
        return float(len(met))
    if rollup.kind == "share":
        return float(len(met)) / float(len(inside)) if inside else math.nan
    assert rollup.field is not None
    field = child.field(rollup.field, "oracle")
    found = [v for row in met if (v := _value(child, row, rollup.field)) is not None]
    if rollup.kind == "distinct":
        return float(len(set(found)))
    if rollup.kind == "latest":
        assert rollup.order is not None
        pairs = [(_value(child, row, rollup.order), _value(child, row, rollup.field)) for row in met]
        told = [(o, field.one_of.index(v) if isinstance(field, Category) else v) for o, v in pairs
                if o is not None and v is not None]  # fmt: skip
        return float(max(told)[1]) / float(field.scale) if told else math.nan
    return _of_numbers(rollup.kind, [v for v in found if isinstance(v, int)], float(field.scale))


def rows_of(child: Child, owner: Owner, stored: Sequence[ChildRow]) -> list[Row]:
    """Return the rows of an event in a table: those sent with it, else those that had arrived."""
    if child.of is None:
        owners = {owner.values[child.owner]}
    else:
        owners = {row[child.owner] for row in rows_of(child.of, owner, stored)}
    if child.name in owner.sent:
        rows = [row for row in owner.sent[child.name] if row[child.by] in owners]
    else:
        arrived = [r for r in stored if r.table == child.name and r.seq < owner.seq and r.values[child.by] in owners]
        rows = [r.values for r in arrived if not any(_replaces(child, other, r) for other in arrived)]
    if child.time is not None:
        rows = [row for row in rows if int(row[child.time.name] or 0) <= owner.event_us]
    return rows


def _replaces(child: Child, newer: ChildRow, older: ChildRow) -> bool:
    if not child.key or newer.seq <= older.seq:
        return False
    return all(newer.values[name] == older.values[name] for name in (child.by, *child.key))


def _inside(rollup: Rollup, owner: Owner, row: Row) -> bool:
    if rollup.on is None:
        return True
    when = row[rollup.on]
    if when is None:
        return False
    of_time = isinstance(rollup.child.field(rollup.on, "oracle"), Time)
    before_us = owner.event_us - int(when) if of_time else -int(when) * DAY_US
    return before_us >= rollup.until_us and (rollup.last_us is None or before_us < rollup.last_us)


def _value(child: Child, row: Row, name: str) -> int | str | None:
    made = next((d for d in child.derived if d.name == name), None)
    if made is None:
        return row[name]
    left, right = row[made.left], row[made.right]
    if not isinstance(left, int) or not isinstance(right, int):
        return None
    scale = child.field(name, "oracle").scale
    left_scale, right_scale = (child.field(side, "oracle").scale for side in (made.left, made.right))
    return left * (scale // left_scale) - right * (scale // right_scale)


def _holds(child: Child, condition: Condition, row: Row) -> bool:
    value = _value(child, row, condition.field)
    if value is None:
        return False
    bound = condition.value
    if not isinstance(bound, str):
        bound = round(bound * child.field(condition.field, "oracle").scale)
    return bool(COMPARISONS[condition.operator](value, bound))


def _of_numbers(kind: str, x: list[int], scale: float) -> float:
    n = len(x)
    if kind == "sum":
        return float(sum(x)) / scale
    if n == 0 or (kind == "std" and n < 2):
        return math.nan
    if kind == "mean":
        return float(sum(x)) / (float(n) * scale)
    if kind in ("min", "max"):
        return float(min(x) if kind == "min" else max(x)) / scale
    high, low = divmod(n * sum(v * v for v in x) - sum(x) ** 2, 2**64)
    return math.sqrt((float(high) * 2.0**64 + float(low)) / float(n * (n - 1))) / scale

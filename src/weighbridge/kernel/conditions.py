"""A rule's condition over whole columns: the same meaning as for one event, a row at a time, see `score.condition`.

What is missing is NaN among numbers and null among texts; a comparison with it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.expression import (
    Arithmetic,
    Comparison,
    Condition,
    Constant,
    Inverse,
    Joined,
    Membership,
    Operand,
    Value,
)
from weighbridge.kernel.arrays import Bools

Column = Any  # float64[n], in units of the declaration, or an Arrow array of n texts
ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "!=": lambda a, b: (a < b) | (a > b),
}  # fmt: skip
SUMS: dict[str, Callable[[Any, Any], Any]] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


def holding(condition: Condition, columns: Mapping[str, Column], rows: int) -> Bools:
    """Return in which rows a condition without lists holds, bool[rows]."""
    match condition:
        case Comparison(operator=operator, left=left, right=right):
            a, b = (_values(side, columns, rows) for side in (left, right))
            if isinstance(a, pa.Array) or isinstance(b, pa.Array):
                return _flags((pc.equal if operator == "==" else pc.not_equal)(a, b))
            with np.errstate(invalid="ignore"):
                return np.asarray(ORDERS[operator](a, b), dtype=np.bool_)
        case Membership(left=left, values=values, negated=negated):
            found = _values(left, columns, rows)
            if isinstance(found, pa.Array):
                among = pc.is_in(found, value_set=pa.array(values, found.type))
                return _flags(pc.and_(pc.is_valid(found), pc.invert(among) if negated else among))
            inside = np.isin(found, np.array(values, dtype=np.float64))
            return np.asarray(np.isfinite(found) & (~inside if negated else inside), dtype=np.bool_)
        case Inverse(part=part):
            return ~holding(part, columns, rows)
        case Joined(every=every, parts=parts):
            each = [holding(part, columns, rows) for part in parts]
            return np.asarray(np.logical_and.reduce(each) if every else np.logical_or.reduce(each), dtype=np.bool_)


def present(column: Column) -> Bools:
    """Return in which rows a column has a value, bool[n]."""
    if isinstance(column, pa.Array):
        return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    return ~np.isnan(column)


def _values(value: Value, columns: Mapping[str, Column], rows: int) -> Column:
    match value:
        case Constant(value=str(text)):
            return pa.array([text] * rows, pa.string())
        case Constant(value=number):
            return np.full(rows, float(number))
        case Operand(name=name):
            return columns[name]
        case Arithmetic(operator=operator, left=left, right=right):
            a, b = _values(left, columns, rows), _values(right, columns, rows)
            if operator == "/":
                b = np.where(b == 0, np.nan, b)
            with np.errstate(invalid="ignore", over="ignore"):
                return SUMS[operator](a, b)


def _flags(found: pa.Array) -> Bools:
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)

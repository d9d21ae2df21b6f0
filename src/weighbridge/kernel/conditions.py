"""A rule's condition over whole columns: the same truth, row for row, as `score.condition` gives for one event.

What is missing is NaN among numbers and null among texts. A comparison with it is false, also under `!=` and `not in`.
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
from weighbridge.kernel.arrays import Bools, Floats

Column = Any  # float64[n], in units of the declaration, or an Arrow array of n texts
Columns = Mapping[str, Column]
Listed = Callable[[Membership], Bools]  # which rows have a value that is on a list
ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "!=": lambda a, b: np.less(a, b) | np.greater(a, b),
}  # fmt: skip
SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply,
    "/": lambda a, b: np.where(np.equal(b, 0), np.nan, np.divide(a, b)),
}  # fmt: skip


def holding(condition: Condition, columns: Columns, rows: int, listed: Listed | None = None) -> Bools:
    """Return in which rows a condition holds, bool[rows]. `columns` are what it names, by name.

    `listed` answers for lists; it is needed where the condition asks for one.
    """
    match condition:
        case Comparison(operator=operator, left=left, right=right):
            if any(isinstance(side, Operand) and side.text for side in (left, right)):
                compare = pc.equal if operator == "==" else pc.not_equal
                return truths(compare(_texts(left, columns), _texts(right, columns)))
            with np.errstate(invalid="ignore"):
                found = ORDERS[operator](_numbers(left, columns), _numbers(right, columns))
            return np.broadcast_to(np.asarray(found, dtype=np.bool_), rows)
        case Membership():
            return _member(condition, columns, rows, listed)
        case Inverse(part=part):
            return ~holding(part, columns, rows, listed)
        case Joined(every=every, parts=parts):
            joined = np.logical_and if every else np.logical_or
            return np.asarray(joined.reduce([holding(part, columns, rows, listed) for part in parts]), dtype=np.bool_)


def present(column: Column) -> Bools:
    """Return in which rows a column has a value, bool[n]."""
    return truths(column.is_valid()) if isinstance(column, pa.Array) else np.asarray(~np.isnan(column))


def truths(found: pa.Array) -> Bools:
    """Return which are true, bool[n]; what is null is not."""
    return np.asarray(pc.fill_null(found, fill_value=False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _member(membership: Membership, columns: Columns, rows: int, listed: Listed | None) -> Bools:
    left, values = membership.left, membership.values
    if isinstance(left, Operand) and left.text:
        column: Column = _texts(left, columns)
    else:
        column = np.broadcast_to(_numbers(left, columns), rows)
    if membership.list_name is not None:
        assert listed is not None
        here = listed(membership)
    elif isinstance(column, pa.Array):
        here = truths(pc.is_in(column, pa.array(values, pa.string())))
    else:
        here = np.isin(column, np.array(values, dtype=np.float64))
    return present(column) & (here ^ membership.negated)


def _texts(value: Value, columns: Columns) -> pa.Array | pa.Scalar:
    if isinstance(value, Constant):
        return pa.scalar(str(value.value), pa.string())
    assert isinstance(value, Operand)
    return columns[value.name]


def _numbers(value: Value, columns: Columns) -> Floats | float:
    match value:
        case Constant(value=constant):
            return float(constant)
        case Operand(name=name):
            return columns[name]
        case Arithmetic(operator=operator, left=left, right=right):
            with np.errstate(all="ignore"):
                return SUMS[operator](_numbers(left, columns), _numbers(right, columns))

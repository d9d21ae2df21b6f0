"""A rule's condition over many events at once: the same truth, event for event, as `condition.holds` gives.

What is missing is NaN among numbers and null among texts. A comparison with it is false, also under `!=` and `not in`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

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
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.columns import ints
from weighbridge.ports import LAST
from weighbridge.records import ListEdit

EXACT = 2**53  # integers up to it are float64 to the last digit
Numbers = Floats | float


class Entries:
    """All edits of lists, to be asked who was on a list at a place of the log.

    `always`: values of a list that count as being on it at every place, whatever the edits say.
    """

    def __init__(
        self, edits: Sequence[tuple[int, ListEdit]], always: Mapping[str, Collection[str]] | None = None
    ) -> None:
        self._always = always or {}
        told: dict[str, dict[str, list[tuple[int, int]]]] = {}
        for seq, edit in edits:
            until_us = (LAST if edit.until_us is None else edit.until_us) if edit.listed else -1
            told.setdefault(edit.name, {}).setdefault(edit.value, []).append((seq, until_us))
        self._told = {name: {v: np.array(t, dtype=np.int64) for v, t in by.items()} for name, by in told.items()}

    def on(self, name: str, column: pa.Array, seq: Ints, arrived_us: Ints) -> Bools:
        """Return which values of a column were on a list when the event of that row was decided."""
        found = np.zeros(len(column), dtype=np.bool_)
        told = self._told.get(name, {})
        coded = column.dictionary_encode()
        codes = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(coded.dictionary) + 1))
        always = self._always.get(name, ())
        for code, value in enumerate(coded.dictionary.to_pylist()):
            if value in always:
                found[order[ends[code] : ends[code + 1]]] = True
            elif value in told:
                rows, edits = order[ends[code] : ends[code + 1]], told[value]
                newest = np.searchsorted(edits[:, 0], seq[rows]) - 1
                found[rows] = (newest >= 0) & (edits[newest, 1] > arrived_us[rows])
        return found


@dataclass(frozen=True)
class Asked:
    """Events to decide, by seq: the log's columns, vectors float32[n, features], probability float64[n]."""

    events: pa.Table
    vectors: Vectors
    probability: Floats

    def __len__(self) -> int:
        return len(self.probability)

    def part(self, first: int, end: int) -> Asked:
        """Return rows from `first` on, before `end`."""
        return Asked(self.events.slice(first, end - first), self.vectors[first:end], self.probability[first:end])


def mask(condition: Condition, asked: Asked, entries: Entries) -> Bools:
    """Return where a condition holds, bool[n]."""
    match condition:
        case Comparison(operator=operator, left=left, right=right):
            if any(isinstance(side, Operand) and side.text for side in (left, right)):
                return _texts_compared(_texts(left, asked), _texts(right, asked), equal=operator == "==")
            return np.broadcast_to(_compared(operator, _numbers(left, asked), _numbers(right, asked)), len(asked))
        case Membership():
            return _member(condition, asked, entries)
        case Inverse(part=part):
            return ~mask(part, asked, entries)
        case Joined(every=every, parts=parts):
            joined = np.logical_and if every else np.logical_or
            return np.asarray(joined.reduce([mask(part, asked, entries) for part in parts]))


def _compared(operator: str, a: Numbers, b: Numbers) -> Bools:
    with np.errstate(invalid="ignore"):
        match operator:
            case "==":
                found = np.equal(a, b)
            case "!=":
                found = np.less(a, b) | np.greater(a, b)
            case "<":
                found = np.less(a, b)
            case "<=":
                found = np.less_equal(a, b)
            case ">":
                found = np.greater(a, b)
            case _:
                found = np.greater_equal(a, b)
    return np.asarray(found)


def _texts_compared(a: pa.Array, b: pa.Array, *, equal: bool) -> Bools:
    return _truths(pc.equal(a, b) if equal else pc.not_equal(a, b))


def _member(membership: Membership, asked: Asked, entries: Entries) -> Bools:
    if membership.list_name is not None:
        column, places = _texts(membership.left, asked), (asked.events["seq"], asked.events["arrived_us"])
        here = entries.on(membership.list_name, column, *map(ints, places))
        return ~here & _truths(column.is_valid()) if membership.negated else here
    if isinstance(membership.left, Operand) and membership.left.text:
        column = _texts(membership.left, asked)
        here, known = _truths(pc.is_in(column, pa.array(membership.values, pa.string()))), _truths(column.is_valid())
    else:
        numbers = np.broadcast_to(_numbers(membership.left, asked), len(asked))
        here, known = np.isin(numbers, np.array(membership.values, dtype=np.float64)), numbers == numbers
    return known & (here ^ membership.negated)


def _texts(value: Value, asked: Asked) -> pa.Array:
    if isinstance(value, Constant):
        return pa.array([str(value.value)] * len(asked), pa.string())
    assert isinstance(value, Operand)
    return _whole(asked.events[value.name])


def _numbers(value: Value, asked: Asked) -> Numbers:
    match value:
        case Constant(value=constant):
            return float(constant)
        case Operand(source="feature", place=place):
            return asked.vectors[:, place].astype(np.float64)
        case Operand(source="probability"):
            return asked.probability
        case Operand(name=name, scale=scale):
            return _units(_whole(asked.events[name]), scale)
        case Arithmetic(operator=operator, left=left, right=right):
            return _calculated(operator, _numbers(left, asked), _numbers(right, asked))


def _units(column: pa.Array, scale: int) -> Floats:
    """Return stored integers in units of the declaration, rounded once; NaN where there is none."""
    stored = np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    if len(stored) and max(int(stored.max()), -int(stored.min())) > EXACT:
        found = np.array([value / scale for value in stored.tolist()])
    else:
        found = stored / scale
    found[_truths(column.is_null())] = np.nan
    return found


def _calculated(operator: str, a: Numbers, b: Numbers) -> Numbers:
    with np.errstate(all="ignore"):
        if operator == "/":
            return np.where(np.equal(b, 0), np.nan, np.divide(a, b))
        return np.add(a, b) if operator == "+" else np.subtract(a, b) if operator == "-" else np.multiply(a, b)


def _truths(column: pa.Array) -> Bools:
    return np.asarray(pc.fill_null(column, fill_value=False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole

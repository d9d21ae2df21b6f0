"""A rule's condition over many events at once, with lists as they were when each was decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from weighbridge.declare.expression import Condition, Membership, Operand, named
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.columns import ints, whole
from weighbridge.kernel.conditions import Column, holding, truths
from weighbridge.ports import LAST
from weighbridge.records import ListEdit

EXACT = 2**53  # integers up to it are float64 to the last digit


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

    def listed(membership: Membership) -> Bools:
        column, places = columns[_name(membership)], (asked.events["seq"], asked.events["arrived_us"])
        return entries.on(str(membership.list_name), column, *map(ints, places))

    columns = {operand.name: _column(operand, asked) for operand in named(condition)}
    return holding(condition, columns, len(asked), listed)


def _name(membership: Membership) -> str:
    assert isinstance(membership.left, Operand)
    return membership.left.name


def _column(operand: Operand, asked: Asked) -> Column:
    match operand:
        case Operand(source="feature", place=place):
            return asked.vectors[:, place].astype(np.float64)
        case Operand(source="probability"):
            return asked.probability
        case Operand(name=name, text=True):
            return whole(asked.events[name])
        case Operand(name=name, scale=scale):
            return _units(whole(asked.events[name]), scale)


def _units(column: pa.Array, scale: int) -> Floats:
    """Return stored integers in units of the declaration, rounded once; NaN where there is none."""
    stored = np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    if len(stored) and max(int(stored.max()), -int(stored.min())) > EXACT:
        found = np.array([value / scale for value in stored.tolist()])
    else:
        found = stored / scale
    found[truths(column.is_null())] = np.nan
    return found

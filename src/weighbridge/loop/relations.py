"""Makes the related tables that a declaration's `Relations` describes, block by block, so that any size fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pyarrow as pa

from weighbridge.declare.case import UseCase
from weighbridge.declare.children import Child
from weighbridge.declare.fields import Category, Field, Integer, Numeric
from weighbridge.declare.relations import AMONG, LOGNORMAL, STEPS, Drawn, Relations, Rows, Shape
from weighbridge.errors import DeclarationError, InputError
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.loop.report import Progress, silent

BLOCK = 1_000  # events that are made at once


@dataclass(frozen=True)
class _Made:
    """Rows in the making: the event of each within its block, its place among those of its owner, and its keys."""

    event: Ints
    within: Ints
    keys: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.event)


def related(
    case: UseCase, *, seed: int, events: int | None = None, progress: Progress = silent
) -> Iterator[Mapping[str, pa.Table]]:
    """Yield the tables of block after block of events, by name: the contract's, with the label, then the children's.

    The same declaration and seed give the same rows, and a larger world begins with a smaller one. Columns are called
    as in files. Raises InputError when the use case declares no relations, DeclarationError when they name a table or
    a field that there is not.
    """
    world = case.simulate
    if not isinstance(world, Relations):
        raise InputError(f"use case {case.name} declares no related tables; give it simulate=Relations(...)")
    maker, wanted = _Maker(case, world, seed), events or world.events
    for number in range(-(-wanted // BLOCK)):
        yield maker.block(number, min(BLOCK, wanted - number * BLOCK))
        progress("events", min((number + 1) * BLOCK, wanted), wanted)


class _Maker:
    def __init__(self, case: UseCase, world: Relations, seed: int) -> None:
        self.case, self.world, self.seed = case, world, seed
        self.children = {child.name: child for child in case.children}
        self.next_key = dict.fromkeys(self.children, 1_000_001)
        _check(case.events.fields, world.columns, case.events.name)
        for rows in world.tables:
            if rows.table not in self.children:
                raise DeclarationError(f"rows of {rows.table}: there is no such child table; declare it in children=")
            _check(self.children[rows.table].fields, rows.columns, rows.table)

    def block(self, number: int, events: int) -> Mapping[str, pa.Table]:
        """Return the tables of one block; it is made whole, and cut to so many events."""
        rng, ids = np.random.default_rng([self.seed, number, 0]), self.world.first_id + number * BLOCK
        factors = {name: rng.standard_normal(BLOCK) for name in self.world.factors}
        everyone = np.arange(BLOCK)
        root = _Made(everyone, np.zeros(BLOCK, dtype=np.int64), {self.case.events.id.name: ids + everyone})
        table = _table(rng, self.case.events.fields, self.world.columns, root, factors)
        label = _behind(rng, self.world.risk, root, factors) > NormalDist().inv_cdf(1 - self.world.rate)
        found = {self.case.events.name: table.append_column(self.case.label.source, pa.array(label.astype(np.int64)))}
        made: dict[str | None, _Made] = {None: root}
        for place, rows in enumerate(self.world.tables, start=1):
            rng, child = np.random.default_rng([self.seed, number, place]), self.children[rows.table]
            made[rows.table] = self._owned(rng, rows, child, made[rows.under], factors)
            found[rows.table] = _table(rng, child.fields, rows.columns, made[rows.table], factors)
        if events == BLOCK:
            return found
        owners = {name: made[None if name == self.case.events.name else name].event for name in found}
        return {name: whole.filter(pa.array(owners[name] < events)) for name, whole in found.items()}

    def _owned(
        self, rng: np.random.Generator, rows: Rows, child: Child, owner: _Made, factors: Mapping[str, Floats]
    ) -> _Made:
        """Return the rows of a table: how many each owner has, and the keys they take from it."""
        number = np.maximum(np.rint(_shaped(rows.number, _behind(rng, rows.of, owner, factors))), 1).astype(np.int64)
        number[rng.random(len(number)) < rows.none] = 0
        of = np.repeat(np.arange(len(number)), number)
        within = np.arange(len(of)) - np.repeat(np.cumsum(number) - number, number)
        keys = {name: values[of] for name, values in owner.keys.items()}
        keys |= {child.by: keys[child.owner]} if child.owner in keys else {}
        if child.row_key is not None:
            keys[child.row_key] = self.next_key[child.name] + np.arange(len(of))
            self.next_key[child.name] += len(of)
        return _Made(owner.event[of], within, keys)


def _check(fields: Sequence[Field], columns: Sequence[Drawn], table: str) -> None:
    """Refuse columns of fields that there are not, and values that a field would refuse."""
    known = {f.name: f for f in fields}
    for column in columns:
        for asked in (column.field, column.plus, column.times):
            if asked is not None and asked not in known:
                raise DeclarationError(f"simulated {table}: it has no field {asked!r}; name one of its fields")
        item = known[column.field]
        foreign = sorted(set(column.shape.values) - set(item.one_of)) if isinstance(item, Category) else []
        if foreign or (item.numeric and any(isinstance(value, str) for value in column.shape.values)):
            raise DeclarationError(f"simulated {table}: {column.field} is never {foreign}; draw values it may have")
        if column.unknown and not item.missing:
            raise DeclarationError(f"simulated {table}: {column.field} has no means_missing=; take unknown= out")


def _behind(rng: np.random.Generator, of: Mapping[str, float], rows: _Made, factors: Mapping[str, Floats]) -> Floats:
    """Return a standard normal number for each row, float64[rows], correlated with factors by the weights."""
    rest = 1.0 - sum(weight * weight for weight in of.values())
    total: Floats = np.sqrt(max(rest, 0.0)) * rng.standard_normal(len(rows))
    for name, weight in of.items():
        total += weight * factors[name][rows.event]
    return total


def _shaped(shape: Shape, behind: Floats) -> Floats:
    """Return the numbers that standard normal numbers mean, float64[rows]; of texts their places in the list."""
    if shape.kind == AMONG:
        places = np.searchsorted(np.array(shape.limits), behind)
        return np.asarray(places if isinstance(shape.values[0], str) else np.array(shape.values)[places], dtype=float)
    found = shape.centre + shape.spread * behind
    found = np.exp(found) if shape.kind == LOGNORMAL else found
    low, high = shape.bounds
    return found if low is None and high is None else np.clip(found, low, high)


def _table(
    rng: np.random.Generator, fields: Sequence[Field], columns: Sequence[Drawn], rows: _Made,
    factors: Mapping[str, Floats],
) -> pa.Table:  # fmt: skip
    """Return the rows' columns in the order of the fields; what is not drawn and no key is empty."""
    numbers: dict[str, Floats] = {}
    for column in columns:
        if column.shape.kind == STEPS:
            found = np.asarray(column.shape.centre + column.shape.spread * rows.within, dtype=np.float64)
        else:
            found = _shaped(column.shape, _behind(rng, column.of, rows, factors))
        if column.times is not None:
            found = found * numbers[column.times]
        numbers[column.field] = found + numbers[column.plus] if column.plus is not None else found
    how = {column.field: column for column in columns}
    arrays = {}
    for item in fields:
        if item.name in how:
            arrays[item.source] = _column(rng, item, how[item.name], numbers[item.name])
        elif item.name in rows.keys:
            arrays[item.source] = pa.array(rows.keys[item.name])
        else:
            arrays[item.source] = pa.nulls(len(rows), pa.float64() if item.numeric else pa.string())
    return pa.table(arrays)


def _column(rng: np.random.Generator, item: Field, column: Drawn, numbers: Floats) -> pa.Array:
    """Return a column as a file holds it: text, whole numbers, or numbers of the declared decimals."""
    gone = rng.random(len(numbers)) < column.missing if column.missing else np.zeros(len(numbers), dtype=np.bool_)
    unknown = rng.random(len(numbers)) < column.unknown if column.unknown else np.zeros(len(numbers), dtype=np.bool_)
    if not isinstance(item, Numeric):
        values = pa.array([*map(str, column.shape.values), *getattr(item, "means_missing", ())])
        places = np.where(unknown, len(column.shape.values), numbers.astype(np.int64))
        return values.take(pa.array(places, mask=gone))
    stored = np.rint(numbers * item.scale)
    stored = np.clip(stored, *item.stored_bounds()) if item.stored_bounds() != (None, None) else stored
    if column.unknown:
        stored = np.where(unknown, round(item.means_missing[0] * item.scale), stored)
    if isinstance(item, Integer):
        return pa.array(stored.astype(np.int64), mask=gone)
    return pa.array(stored / item.scale, mask=gone)

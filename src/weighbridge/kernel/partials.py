"""The integers that rollups are made of, compiled from the declaration.

A row is int64[columns]: its declared fields in order (numbers as stored, a category's place in its list, other text as
64 bits of its hash, a time in microseconds), then the derived ones; MISSING where it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from weighbridge.clock import DAY_US
from weighbridge.declare.case import UseCase
from weighbridge.declare.children import Child
from weighbridge.declare.conditions import OPERATORS, Condition, stored_operand
from weighbridge.declare.fields import Category, Time
from weighbridge.declare.rollups import Rollup
from weighbridge.identity import hash64
from weighbridge.kernel.arrays import MISSING, Ints

Kind = IntEnum("Kind", (
    "ROWS", "VALUES", "SUM", "SQUARES_HIGH", "SQUARES_LOW", "LEAST", "MOST", "DISTINCT", "LATEST",
), start=0)  # fmt: skip
OF_KIND = {
    "count": (Kind.ROWS,),
    "sum": (Kind.SUM,),
    "mean": (Kind.VALUES, Kind.SUM),
    "std": (Kind.VALUES, Kind.SUM, Kind.SQUARES_HIGH, Kind.SQUARES_LOW),
    "min": (Kind.LEAST,),
    "max": (Kind.MOST,),
    "distinct": (Kind.DISTINCT,),
    "latest": (Kind.LATEST,),
}
WITHOUT_ROWS = {Kind.LEAST: MISSING, Kind.MOST: MISSING, Kind.LATEST: MISSING}  # the others are 0


@dataclass(frozen=True)
class Term:
    """What a row must fulfil: `column operator bound`; `relative` adds the event's time to the bound."""

    column: int
    operator: int
    bound: int
    relative: bool = False


@dataclass(frozen=True)
class Partial:
    """One integer of one table of child rows: its kind, the columns it reads (or -1), and which rows count."""

    table: str
    kind: Kind
    column: int
    order: int
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class TablePlan:
    """The partials of one table: `places` among all partials; specs: int64[p, 5]; terms: int64[t, 4]."""

    child: Child
    partials: tuple[Partial, ...]
    places: Ints
    specs: Ints
    terms: Ints


def columns_of(child: Child) -> dict[str, int]:
    """Return the column of every field of a child's rows, declared and derived."""
    return {name: number for number, name in enumerate(child.known)}


def partials_of(rollup: Rollup) -> tuple[Partial, ...]:
    """Return the integers that a rollup is a formula of."""
    child = rollup.child
    columns = columns_of(child)
    column = -1 if rollup.field is None else columns[rollup.field]
    order = -1 if rollup.order is None else columns[rollup.order]
    window = _window(rollup, columns)
    terms = (*window, *(_term(child, columns, c) for c in rollup.where))
    if rollup.kind == "share":
        return tuple(Partial(child.name, Kind.ROWS, -1, -1, each) for each in (window, terms))
    return tuple(Partial(child.name, kind, column, order, terms) for kind in OF_KIND[rollup.kind])


def _window(rollup: Rollup, columns: dict[str, int]) -> tuple[Term, ...]:
    child, terms = rollup.child, []
    if child.time is not None:
        terms.append(Term(columns[child.time.name], OPERATORS.index("<="), 0, relative=True))
    if rollup.on is None:
        return tuple(terms)
    of_time = isinstance(child.field(rollup.on, rollup.name), Time)
    unit, column = 1 if of_time else DAY_US, columns[rollup.on]
    terms.append(Term(column, OPERATORS.index("<="), -rollup.until_us // unit, of_time))
    if rollup.last_us is not None:
        terms.append(Term(column, OPERATORS.index(">"), -rollup.last_us // unit, of_time))
    return tuple(dict.fromkeys(terms))


def _term(child: Child, columns: dict[str, int], condition: Condition) -> Term:
    field, value = child.field(condition.field, child.name), condition.value
    if isinstance(field, Category):
        bound = field.one_of.index(str(value))
    else:
        bound = hash64(value) if isinstance(value, str) else stored_operand(child.name, field, value)
    return Term(columns[field.name], OPERATORS.index(condition.operator), bound)


def table_plans(case: UseCase, partials: tuple[Partial, ...]) -> tuple[TablePlan, ...]:
    """Return the plan of every table that some partial, or a table below it, reads; parents first."""
    read = {partial.table for partial in partials}
    for child in reversed(case.children):
        if child.name in read and child.of is not None:
            read.add(child.of.name)
    return tuple(_table_plan(child, partials) for child in case.children if child.name in read)


def _table_plan(child: Child, partials: tuple[Partial, ...]) -> TablePlan:
    places = [place for place, partial in enumerate(partials) if partial.table == child.name]
    mine = tuple(partials[place] for place in places)
    specs, terms = [], list[list[int]]()
    for partial in mine:
        specs.append([partial.kind, partial.column, partial.order, len(terms), len(partial.terms)])
        terms += [[t.column, t.operator, t.bound, int(t.relative)] for t in partial.terms]
    return TablePlan(
        child, mine, np.array(places, dtype=np.int64), np.array(specs, dtype=np.int64).reshape(-1, 5),
        np.array(terms, dtype=np.int64).reshape(-1, 4),
    )  # fmt: skip


def without_rows(partials: tuple[Partial, ...]) -> Ints:
    """Return the partials of an event that has no child rows, int64[p]."""
    return np.array([WITHOUT_ROWS.get(partial.kind, 0) for partial in partials], dtype=np.int64)


def derive(child: Child, declared: Ints) -> Ints:
    """Return rows with their derived columns, int64[n, f + d], from int64[n, f] of the declared ones."""
    columns = columns_of(child)
    rows = np.empty((len(declared), len(columns)), dtype=np.int64)
    rows[:, : declared.shape[1]] = declared
    for made in child.derived:
        left, right = declared[:, columns[made.left]], declared[:, columns[made.right]]
        there = (left != MISSING) & (right != MISSING)
        by_left, by_right = scales_of(child, made.name, made.left, made.right)
        difference = np.where(there, left, 0) * by_left - np.where(there, right, 0) * by_right
        rows[:, columns[made.name]] = np.where(there, difference, MISSING)
    return rows


def scales_of(child: Child, name: str, left: str, right: str) -> tuple[int, int]:
    """Return what the two sides of a difference are multiplied with to have its scale."""
    scale = child.known[name].scale
    return scale // child.known[left].scale, scale // child.known[right].scale

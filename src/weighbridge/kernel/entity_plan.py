"""One entity's aggregates compiled: which integers are gathered from its histories, and which formula reads them.

A *raw* is one exact integer about a window, such as a count, a sum or a smallest value; aggregates share raws. Replay
gathers raws for many rows at once, the online state for one event; `formulas` turns both into features.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.conditions import OPERATORS, Condition, stored_operand
from weighbridge.declare.features import Feature
from weighbridge.declare.fields import Category, Field
from weighbridge.errors import DeclarationError
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.program import pack

Op = IntEnum("Op", (
    "COUNT", "SUM", "MEAN", "STD", "MIN", "MAX", "QUANTILE", "DISTINCT", "SINCE_LAST", "SEEN_BEFORE",
    "LABELLED", "POSITIVE", "LABEL_RATE", "STREAK_LENGTH", "STREAK_AGE",
), start=0)  # fmt: skip
Raw = IntEnum("Raw", (
    "N", "TOTAL", "EXTREME", "BELOW", "ABOVE", "DISTINCT", "NEWEST_US", "SEEN", "LABELLED", "POSITIVE", "RUN",
    "RUN_FIRST_US",
), start=0)  # fmt: skip
RunningSum = IntEnum("RunningSum", ("COUNT", "SUM", "SQUARES"), start=0)
# the packed tables of EntityPlan.program
(FIELD_PLACES, TERMS, SUMS, EXTREMES, OCCURRENCES, CURSORS, ORDERS, LABELS, OFFSETS, RAWS, SPECS, PARAMETERS) = range(
    12
)
# columns of RAWS: what is gathered, between which edges, of which events, from which line of the history; PART is the
# cursor of a distinct count, the level (bits of a float64) of a quantile
KIND, LOW, HIGH, SELECTION, LINE, PART, RAW_WIDTH = range(7)
# columns of EntityPlan.specs
OP, FIRST, SECOND, THIRD, OUT, SPEC_WIDTH = range(6)
FORMULAS: dict[str, tuple[str, ...]] = {  # the raws of each operation, in the order in which its formula reads them
    "COUNT": ("N",), "SUM": ("TOTAL",), "MEAN": ("N", "TOTAL"), "STD": ("N", "TOTAL", "SQUARES"),
    "MIN": ("N", "LEAST"), "MAX": ("N", "GREATEST"), "QUANTILE": ("N", "BELOW", "ABOVE"),
    "DISTINCT": ("DISTINCT",), "SINCE_LAST": ("NEWEST_US",), "SEEN_BEFORE": ("SEEN",),
    "LABELLED": ("LABELLED",), "POSITIVE": ("POSITIVE",), "LABEL_RATE": ("LABELLED", "POSITIVE"),
    "STREAK_LENGTH": ("RUN",), "STREAK_AGE": ("RUN", "RUN_FIRST_US"),
}  # fmt: skip


@dataclass(frozen=True)
class EntityPlan:
    """The aggregates of one entity.

    fields: int64[v, 1], places in the payload of the fields whose values the history keeps.
    terms: int64[c, 4], rows (selection, field, operator or -1 for "present", operand): a conjunction each.
    sums: int64[s, 3], rows (kind, selection, line of the value): the running sums the history keeps.
    extremes: int64[x, 3], rows (1 smallest or -1 largest, selection, line of the value).
    occurrences: int64[o, 2], rows (selection, line of the value): where a value occurred before and next.
    cursors: int64[d, 3], rows (low edge, high edge, occurrence): the distinct counts.
    orders: int64[q, 5], rows (low edge, high edge, selection, line, running count or -1): windows kept in the order of
    their values.
    labels: int64[l, 1], selections whose labels are counted.
    offsets: int64[e, 1], microseconds before the decision at which a window edge lies.
    raws: int64[r, RAW_WIDTH].
    specs: int64[a, SPEC_WIDTH] and parameters: float64[a, 2] (scale, quantile level), one row an aggregate.
    """

    key: str
    key_field: int
    fields: Ints
    terms: Ints
    sums: Ints
    extremes: Ints
    occurrences: Ints
    cursors: Ints
    orders: Ints
    labels: Ints
    offsets: Ints
    raws: Ints
    specs: Ints
    parameters: Floats

    @cached_property
    def program(self) -> Ints:
        """All tables, packed; the parameters as the bits of float64."""
        return pack([
            self.fields, self.terms, self.sums, self.extremes, self.occurrences, self.cursors, self.orders,
            self.labels, self.offsets, self.raws, self.specs, self.parameters.view(np.int64),
        ])  # fmt: skip

    @property
    def span_us(self) -> int:
        """The longest reach into the past, microseconds."""
        return int(self.offsets.max()) if len(self.offsets) else 0

    @property
    def uses_labels(self) -> bool:
        """Whether some aggregate looks at labels."""
        return len(self.labels) > 0


class EntityCompiler:
    """Numbers an entity's lines, selections, raws and window edges while its aggregates are read."""

    def __init__(
        self, key: str, payload: tuple[Field, ...], place: dict[str, int], register: dict[str | Feature, int]
    ) -> None:
        self.key, self.payload, self.place, self.register = key, payload, place, register
        self.selections: dict[Hashable, int] = {}
        self.terms: list[list[int]] = []
        self.numbered: dict[str, dict[tuple[int, ...], int]] = {
            name: {}
            for name in ("fields", "sums", "extremes", "occurrences", "cursors", "orders", "labels", "offsets", "raws")
        }

    def compile(self, aggregates: list[Aggregate]) -> EntityPlan:
        """Return the plan of the aggregates."""
        specs = [self._spec(a) for a in aggregates]
        scales = [float(self.payload[self.place[a.field]].scale) if a.field else 1.0 for a in aggregates]
        levels = [float(a.measure) if a.kind == "quantile" else 0.0 for a in aggregates]
        if len(self.selections) > 62:
            raise DeclarationError(
                f"entity {self.key}: its aggregates use {len(self.selections)} combinations of field and where=; "
                "at most 62 fit, share some or drop some"
            )
        return EntityPlan(
            key=self.key,
            key_field=self.place[self.key],
            fields=self._table("fields", 1),
            terms=matrix(self.terms, 4),
            sums=self._table("sums", 3),
            extremes=self._table("extremes", 3),
            occurrences=self._table("occurrences", 2),
            cursors=self._table("cursors", 3),
            orders=self._table("orders", 5),
            labels=self._table("labels", 1),
            offsets=self._table("offsets", 1),
            raws=self._table("raws", RAW_WIDTH),
            specs=matrix(specs, SPEC_WIDTH),
            parameters=np.array([scales, levels], dtype=np.float64).T.reshape(-1, 2).copy(),
        )

    def _spec(self, a: Aggregate) -> list[int]:
        operation = _operation(a)
        raws = [self._raw(name, a) for name in FORMULAS[operation]]
        return [Op[operation], *raws, *[-1] * (3 - len(raws)), self.register[a]]

    def _raw(self, name: str, a: Aggregate) -> int:
        low, high = self._number("offsets", a.last_us), self._number("offsets", a.until_us)
        selection = self._selection(a.field, a.where)
        value = self._number("fields", self.place[a.field]) if a.field else -1
        line, part, kind = -1, -1, name
        if name in ("N", "NEWEST_US"):
            line = self._number("sums", RunningSum.COUNT, selection, -1) if selection >= 0 else -1
        elif name in ("TOTAL", "SQUARES"):
            kind = "TOTAL"
            line = self._number("sums", RunningSum.SUM if name == "TOTAL" else RunningSum.SQUARES, selection, value)
        elif name in ("LEAST", "GREATEST"):
            kind, line = "EXTREME", self._number("extremes", 1 if name == "LEAST" else -1, selection, value)
        elif name in ("BELOW", "ABOVE"):
            counted = self._number("sums", RunningSum.COUNT, selection, -1) if selection >= 0 else -1
            line = self._number("orders", low, high, selection, value, counted)
            part = int(np.float64(a.measure).view(np.int64))
        elif name in ("DISTINCT", "SEEN"):
            line = self._number("occurrences", selection, value)
            part = self._number("cursors", low, high, line) if name == "DISTINCT" else -1
        else:
            line = self._number("labels", selection)
        return self._number("raws", Raw[kind], low, high, selection, line, part)

    def _number(self, table: str, *row: int) -> int:
        return self.numbered[table].setdefault(row, len(self.numbered[table]))

    def _table(self, name: str, width: int) -> Ints:
        return matrix([list(row) for row in self.numbered[name]], width)

    def _selection(self, field: str | None, where: tuple[Condition, ...]) -> int:
        """Return the bit of "this field is present and these conditions hold", -1 where every event qualifies."""
        optional = field is not None and self.payload[self.place[field]].optional
        if not optional and not where:
            return -1
        meaning = (field if optional else None, where)
        if meaning not in self.selections:
            number = self.selections[meaning] = len(self.selections)
            if optional and field is not None:
                self.terms.append([number, self.place[field], -1, 0])
            for condition in where:
                place = self.place[condition.field]
                operand = _operand(self.payload[place], condition)
                self.terms.append([number, place, OPERATORS.index(condition.operator), operand])
        return self.selections[meaning]


def _operation(a: Aggregate) -> str:
    if a.kind == "label_count":
        return a.measure.upper()
    return f"STREAK_{a.measure.upper()}" if a.kind == "label_streak" else a.kind.upper()


def _operand(field: Field, condition: Condition) -> int:
    """Return a condition's value as the stored integer it is compared with; text is refused unless listed."""
    if isinstance(field, Category):
        return list(field.one_of).index(str(condition.value))
    if isinstance(condition.value, str):
        raise DeclarationError(
            f"where= on {condition.field}: a free text has no fixed code; declare it as a Category to filter by it"
        )
    return stored_operand(f"where= on {condition.field}", field, condition.value)


def matrix(rows: list[list[int]], width: int) -> Ints:
    """Return rows of equal width as int64[rows, width], of no rows too."""
    return np.array(rows, dtype=np.int64).reshape(-1, width)

"""The declaration compiled to the arrays that the kernels read. Nothing here is fitted.

A plan numbers a register file: one float64 register for each payload field (major units), then one for each
computed feature. Aggregates and row features write their register; the vector picks some of them as float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.case import UseCase
from weighbridge.declare.conditions import OPERATORS, Condition
from weighbridge.declare.features import Feature, RowFeature
from weighbridge.declare.fields import Category, Field
from weighbridge.errors import DeclarationError
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.zones import zone_table

MISSING = np.iinfo(np.int64).min  # the stored value of an optional field that is absent

Op = IntEnum("Op", (
    "COUNT", "SUM", "MEAN", "STD", "MIN", "MAX", "QUANTILE", "DISTINCT", "SINCE_LAST", "SEEN_BEFORE",
    "LABELLED", "POSITIVE", "LABEL_RATE", "STREAK_LENGTH", "STREAK_AGE",
), start=0)  # fmt: skip
RowOp = IntEnum("RowOp", (
    "VALUE", "LOG", "IS_ROUND", "BUCKET", "ZSCORE", "RATIO", "DIFFERENCE",
    "HOUR_OF_DAY", "DAY_OF_WEEK", "IS_WEEKEND", "IS_BUSINESS_HOURS", "IS_BETWEEN_HOURS",
), start=0)  # fmt: skip
RunningSum = IntEnum("RunningSum", ("COUNT", "SUM", "SQUARES"), start=0)
# columns of EntityPlan.specs
OP, LOW_EDGE, HIGH_EDGE, SELECTION, VALUE, COUNT, SUM, SQUARES, OUT, SPEC_WIDTH = range(10)


@dataclass(frozen=True)
class EntityPlan:
    """The aggregates of one entity.

    fields: int64[v], places in the payload of the fields whose values the history keeps.
    selections: int64[c, 4], rows (selection, field, operator or -1 for "present", operand): a conjunction each.
    prefixes: int64[p, 3], rows (kind, selection, line of the value): the running sums the history keeps.
    offsets: int64[o], microseconds before the decision at which a window edge lies.
    specs: int64[a, SPEC_WIDTH] and parameters: float64[a, 2] (scale, quantile level), one row an aggregate.
    """

    key: str
    key_field: int
    fields: Ints
    selections: Ints
    prefixes: Ints
    offsets: Ints
    specs: Ints
    parameters: Floats
    uses_labels: bool

    @property
    def span_us(self) -> int:
        """The longest reach into the past, microseconds."""
        return int(self.offsets.max()) if len(self.offsets) else 0


@dataclass(frozen=True)
class Plan:
    """A compiled declaration.

    scales: float64[f], stored integer per major unit of each payload field.
    row_ops: int64[w, 7] (op, three registers or -1, first parameter, number of parameters, zone), row_out: int64[w],
    row_parameters: float64[...], zone_times and zone_offsets: int64[z, t].
    vector: int64[n], the registers that make the vector.
    """

    case: UseCase
    entities: tuple[EntityPlan, ...]
    scales: Floats
    registers: int
    row_ops: Ints
    row_out: Ints
    row_parameters: Floats
    zone_times: Ints
    zone_offsets: Ints
    vector: Ints
    events_per_key: int

    @property
    def payload(self) -> tuple[Field, ...]:
        """The fields of the event behind `values`, in order."""
        return self.case.events.payload

    @cached_property
    def coded(self) -> frozenset[int]:
        """The places of text fields whose equality some aggregate asks for; other free text needs no code."""
        asked = {int(place) for e in self.entities for place in (e.key_field, *e.fields, *e.selections[:, 1])}
        return frozenset(place for place in asked if not self.payload[place].numeric)


def compile_plan(case: UseCase) -> Plan:
    """Compile a use case to arrays."""
    payload = case.events.payload
    place = {field.name: number for number, field in enumerate(payload)}
    register: dict[str | Feature, int] = {field.name: number for number, field in enumerate(payload)}
    for feature in case.computed:
        register[feature] = len(register)
    aggregates = [f for f in case.computed if isinstance(f, Aggregate)]
    keys = list(dict.fromkeys(a.key for a in aggregates))
    entities = tuple(
        _EntityCompiler(key, payload, place, register).compile([a for a in aggregates if a.key == key]) for key in keys
    )
    rows = [f for f in case.computed if isinstance(f, RowFeature)]
    zones = list(dict.fromkeys(["UTC", *(f.zone for f in rows)]))
    zone_times, zone_offsets = zone_table(zones)
    ops, parameters = [], [0.0]
    for feature in rows:
        operands = [register[o] for o in feature.operands] + [-1] * (3 - len(feature.operands))
        start, count = len(parameters), len(feature.parameters)
        ops.append([RowOp[feature.kind.upper()], *operands, start, count, zones.index(feature.zone)])
        parameters += feature.parameters
    return Plan(
        case=case,
        entities=entities,
        scales=np.array([field.scale for field in payload], dtype=np.float64),
        registers=len(register),
        row_ops=_matrix(ops, 7),
        row_out=np.array([register[f] for f in rows], dtype=np.int64),
        row_parameters=np.array(parameters),
        zone_times=zone_times,
        zone_offsets=zone_offsets,
        vector=np.array([register[f] for f in case.vector], dtype=np.int64),
        events_per_key=case.events.events_per_key,
    )


class _EntityCompiler:
    """Numbers an entity's lines, selections, prefixes and window edges while its aggregates are read."""

    def __init__(
        self, key: str, payload: tuple[Field, ...], place: dict[str, int], register: dict[str | Feature, int]
    ) -> None:
        self.key, self.payload, self.place, self.register = key, payload, place, register
        self.fields: dict[str, int] = {}
        self.selections: dict[tuple[Any, ...], int] = {}
        self.terms: list[list[int]] = []
        self.prefixes: dict[tuple[int, int, int], int] = {}
        self.offsets: dict[int, int] = {}

    def compile(self, aggregates: list[Aggregate]) -> EntityPlan:
        specs = [self._spec(a) for a in aggregates]
        parameters = [
            [
                self.payload[self.place[a.field]].scale if a.field else 1.0,
                float(a.measure) if a.kind == "quantile" else 0.0,
            ]
            for a in aggregates
        ]
        if len(self.selections) > 62:
            raise DeclarationError(
                f"entity {self.key}: its aggregates use {len(self.selections)} combinations of field and where=; "
                "at most 62 fit, share some or drop some"
            )
        return EntityPlan(
            key=self.key,
            key_field=self.place[self.key],
            fields=np.array([self.place[name] for name in self.fields], dtype=np.int64),
            selections=_matrix(self.terms, 4),
            prefixes=_matrix([list(p) for p in self.prefixes], 3),
            offsets=np.array(list(self.offsets), dtype=np.int64),
            specs=_matrix(specs, SPEC_WIDTH),
            parameters=np.array(parameters, dtype=np.float64).reshape(-1, 2),
            uses_labels=any(a.of_labels for a in aggregates),
        )

    def _spec(self, a: Aggregate) -> list[int]:
        spec = [-1] * SPEC_WIDTH
        spec[OP] = Op[_operation(a)]
        spec[LOW_EDGE], spec[HIGH_EDGE] = self._edge(a.last_us), self._edge(a.until_us)
        selection = spec[SELECTION] = self._selection(a.field, a.where)
        value = spec[VALUE] = self.fields.setdefault(a.field, len(self.fields)) if a.field else -1
        if a.kind in ("count", "sum", "mean", "std"):
            spec[COUNT] = self._prefix(RunningSum.COUNT, selection, -1)
        if a.kind in ("sum", "mean", "std"):
            spec[SUM] = self._prefix(RunningSum.SUM, selection, value)
        if a.kind == "std":
            spec[SQUARES] = self._prefix(RunningSum.SQUARES, selection, value)
        spec[OUT] = self.register[a]
        return spec

    def _edge(self, offset_us: int) -> int:
        return self.offsets.setdefault(offset_us, len(self.offsets))

    def _prefix(self, kind: RunningSum, selection: int, value: int) -> int:
        return self.prefixes.setdefault((kind, selection, value), len(self.prefixes))

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
    scaled = condition.value * field.scale
    if scaled != round(scaled):
        raise DeclarationError(
            f"where= on {condition.field}: {condition.value} has more decimals than the field; round it to the field's"
        )
    return round(scaled)


def _matrix(rows: list[list[int]], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(-1, width)

"""The declaration compiled to the arrays that the kernels read. Nothing here is fitted.

A plan numbers a register file: one float64 register for each payload field (major units), then one for each
computed feature. Aggregates and row features write their register; the vector picks some of them as float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.case import UseCase
from weighbridge.declare.features import Feature, RowFeature
from weighbridge.declare.fields import Field
from weighbridge.declare.rollups import Rollup
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.entity_plan import OUT, EntityCompiler, EntityPlan, matrix
from weighbridge.kernel.partials import Partial, TablePlan, partials_of, table_plans
from weighbridge.kernel.program import pack
from weighbridge.kernel.rollups import OPERATION
from weighbridge.kernel.zones import zone_table

RowOp = IntEnum("RowOp", (
    "VALUE", "LOG", "IS_ROUND", "BUCKET", "ZSCORE", "RATIO", "DIFFERENCE",
    "IS_MISSING", "MEAN_OF", "LEAST_OF", "MOST_OF",
    "HOUR_OF_DAY", "DAY_OF_WEEK", "IS_WEEKEND", "IS_BUSINESS_HOURS", "IS_BETWEEN_HOURS",
), start=0)  # fmt: skip
# the packed tables of Plan.program; then the program of each entity
SCALES, ROW_OPS, ROW_OUT, ROW_PARAMETERS, ZONE_TIMES, ZONE_OFFSETS, VECTOR, ROLLUPS, ROLLUP_SCALES, ENTITIES = range(10)


@dataclass(frozen=True)
class Plan:
    """A compiled declaration.

    scales: float64[f], stored integer per major unit of each payload field.
    row_ops: int64[w, 7] (op, three registers or -1, first parameter, number of parameters, zone), row_out: int64[w],
    row_parameters: float64[...], zone_times and zone_offsets: int64[z, t].
    vector: int64[n], the registers that make the vector. sides: int64[s], the registers of aggregates that row
    features read. partials: the integers of child rows that stand behind the payload in `values`; tables: how they
    are made; rollups: int64[r, 6] (operation, register, four places in `values`), rollup_scales: float64[r].
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
    sides: Ints
    events_per_key: int
    partials: tuple[Partial, ...]
    tables: tuple[TablePlan, ...]
    rollups: Ints
    rollup_scales: Floats

    @property
    def width(self) -> int:
        """How many `values` an event has: its payload, then its partials."""
        return len(self.payload) + len(self.partials)

    @property
    def payload(self) -> tuple[Field, ...]:
        """The fields of the event behind `values`, in order."""
        return self.case.events.payload

    @cached_property
    def program(self) -> Ints:
        """Everything a kernel needs for one event, packed; floats as their bits."""
        return pack([
            self.scales.view(np.int64).reshape(1, -1), self.row_ops, self.row_out.reshape(1, -1),
            self.row_parameters.view(np.int64).reshape(1, -1), self.zone_times, self.zone_offsets,
            self.vector.reshape(1, -1), self.rollups, self.rollup_scales.view(np.int64).reshape(1, -1),
            *(entity.program.reshape(1, -1) for entity in self.entities),
        ])  # fmt: skip

    @cached_property
    def coded(self) -> frozenset[int]:
        """The places of text fields whose equality some aggregate asks for; other free text needs no code."""
        asked = {int(p) for e in self.entities for p in (e.key_field, *e.fields[:, 0], *e.terms[:, 1])}
        return frozenset(place for place in asked if not self.payload[place].numeric)

    def targets(self, entity: EntityPlan) -> tuple[Ints, Ints]:
        """Return where the aggregates of an entity go.

        int64[_, 3], runs of neighbours: rows (first aggregate, its place in the vector, length); int64[_, 2], rows
        (aggregate, place in `sides`).
        """
        places = {int(register): place for place, register in enumerate(self.vector)}
        sides = {int(register): place for place, register in enumerate(self.sides)}
        outs = [int(out) for out in entity.specs[:, OUT]]
        runs: list[list[int]] = []
        for number, out in enumerate(outs):
            place = places.get(out, -1)
            if runs and [number, place] == [runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]]:
                runs[-1][2] += 1
            elif place >= 0:
                runs.append([number, place, 1])
        return matrix(runs, 3), matrix([[n, sides[out]] for n, out in enumerate(outs) if out in sides], 2)


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
        EntityCompiler(key, payload, place, register).compile([a for a in aggregates if a.key == key]) for key in keys
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
    rolled = [f for f in case.computed if isinstance(f, Rollup)]
    partials = tuple(dict.fromkeys(partial for f in rolled for partial in partials_of(f)))
    read = {o for f in rows for o in f.operands}
    return Plan(
        case=case,
        entities=entities,
        scales=np.array([field.scale for field in payload], dtype=np.float64),
        registers=len(register),
        row_ops=matrix(ops, 7),
        row_out=np.array([register[f] for f in rows], dtype=np.int64),
        row_parameters=np.array(parameters),
        zone_times=zone_times,
        zone_offsets=zone_offsets,
        vector=np.array([register[f] for f in case.vector], dtype=np.int64),
        sides=np.array([register[a] for a in aggregates if a in read], dtype=np.int64),
        events_per_key=case.events.events_per_key,
        partials=partials,
        tables=table_plans(case, partials),
        rollups=matrix([_rollup(f, register[f], len(payload), partials) for f in rolled], 6),
        rollup_scales=np.array([_scale(f) for f in rolled], dtype=np.float64),
    )


def _rollup(rollup: Rollup, register: int, first: int, partials: tuple[Partial, ...]) -> list[int]:
    """Return a rollup's line: what is not used repeats the first place."""
    places = [first + partials.index(partial) for partial in partials_of(rollup)]
    return [OPERATION[rollup.kind], register, *places, *[places[0]] * (4 - len(places))]


def _scale(rollup: Rollup) -> float:
    counts = rollup.field is None or rollup.kind == "distinct"
    return 1.0 if counts else float(rollup.child.known[str(rollup.field)].scale)

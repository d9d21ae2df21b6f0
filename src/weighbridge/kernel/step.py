"""One vector from the histories of one event's keys: the online half of `replay`, on the same kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weighbridge.kernel.arrays import Ints, Vectors
from weighbridge.kernel.history import add_up, empty, evict, insert, set_label
from weighbridge.kernel.plan import EntityPlan, Plan
from weighbridge.kernel.rows import finish
from weighbridge.kernel.windows import aggregate

FIRST_CAPACITY = 16


@dataclass
class History:
    """One key's events: `rows` as `kernel.history` lays them out, of which the first `n` columns are filled."""

    rows: Ints
    n: int = 0

    @classmethod
    def new(cls, entity: EntityPlan) -> History:
        """Return an empty history of an entity."""
        return cls(empty(entity, FIRST_CAPACITY))

    def add(self, entity: EntityPlan, event_us: int, seq: int, label: int, values: Ints) -> None:
        """Insert an event; the history doubles its room when it is full."""
        if self.n == self.rows.shape[1]:
            grown = np.empty((self.rows.shape[0], 2 * self.n), dtype=np.int64)
            grown[:, : self.n] = self.rows
            self.rows = grown
        insert(self.rows, self.n, event_us, seq, label, values, entity.fields, entity.selections, entity.prefixes)
        self.n += 1

    def label(self, event_us: int, seq: int, value: int) -> bool:
        """Set the label of an event; False when the history no longer holds it."""
        return bool(set_label(self.rows, self.n, event_us, seq, value))

    def remove(self, entity: EntityPlan, event_us: int, seq: int) -> int:
        """Take an event out again; return its label."""
        place = int(np.flatnonzero((self.rows[0, : self.n] == event_us) & (self.rows[1, : self.n] == seq))[0])
        label = int(self.rows[2, place])
        self.rows[:, place : self.n - 1] = self.rows[:, place + 1 : self.n].copy()
        self.n -= 1
        add_up(self.rows, place, self.n, len(entity.fields), entity.prefixes)
        return label

    def evict(self, entity: EntityPlan, before_us: int) -> None:
        """Forget the events at or before a time."""
        self.n = int(evict(self.rows, self.n, before_us, len(entity.fields), entity.prefixes))


def step(plan: Plan, event_us: int, values: Ints, histories: Sequence[History]) -> Vectors:
    """Return the vector of one event, float32[features].

    values: int64[f], stored values of its payload. histories: one for each entity of the plan, in order, holding
    what arrived before the event (an empty one for a key never seen).
    """
    registers = np.empty(plan.registers, dtype=np.float64)
    for entity, history in zip(plan.entities, histories, strict=True):
        aggregate(
            history.rows, history.n, event_us, values,
            entity.fields, entity.offsets, entity.specs, entity.parameters, registers,
        )  # fmt: skip
    vector = np.empty(len(plan.vector), dtype=np.float32)
    finish(
        event_us, values, plan.scales, plan.row_ops, plan.row_out, plan.row_parameters,
        plan.zone_times, plan.zone_offsets, plan.vector, registers, vector,
    )  # fmt: skip
    return vector

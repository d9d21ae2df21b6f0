"""All vectors of a history, each as of the moment its event arrived, from the log's columns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.entity_plan import OUT, EntityPlan
from weighbridge.kernel.keyed import Keyed, group, labels_by_key
from weighbridge.kernel.plan import VECTOR, Plan
from weighbridge.kernel.program import table
from weighbridge.kernel.replay_keys import PAD, replay_keys
from weighbridge.kernel.rows import finish
from weighbridge.kernel.scatter import TILE, output_to

NONE: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Columns:
    """Events in the order of their arrival, and the label records about them.

    seq, event_us: int64[n]; values: int64[n, f], stored values of the payload (text as codes: only equality counts),
    and the partials of child rows behind them where vectors are wanted.
    label_row, label_seq, label_value: int64[m], the row a label record is about, its place in the order of arrival
    and 0 or 1; in the order of arrival.
    """

    seq: Ints
    event_us: Ints
    values: Ints
    label_row: Ints
    label_seq: Ints
    label_value: Ints

    def __len__(self) -> int:
        return len(self.seq)


def replay(plan: Plan, columns: Columns, wanted: Bools | None = None, *, cores: int = 1) -> Vectors:
    """Return the vectors of the wanted rows (default: all), float32[wanted, features], working on so many cores.

    Row d's vector is a function of d itself and of the records with seq < d.seq inside the declared windows.
    Raises InputError when a key has more events than the contract's `events_per_key`.
    """
    slots = NONE if wanted is None else np.where(wanted, np.cumsum(wanted) - 1, -1)
    count = len(columns) if wanted is None else int(wanted.sum())
    vectors = np.empty((count, len(plan.vector)), dtype=np.float32)
    sides = np.empty((count, len(plan.sides)), dtype=np.float64)
    for entity in plan.entities:
        replay_entity(plan, entity, columns, vectors, sides, cores, slots)
    finish_rows(plan, columns.event_us, columns.values, slots, sides, vectors)
    return vectors


def finish_rows(plan: Plan, event_us: Ints, values: Ints, slots: Ints, sides: Floats, vectors: Vectors) -> None:
    """Fill the fields and row features of vectors whose aggregates, and sides, are filled; slots as in `Output`."""
    outs = {int(out) for entity in plan.entities for out in entity.specs[:, OUT]}
    places = np.array([p for p, register in enumerate(plan.vector) if int(register) not in outs], dtype=np.int64)
    if len(places):
        if values.shape[1] < plan.width:
            raise ValueError("these events come without the partials of their child rows")
        _finish_rows(plan.program, plan.sides, plan.registers, places, event_us, values, slots, sides, vectors)


@njit(cache=True, nogil=True)
def _finish_rows(
    program: Ints, side_registers: Ints, registers: int, places: Ints, event_us: Ints, values: Ints, slots: Ints,
    sides: Floats, vectors: Vectors,
) -> None:  # fmt: skip
    picked, filled = table(program, VECTOR)[0], np.empty((registers, TILE + PAD), dtype=np.float64)
    times, fields = np.empty(TILE, dtype=np.int64), np.empty((TILE, values.shape[1]), dtype=np.int64)
    count, done = 0, 0
    for row in range(len(event_us)):
        if len(slots) == 0 or slots[row] >= 0:
            times[count] = event_us[row]
            fields[count] = values[row]
            for side in range(len(side_registers)):
                filled[side_registers[side], count] = sides[done + count, side]
            count += 1
        if count == TILE or row == len(event_us) - 1:
            finish(program, times, fields, count, filled)
            for place in places:
                line = filled[picked[place]]
                for i in range(count):
                    vectors[done + i, place] = np.float32(line[i])
            done, count = done + count, 0


def replay_entity(
    plan: Plan, entity: EntityPlan, columns: Columns, vectors: Vectors, sides: Floats, cores: int, slots: Ints = NONE
) -> None:
    """Write an entity's aggregates to their places in vectors (float32[_, >= features]) and sides (float64[_, sides]).

    slots: int64[n], the output row of each row or -1; empty where all are wanted. Raises InputError as `replay` does.
    """
    output = output_to(vectors, sides, *plan.targets(entity), slots)
    keys = columns.values[:, entity.key_field]
    order, starts = group(keys, cores)
    for number in np.flatnonzero(np.diff(starts) > plan.events_per_key):
        _check_bound(plan, entity, np.sort(columns.event_us[order[starts[number] : starts[number + 1]]]))
    records, places, label_starts = labels_by_key(order, starts, columns.label_row if entity.uses_labels else NONE)
    keyed = Keyed(
        order, starts, columns.seq, columns.event_us, columns.values, places, columns.label_seq[records],
        columns.label_value[records], label_starts,
    )  # fmt: skip
    cuts = np.searchsorted(starts, np.linspace(0, len(keys), cores + 1)[1:-1])
    edges = [0, *cuts.tolist(), len(starts) - 1]
    with ThreadPoolExecutor(cores) as pool:
        parts = [
            pool.submit(replay_keys, entity.program, keyed, first, last, plan.registers, output)
            for first, last in pairwise(edges)
        ]
        for part in parts:
            part.result()


def _check_bound(plan: Plan, entity: EntityPlan, times: Ints) -> None:
    """Refuse a key that has more events within the longest window than the contract declares."""
    bound = plan.events_per_key
    if np.any(times[bound:] - times[:-bound] < entity.span_us):
        raise InputError(
            f"a key of {entity.key} has more than events_per_key={bound} events in one window; "
            "raise the bound in the contract"
        )

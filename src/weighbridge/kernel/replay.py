"""All vectors of a history, each as of the moment its event arrived, from the log's columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.history import UNKNOWN, empty, insert, set_label
from weighbridge.kernel.plan import EntityPlan, Plan
from weighbridge.kernel.rows import finish
from weighbridge.kernel.windows import aggregate


@dataclass(frozen=True)
class Columns:
    """Events in the order of their arrival, and the label records about them.

    seq, event_us: int64[n]; values: int64[n, f], stored values of the payload (text as codes: only equality counts).
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


def replay(plan: Plan, columns: Columns, wanted: Bools | None = None) -> Vectors:
    """Return the vectors of the wanted rows (default: all), float32[wanted, features].

    Row d's vector is a function of d itself and of the records with seq < d.seq inside the declared windows.
    Raises InputError when a key has more events than the contract's `events_per_key`.
    """
    if wanted is None:
        wanted = np.ones(len(columns), dtype=np.bool_)
    slots = np.cumsum(wanted) - 1
    registers = np.empty((int(wanted.sum()), plan.registers), dtype=np.float64)
    for entity in plan.entities:
        _replay_entity(plan, entity, columns, wanted, slots, registers)
    vectors = np.empty((len(registers), len(plan.vector)), dtype=np.float32)
    _finish_all(
        columns.event_us[wanted], columns.values[wanted], plan.scales, plan.row_ops, plan.row_out,
        plan.row_parameters, plan.zone_times, plan.zone_offsets, plan.vector, registers, vectors,
    )  # fmt: skip
    return vectors


def group(keys: Ints) -> tuple[Ints, Ints]:
    """Return (order, starts): a stable order with equal keys together, and where each group starts, with an end."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(keys) else np.zeros(0, dtype=np.int64)
    return order, np.r_[starts, len(keys)].astype(np.int64)


def _replay_entity(
    plan: Plan, entity: EntityPlan, columns: Columns, wanted: Bools, slots: Ints, registers: Floats
) -> None:
    keys = columns.values[:, entity.key_field]
    order, starts = group(keys)
    longest = int(np.diff(starts).max()) if len(starts) > 1 else 0
    for number in np.flatnonzero(np.diff(starts) > plan.events_per_key):
        _check_bound(plan, entity, np.sort(columns.event_us[order[starts[number] : starts[number + 1]]]))
    known = np.zeros(0, dtype=np.int64)
    if entity.uses_labels:
        known = np.argsort(keys[columns.label_row], kind="stable")
    ranks = np.empty(len(keys), dtype=np.int64)
    ranks[order] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    label_starts = np.searchsorted(ranks[columns.label_row[known]], np.arange(len(starts))).astype(np.int64)
    rows = empty(entity, longest)
    _replay_keys(
        rows, order, starts, columns.seq, columns.event_us, columns.values,
        columns.label_row[known], columns.label_seq[known], columns.label_value[known], label_starts,
        wanted, slots, entity.fields, entity.selections, entity.prefixes,
        entity.offsets, entity.specs, entity.parameters, registers,
    )  # fmt: skip


def _check_bound(plan: Plan, entity: EntityPlan, times: Ints) -> None:
    """Refuse a key that has more events within the longest window than the contract declares."""
    bound = plan.events_per_key
    if np.any(times[bound:] - times[:-bound] < entity.span_us):
        raise InputError(
            f"a key of {entity.key} has more than events_per_key={bound} events in one window; "
            "raise the bound in the contract"
        )


@njit(cache=True, nogil=True)
def _replay_keys(
    rows: Ints,
    order: Ints,
    starts: Ints,
    seq: Ints,
    event_us: Ints,
    values: Ints,
    label_row: Ints,
    label_seq: Ints,
    label_value: Ints,
    label_starts: Ints,
    wanted: Bools,
    slots: Ints,
    fields: Ints,
    terms: Ints,
    prefixes: Ints,
    offsets: Ints,
    specs: Ints,
    parameters: Floats,
    registers: Floats,
) -> None:
    early = np.full(len(seq), UNKNOWN, dtype=np.int64)  # the label of an event that arrived after its label
    for group_number in range(len(starts) - 1):
        n, label = 0, label_starts[group_number]
        last_label = label_starts[group_number + 1]
        for position in range(starts[group_number], starts[group_number + 1]):
            row = order[position]
            while label < last_label and label_seq[label] < seq[row]:
                about = label_row[label]
                if seq[about] < seq[row]:
                    set_label(rows, n, event_us[about], seq[about], label_value[label])
                else:
                    early[about] = label_value[label]
                label += 1
            if wanted[row]:
                aggregate(
                    rows, n, event_us[row], values[row], fields, offsets, specs, parameters, registers[slots[row]]
                )
            insert(rows, n, event_us[row], seq[row], early[row], values[row], fields, terms, prefixes)
            n += 1  # noqa: SIM113 - numba


@njit(cache=True, nogil=True)
def _finish_all(
    event_us: Ints,
    values: Ints,
    scales: Floats,
    row_ops: Ints,
    row_out: Ints,
    row_parameters: Floats,
    zone_times: Ints,
    zone_offsets: Ints,
    picked: Ints,
    registers: Floats,
    vectors: Vectors,
) -> None:
    for number in range(len(vectors)):
        finish(
            event_us[number], values[number], scales, row_ops, row_out, row_parameters,
            zone_times, zone_offsets, picked, registers[number], vectors[number],
        )  # fmt: skip

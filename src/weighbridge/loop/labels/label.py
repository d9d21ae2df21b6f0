"""Reads label records from files: from a column beside the events, or from a table of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.declare.contract import ARRIVED
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Ints
from weighbridge.kernel.rules import reject
from weighbridge.kernel.table_check import TableCheck
from weighbridge.kernel.written import outcome_of
from weighbridge.ports import Stores
from weighbridge.stores.tables import LABELS

WAITING = "waiting-labels"
RECORDS = pa.schema([field for field in LABELS if field.name != "seq"])


def labels_of_column(
    case: UseCase, good: pa.Table, events: pa.Table, mapping: Mapping[str, str], kept: Bools
) -> tuple[pa.Table, TableCheck]:
    """Return the labels that stand in a column of the events' own file, none where it has no such column, and a check.

    good: the rows of the file that keep the contract, with `row`, `event_us` and `arrived_us`; `kept` marks them,
    bool[rows of the file]. A label that cannot be read is a reject of its own; its event is not refused for it.
    """
    source = mapping.get(case.label.name, case.label.source)
    check = TableCheck(events, mapping)
    if source not in events.column_names:
        return RECORDS.empty_table(), check
    check.good &= kept
    values = _values(check, case.label.name, source)
    check.good &= values >= 0  # where there is no label, no arrival is missing
    told = mapping.get("label_arrived", case.label.arrived)
    rows = good["row"].to_numpy()
    if told:
        arrived = check.times(ARRIVED, "label_arrived", told)[rows]
    else:
        arrived = good["event_us"].to_numpy() + case.label.arrives_us
    arrived = np.maximum(arrived, good["arrived_us"].to_numpy())
    given = check.good[rows]
    return _records(good["event_id"].filter(pa.array(given)), values[rows][given], arrived[given]), check


def labels_of_table(
    case: UseCase, stores: Stores, good: pa.Table, labels: pa.Table, mapping: Mapping[str, str]
) -> tuple[pa.Table, TableCheck]:
    """Return the labels of a table with event_id, label and arrived; those about no known event are rejected."""
    check = TableCheck(labels, {k: v for k, v in mapping.items() if k in ("event_id", "label")})
    own = case.events.id.source
    ids = check.column("event_id", own if own in labels.column_names else "event_id").cast(pa.string())
    values = _values(check, "label", case.label.source if case.label.source in labels.column_names else "label")
    arrived = check.times(ARRIVED, "label_arrived", mapping.get("label_arrived", "arrived"))
    here = pc.is_in(ids, value_set=good["event_id"].combine_chunks())
    known = np.asarray(pc.or_(here, stores.log.known(ids)).to_numpy(zero_copy_only=False), dtype=np.bool_)
    check.refuse(~known, reject("event_id", "event"))
    check.refuse(values < 0, reject("label", "required"))
    return _records(ids.filter(pa.array(check.good)), values[check.good], arrived[check.good]), check


def arrived_and_waiting(stores: Stores, records: pa.Table, now_us: int) -> tuple[pa.Table, pa.Table]:
    """Return the label records that have arrived and are not stored yet, and those that will arrive later.

    Labels that waited since an earlier file are among them; a file may be given again once its labels are known.
    """
    waiting = stores.tables.get(WAITING)
    if waiting is not None:
        records = pa.concat_tables([waiting, records])
    log = stores.log.labels()
    seen = set(zip(*(log[name].to_pylist() for name in ("event_id", "value", "arrived_us")), strict=True))
    fresh: list[bool] = []
    for row in zip(*(records[name].to_pylist() for name in ("event_id", "value", "arrived_us")), strict=True):
        fresh.append(row not in seen)
        seen.add(row)
    records = records.filter(pa.array(fresh, pa.bool_()))
    arrived = pc.less_equal(records["arrived_us"], now_us)
    return records.filter(arrived), records.filter(pc.invert(arrived))


def _values(check: TableCheck, name: str, source: str) -> Ints:
    """Return 0, 1, or -1 for none; a value that is no label is refused."""
    values = label_values(check.column(name, source), f"column {source!r} for the label {name}")
    wrong: Bools = values == 2
    check.refuse(wrong, reject(name, "type", "0 or 1"))
    return values


def label_values(column: pa.Array, what: str) -> Ints:
    """Return 0, 1, -1 for none, or 2 for what is no label, int64[n]; true and false, 1.0 and 0.0 are labels too.

    Raises InputError, beginning with `what`, when the column is of a type that has no 0 and 1.
    """
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = (-1 if text is None else outcome_of(text) for text in column.to_pylist())
        return np.array([2 if value is None else value for value in found], dtype=np.int64)
    try:
        numbers: Any = column.cast(pa.float64()).fill_null(-1.0).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(f"{what} holds no 0 and 1; map another one") from None
    numbers = np.where(np.isnan(numbers), -1.0, numbers)
    return np.where(np.isin(numbers, (-1.0, 0.0, 1.0)), numbers, 2.0).astype(np.int64)


def _records(ids: pa.Array, values: Ints, arrived: Ints) -> pa.Table:
    source = pa.array(["history"] * len(values), pa.string())
    arrays = [ids.cast(pa.string()), pa.array(values, pa.int64()), pa.array(arrived, pa.int64()), source]
    return pa.table(arrays, schema=RECORDS)

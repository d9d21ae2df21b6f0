"""Takes history in: rows that keep the contract into the log, the rest into a table of rejects with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Ints
from weighbridge.kernel.rules import reject
from weighbridge.kernel.validate import TableCheck, parse_table
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores
from weighbridge.stores.tables import LABELS, event_schema, in_order_of_arrival

REJECTS = "rejects"


def ingest(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    events: pa.Table,
    labels: pa.Table | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Report:
    """Append a history file, and its labels from a column of the same file or from a table of their own.

    `mapping` names the column of a field (or of the label, or of `arrived`) where the file calls it otherwise. A row
    that is stored already with the same content is skipped, so that a file may be given twice. Raises InputError when
    a column is missing or the history is older than the log; then nothing was stored.
    """
    run = Run("ingest", stores, clock)
    mapping = mapping or {}
    known_names = {*(f.name for f in case.events.fields), case.label.name, "arrived", "label_arrived"}
    for name in mapping:
        if name not in known_names:
            raise InputError(f"--map {name}=...: there is no such field; use one of {', '.join(sorted(known_names))}")
    accepted, check = parse_table(case.events, events, mapping, stores.pseudonyms)
    accepted, repeated = _once(case, stores, accepted, check)
    if labels is not None:
        records, label_check = _labels_of_table(case, stores, accepted, labels, mapping)
    else:
        records, label_check = _labels_of_column(case, accepted, events, mapping), None
    rejects = check.rejects.table()
    if label_check is not None:
        rejects = pa.concat_tables([rejects, label_check.rejects.table()])
    numbered = in_order_of_arrival(stores.log.head(), accepted.drop_columns(["row"]), records)
    if len(accepted) or len(records):
        stores.log.import_history(*numbered)
    if len(rejects):
        stores.tables.put(f"{REJECTS}/{run.id}", rejects)
    reasons = {
        str(r["rule"]): r["row_count"] for r in rejects.group_by("rule").aggregate([("row", "count")]).to_pylist()
    }
    figures = {
        "rows": len(events),
        "accepted": len(accepted),
        "already_stored": repeated,
        "rejected": len(rejects),
        "reasons": reasons,
        "labels": len(records),
        "positives": int(pc.sum(records["value"]).as_py() or 0),
        "head_seq": stores.log.head().data_seq,
    }
    rejected = (
        f", {len(rejects)} rejected ({', '.join(f'{n} {rule}' for rule, n in sorted(reasons.items()))})"
        if reasons
        else ""
    )
    again = f", {repeated:,} events were stored already" if repeated else ""
    return run.finish(f"{len(accepted):,} events and {len(records):,} labels accepted{again}{rejected}", figures)


def _once(case: UseCase, stores: Stores, accepted: pa.Table, check: TableCheck) -> tuple[pa.Table, int]:
    """Return the rows that are new, and how many repeat a stored row or an earlier row of the file exactly."""
    ids = accepted["event_id"].combine_chunks()
    _, first = (
        np.unique(ids.dictionary_encode().indices.to_numpy(), return_index=True)
        if len(ids)
        else (None, np.zeros(0, int))
    )
    unique = np.zeros(len(ids), dtype=np.bool_)
    unique[first] = True
    stored = np.asarray(stores.log.known(ids).to_numpy(zero_copy_only=False), dtype=np.bool_)
    suspects = np.flatnonzero(~unique | stored)
    if not len(suspects):
        return accepted, 0
    schema = event_schema(case.events)
    content = [name for name in schema.names if name not in ("seq", "arrived_us")]
    earlier = {row["event_id"]: row for row in accepted.select(content).filter(pa.array(unique)).to_pylist()}
    if stored.any():
        log = stores.log.events()
        asked = log.filter(pc.is_in(log["event_id"], value_set=ids.filter(pa.array(stored))))
        earlier |= {row["event_id"]: row for row in asked.select(content).to_pylist()}
    repeated = 0
    clashes = []
    for place, row in zip(suspects.tolist(), accepted.select(content).take(suspects).to_pylist(), strict=True):
        if earlier[row["event_id"]] == row:
            repeated += 1
        else:
            clashes.append(accepted["row"][place].as_py())
    check.rejects.add(np.array(clashes, dtype=np.int64), reject(case.events.id.name, "unique"))
    return accepted.filter(pa.array(unique & ~stored)), repeated


def _labels_of_column(case: UseCase, accepted: pa.Table, events: pa.Table, mapping: Mapping[str, str]) -> pa.Table:
    """Return the labels that stand in a column of the events' own file; none where the file has no such column."""
    source = mapping.get(case.label.name, case.label.source)
    if source not in events.column_names:
        return LABELS.empty_table().drop_columns(["seq"])
    check = TableCheck(events, mapping)
    values = _label_values(check, case.label.name, source)
    arrived_name = mapping.get("label_arrived", case.label.arrived)
    rows = accepted["row"].to_numpy()
    given = check.good[rows] & (values[rows] >= 0)
    if arrived_name:
        arrived = check.times(case.events.time, "label_arrived", arrived_name)[rows]
    else:
        arrived = accepted["event_us"].to_numpy() + case.label.arrives_us
    arrived = np.maximum(arrived, accepted["arrived_us"].to_numpy())
    return _label_table(accepted["event_id"].filter(pa.array(given)), values[rows][given], arrived[given])


def _labels_of_table(
    case: UseCase, stores: Stores, accepted: pa.Table, labels: pa.Table, mapping: Mapping[str, str]
) -> tuple[pa.Table, TableCheck]:
    """Return the labels of a table with event_id, label and arrived; those about no known event are rejected."""
    check = TableCheck(labels, {k: v for k, v in mapping.items() if k != "arrived"})
    ids = check.column("event_id", "event_id").cast(pa.string())
    values = _label_values(check, "label", "label")
    arrived = check.times(case.events.time, "label_arrived", "arrived")
    here = pc.is_in(ids, value_set=accepted["event_id"].combine_chunks())
    known = np.asarray(pc.or_(here, stores.log.known(ids)).to_numpy(zero_copy_only=False), dtype=np.bool_)
    check.refuse(~known, reject("event_id", "event"))
    check.refuse(values < 0, reject("label", "required"))
    good = check.good & ~_stored(stores.log.labels(), ids, values, arrived)
    return _label_table(ids.filter(pa.array(good)), values[good], arrived[good]), check


def _stored(known: pa.Table, ids: pa.Array, values: Ints, arrived: Ints) -> Bools:
    """Return which label records the log holds already, so that a file may be given twice."""
    records = set(zip(*(known[name].to_pylist() for name in ("event_id", "value", "arrived_us")), strict=True))
    rows = zip(ids.to_pylist(), values.tolist(), arrived.tolist(), strict=True)
    return np.fromiter((row in records for row in rows), dtype=np.bool_, count=len(ids))


def _label_values(check: TableCheck, name: str, source: str) -> Ints:
    """Return 0, 1, or -1 for none; a value that is no label is refused."""
    column = check.column(name, source)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, None: -1}
        values = np.array([texts.get(t.lower() if t else t, 2) for t in column.to_pylist()], dtype=np.int64)
    else:
        try:
            numbers: Any = column.cast(pa.float64()).fill_null(-1.0).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            raise InputError(f"column {source!r} for the label {name} holds no 0 and 1; map another one") from None
        numbers = np.where(np.isnan(numbers), -1.0, numbers)
        values = np.where(np.isin(numbers, (-1.0, 0.0, 1.0)), numbers, 2.0).astype(np.int64)
    check.refuse(values == 2, reject(name, "type", "0 or 1"))
    return values


def _label_table(ids: pa.Array, values: Ints, arrived: Ints) -> pa.Table:
    source = pa.array(["history"] * len(values), pa.string())
    arrays = [ids.cast(pa.string()), pa.array(values, pa.int64()), pa.array(arrived, pa.int64()), source]
    return pa.table(arrays, names=["event_id", "value", "arrived_us", "source"])

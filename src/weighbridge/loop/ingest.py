"""Takes history in: rows that keep the contract into the log, the rest into a table of rejects with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.contract import ARRIVED
from weighbridge.errors import InputError
from weighbridge.kernel.columns import ints
from weighbridge.kernel.rules import reject
from weighbridge.kernel.table_check import TableCheck
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.labels.label import WAITING, arrived_and_waiting, labels_of_column, labels_of_table
from weighbridge.loop.repeats import repeats
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores
from weighbridge.stores.tables import in_order_of_arrival

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

    `mapping` names the column of a field (or of the label, or of an arrival) where the file calls it otherwise. A row
    that is stored already with the same content is skipped, so that a file may be given twice. What arrives after the
    clock's present cannot be known: such events are rejected, such labels wait for a later ingest. Raises InputError
    when a column is missing or the history is older than the log; then nothing was stored.
    """
    run = Run("ingest", stores, clock)
    mapping = checked_mapping(case, mapping or {})
    now_us = clock.now_us()
    good, check = parse_table(case.events, events, mapping, stores.pseudonyms, now_us)
    good = _not_from_the_future(case, good, check, now_us)
    accepted, repeated = _once(case, stores, good, check)
    rejects = [check.rejects.table()]
    if labels is None:
        records = labels_of_column(case, good, events, mapping)
    else:
        records, label_check = labels_of_table(case, stores, good, labels, mapping)
        rejects.append(label_check.rejects.table())
    records, waiting = arrived_and_waiting(stores, records, now_us)
    numbered = in_order_of_arrival(stores.log.head(), accepted.drop_columns(["row"]), records)
    if len(accepted) or len(records):
        stores.log.import_history(*numbered, by="weigh ingest", at_us=now_us)
    stores.tables.put(WAITING, waiting)
    rejected = pa.concat_tables(rejects)
    if len(rejected):
        stores.tables.put(f"{REJECTS}/{run.id}", rejected)
    sentence, figures = _told(stores, len(events), accepted, repeated, records, waiting, rejected, run.id)
    figures |= {"without": check.without, "others": check.others}
    return run.finish(sentence + _lenient(check), figures)


def _lenient(check: TableCheck) -> str:
    """Return what was taken although the file has no such column, or a value that is not listed."""
    without, others = check.without, sum(check.others.values())
    more = f" and {len(without) - 3} more" if len(without) > 3 else ""
    told = f", without the optional columns {', '.join(without[:3])}{more}" if without else ""
    if others:
        told += f", {others:,} values that are not listed became the declared other one ({', '.join(check.others)})"
    return told


def _told(
    stores: Stores, rows: int, accepted: pa.Table, repeated: int, records: pa.Table, waiting: pa.Table,
    rejected: pa.Table, run: str,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """Return the sentence and the figures of an import."""
    counts = rejected.group_by("rule").aggregate([("row", "count")]).to_pylist()
    reasons = {str(r["rule"]): int(r["row_count"]) for r in counts}
    figures = {
        "rows": rows,
        "accepted": len(accepted),
        "already_stored": repeated,
        "rejected": len(rejected),
        "reasons": reasons,
        "labels": len(records),
        "labels_waiting": len(waiting),
        "positives": int(pc.sum(records["value"]).as_py() or 0),
        "head_seq": stores.log.head().data_seq,
    }
    sentence = f"{len(accepted):,} events and {len(records):,} labels accepted"
    sentence += f", {repeated:,} events were stored already" if repeated else ""
    sentence += f", {len(waiting):,} labels wait until they arrive" if len(waiting) else ""
    if reasons:
        first = rejected.slice(0, 1).to_pylist()[0]
        listed = ", ".join(f"{n:,} {rule}" for rule, n in sorted(reasons.items()))
        sentence += f", {len(rejected):,} rejected ({listed}; row {first['row']}: {first['field']}: {first['detail']})"
        sentence += f", all in tables/{REJECTS}/{run}.parquet"
    return sentence, figures


def checked_mapping(case: UseCase, mapping: Mapping[str, str]) -> Mapping[str, str]:
    """Return what --map said; raises InputError when it names what is no field of the contract."""
    fields = {f.name for f in case.events.fields}
    known = sorted(fields | {case.label.name, "arrived", "event_id", "label", "label_arrived"})
    for name in mapping:
        if name not in known:
            raise InputError(f"--map {name}=...: there is no such field; use one of {', '.join(known)}")
    return mapping


def _not_from_the_future(case: UseCase, good: pa.Table, check: TableCheck, now_us: int) -> pa.Table:
    """Leave out rows that arrive after the present."""
    early = pc.less_equal(good["arrived_us"], now_us)
    late = good["row"].filter(pc.invert(early)).to_numpy()
    name = (case.events.time or ARRIVED).name
    check.rejects.add(np.asarray(late, dtype=np.int64), reject(name, "arrived"))
    return good.filter(early)


def _once(case: UseCase, stores: Stores, accepted: pa.Table, check: TableCheck) -> tuple[pa.Table, int]:
    """Return the rows that are new, and how many repeat a stored row or an earlier row of the file exactly."""
    found = repeats(case, stores.log, accepted)
    check.rejects.add(ints(accepted["row"])[found.clashing], reject(case.events.id.name, "unique"))
    return accepted.filter(pa.array(found.new)), int((~found.new & ~found.clashing).sum())

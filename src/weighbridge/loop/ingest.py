"""Takes history in: rows that keep the contract into the log, the rest into a table of rejects with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.changes import ACCEPTED
from weighbridge.declare.contract import ARRIVED
from weighbridge.errors import InputError
from weighbridge.kernel.columns import ints
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.rules import reject
from weighbridge.kernel.validate import parse_table
from weighbridge.loop.given import NO_REJECTS, Given, Taken, lenient, reasons
from weighbridge.loop.labels.label import RECORDS, WAITING, arrived_and_waiting, labels_of_column, labels_of_table
from weighbridge.loop.repeats import repeats
from weighbridge.loop.report import Report, Run, telling_of
from weighbridge.loop.sources.judge import SCHEMA, last_and_now
from weighbridge.loop.sources.profile import Profile
from weighbridge.loop.sources.right_table import check_columns
from weighbridge.ports import Stores
from weighbridge.score.rollups import exceeding
from weighbridge.stores.tables import check_appends, event_schema, in_order_of_arrival

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

    `mapping` names the column of a field (or of the label, or of an arrival) where the file calls it otherwise. Raises
    as `take` does.
    """
    told = () if labels is None else (Given("labels", labels, mapping or {}),)
    return take(case, stores, clock, [Given("events", events, mapping or {})], told)


def take(case: UseCase, stores: Stores, clock: Clock, events: Sequence[Given], labels: Sequence[Given] = ()) -> Report:
    """Append files of events, and their labels from files of their own, else from a column beside the events.

    A row that is stored already with the same content is skipped, so that a file may be given twice. What arrives after
    the clock's present cannot be known: such events are rejected, such labels wait for a later ingest. Raises
    InputError when a column is missing, a file is of another table, the history is older than the log or a source has
    changed in a way that breaks; then nothing was stored.
    """
    return store(stores, judged(case, stores, clock, events, labels))


@dataclass(frozen=True)
class Judged:
    """Files that can be stored: what was made of each, and of all together the new labels and those that wait."""

    run: Run
    now_us: int
    files: Sequence[Taken]
    profiles: Sequence[tuple[Given, list[Profile]]]
    accepted: pa.Table
    records: pa.Table
    waiting: pa.Table


def judged(
    case: UseCase, stores: Stores, clock: Clock, events: Sequence[Given], labels: Sequence[Given] = ()
) -> Judged:
    """Return what `take` is to store; nothing is stored yet. Raises InputError as `take` does."""
    run = Run("ingest", stores, clock)
    now_us = clock.now_us()
    for given in (*events, *labels):
        checked_mapping(case, given.mapping)
    for given in events:
        check_columns(case, case.events, given.table.column_names, given.mapping, given.name)
    schemas = [last_and_now(case.events.fields, stores, given) for given in events]
    files = _once(case, stores, [_read(case, stores, given, now_us) for given in events])
    for file, (_, changes) in zip(files, schemas, strict=True):
        file.schema = changes
    for file in files if not labels else ():
        given, kept = file.given, file.checks[0].good
        file.labels, check = labels_of_column(case, file.good, given.table, given.mapping, kept)
        file.checks.append(check)
    files += [_of_labels(case, stores, given, _rows(case, [f.good for f in files])) for given in labels]
    found = pa.concat_tables([RECORDS.empty_table(), *(file.labels for file in files)])
    records, waiting = arrived_and_waiting(stores, found, now_us)
    accepted = _rows(case, [file.new for file in files])
    check_appends(stores.log.head(), accepted, records)
    profiles = [(given, profile) for given, (profile, _) in zip(events, schemas, strict=True)]
    return Judged(run, now_us, files, profiles, accepted, records, waiting)


def store(stores: Stores, found: Judged) -> Report:
    """Append what was judged, and return the report.

    Raises StoreFailure when the log cannot be written, and Unrecorded when it was and what goes with it was not: to
    take the same in again makes that good, and stores no row twice.
    """
    run, records = found.run, found.records
    numbered = in_order_of_arrival(stores.log.head(), found.accepted.drop_columns(["row"]), records)
    if len(found.accepted) or len(records):
        stores.log.import_history(*numbered, by="weigh ingest", at_us=found.now_us)
    with telling_of(f"{len(found.accepted):,} events and {len(records):,} labels are stored"):
        stores.tables.put(WAITING, found.waiting)
        for given, profile in found.profiles:
            if given.source is not None:
                told = {"source": given.source, "columns": profile}
                stores.tracker.record(f"{run.id}-schema-{given.name}", SCHEMA, found.now_us, told)
        return run.finish(*_told(stores, found.files, records, found.waiting, run.id))


def _told(
    stores: Stores, files: Sequence[Taken], records: pa.Table, waiting: pa.Table, run: str
) -> tuple[str, dict[str, Any]]:
    """Store the rejects; return the sentence and the figures of an import."""
    apart = [file.given.rejected(file.checks) for file in files]
    rejected = pa.concat_tables([NO_REJECTS, *apart])
    if len(rejected):
        stores.tables.put(f"{REJECTS}/{run}", rejected)
    sources = {f.given.name: f.figures(own) for f, own in zip(files, apart, strict=True)}
    of_events = [sources[f.given.name] for f in files if not f.of_labels]
    accepted, repeated = (sum(s[name] for s in of_events) for name in ("accepted", "already_stored"))
    counts = reasons(rejected)
    figures = {
        "rows": sum(s["rows"] for s in of_events),
        "accepted": accepted,
        "already_stored": repeated,
        "rejected": len(rejected),
        "reasons": counts,
        "labels": len(records),
        "labels_waiting": len(waiting),
        "positives": int(pc.sum(records["value"]).as_py() or 0),
        "head_seq": stores.log.head().data_seq,
        "without": list(dict.fromkeys(name for s in of_events for name in s["without"])),
        "others": {n: sum(s["others"].get(n, 0) for s in of_events) for s in of_events for n in s["others"]},
        "sources": sources,
    }
    sentence = f"{accepted:,} events and {len(records):,} labels accepted"
    sentence += f", {repeated:,} events were stored already" if repeated else ""
    sentence += f", {len(waiting):,} labels wait until they arrive" if len(waiting) else ""
    if counts:
        first = rejected.slice(0, 1).to_pylist()[0]
        listed = ", ".join(f"{n:,} {rule}" for rule, n in counts.items())
        sentence += f", {len(rejected):,} rejected ({listed}; row {first['row']}: {first['field']}: {first['detail']})"
        sentence += f", all in tables/{REJECTS}/{run}.parquet"
    warned = [f"{f.given.name}: {c['sentence']}" for f in files for c in f.schema if c["verdict"] != ACCEPTED]
    sentence += f"; {'; '.join(warned)}" if warned else ""
    return sentence + lenient(figures["without"], figures["others"]), figures


def checked_mapping(case: UseCase, mapping: Mapping[str, str]) -> Mapping[str, str]:
    """Return what --map said; raises InputError when it names what is no field of the contract."""
    fields = {f.name for f in case.events.fields}
    known = sorted(fields | {case.label.name, "arrived", "event_id", "label", "label_arrived"})
    for name in mapping:
        if name not in known:
            raise InputError(f"--map {name}=...: there is no such field; use one of {', '.join(known)}")
    return mapping


def _read(case: UseCase, stores: Stores, given: Given, now_us: int) -> Taken:
    """Return the rows of a file that keep the contract, but for those that arrive after the present."""
    good, check = parse_table(case.events, given.table, given.mapping, stores.pseudonyms, now_us)
    early = pc.less_equal(good["arrived_us"], now_us)
    late = np.asarray(good["row"].filter(pc.invert(early)).to_numpy(), dtype=np.int64)
    check.rejects.add(late, reject((case.events.time or ARRIVED).name, "arrived"))
    check.good[late] = False
    good = good.filter(early)
    return Taken(given, good, good, RECORDS.empty_table(), [check])


def _of_labels(case: UseCase, stores: Stores, given: Given, good: pa.Table) -> Taken:
    records, check = labels_of_table(case, stores, good, given.table, given.mapping)
    return Taken(given, good.slice(0, 0), good.slice(0, 0), records, [check], of_labels=True)


def _once(case: UseCase, stores: Stores, files: list[Taken]) -> list[Taken]:
    """Reject the rows whose id came with other content, and those that have too many child rows; mark the new ones.

    New is what neither the log nor a row above has.
    """
    told = _rows(case, [file.good for file in files])
    found, begun, places = repeats(case, stores.log, told), 0, np.arange(len(told))
    fresh = np.flatnonzero(~found.stored & ~found.clashing)
    refused = [(reject(case.events.id.name, "unique"), found.clashing)]
    for fault, over in exceeding(compile_plan(case), stores, told.take(pa.array(fresh))):
        refused.append((fault, np.isin(places, fresh[over])))
    broken = np.any([rows for _, rows in refused], axis=0)
    for file in files:
        here = slice(begun, begun + len(file.good))
        begun = here.stop
        rows, kept = ints(file.good["row"]), ~broken[here]
        for fault, which in refused:
            file.checks[0].rejects.add(rows[which[here]], fault)
        file.checks[0].good[rows[~kept]] = False
        file.new = file.good.filter(pa.array(found.new[here] & kept))
        file.good = file.good.filter(pa.array(kept))
    return files


def _rows(case: UseCase, tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all files, also of none: row, event_id, event_us, arrived_us and the payload."""
    stored = event_schema(case.events)
    return pa.concat_tables([pa.schema([("row", pa.int64()), *list(stored)[1:]]).empty_table(), *tables])

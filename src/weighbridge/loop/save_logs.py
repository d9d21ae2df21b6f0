"""Writes the decisions since the last time as Parquet for analysts, with the events they are about."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.ports import Stores
from weighbridge.stores.tables import reasons_of

SAVED, FOLDER = "saved-decisions", "decisions"
PART_PLACES = 32_768  # places of the log that one file covers: so many decisions at most
MOMENT = pa.timestamp("us", "UTC")
REASON = pa.struct(
    [("feature", pa.string()), ("contribution", pa.float64()), ("value", pa.float64()), ("sentence", pa.string())]
)


def save_logs(case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Store the decisions that no earlier run has stored, in tables of at most `PART_PLACES`; figures: `rows`, `paths`.

    A table covers places of the log from the one that its name tells. What is cut short leaves whole tables; the next
    run goes on at the last run's end and replaces them. Only one run at a time may write to a home. Raises StoreFailure
    when there is no room.
    """
    run = Run("save_logs", stores, clock)
    saved = stores.tables.get(SAVED)
    begin, head = 0 if saved is None else saved["seq"][0].as_py(), stores.log.head().seq
    rows, paths = 0, list[str]()
    for after in range(begin, head, PART_PLACES):
        until = min(after + PART_PLACES, head)
        decisions = stores.log.decisions(after, until)
        if len(decisions):
            name = f"{FOLDER}/{after + 1:012d}"
            stores.tables.put(name, saved_table(case, decisions, stores.log.events(after, until)))
            paths.append(f"tables/{name}.parquet")
            rows += len(decisions)
        progress("places of the log", until - begin, head - begin)
    if head > begin:
        stores.tables.put(SAVED, pa.table({"seq": pa.array([head], pa.int64())}))
    sentence = f"{rows:,} decisions saved" + (f", in {len(paths):,} files from {paths[0]} on" if paths else "")
    return run.finish(sentence, {"rows": rows, "paths": paths})


def saved_table(case: UseCase, decisions: pa.Table, events: pa.Table) -> pa.Table:
    """Return decisions of the log as an analyst reads them: times, lists and numbers in their own types.

    `event` holds the fields in the units of the declaration, what is personal as its pseudonym; `vector` the values
    that the model saw, in the order of its bundle's features.
    """
    places = pc.index_in(decisions["seq"], value_set=events["seq"].combine_chunks())
    about = events.take(places)
    columns: dict[str, Any] = {
        **{name: decisions[name] for name in ("seq", "decision_id", "event_id")},
        "event_ts": about["event_us"].cast(MOMENT),
        "decided_ts": decisions["decided_us"].cast(MOMENT),
        "action": decisions["action"],
        "prediction": pc.not_equal(decisions["action"], "approve").cast(pa.int8()),
        "probability": decisions["probability"],
        "risk_level": decisions["level"],
        "rules": _lists(decisions["rules"]),
        "reasons": _reasons(decisions["reasons"]),
        "degraded": _lists(decisions["degraded"]),
        **{name: decisions[name] for name in ("route", "propensity", "bundle", "latency_us", "trace_id")},
        "vector": _vectors(decisions["vector"]),
        "event": _payload(case, about),
    }
    return pa.table(columns)


def _lists(texts: pa.ChunkedArray) -> pa.Array:
    return pa.array([json.loads(text) for text in texts.to_pylist()], pa.list_(pa.string()))


def _reasons(texts: pa.ChunkedArray) -> pa.Array:
    """Return told reasons, none where none were told."""
    told = (reasons_of(text) for text in texts.to_pylist())
    return pa.array([None if r is None else [vars(one) for one in r] for r in told], pa.list_(REASON))


def _vectors(stored: pa.ChunkedArray) -> pa.Array:
    pieces = stored.to_pylist()
    offsets = np.cumsum([0, *(len(piece) // 4 for piece in pieces)]).astype(np.int32)
    values = np.frombuffer(b"".join(piece[: len(piece) // 4 * 4] for piece in pieces), dtype="<f4")
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.float32()))


def _payload(case: UseCase, about: pa.Table) -> pa.Array:
    fields = []
    for field in case.events.payload:
        column = about[field.name].combine_chunks()
        fields.append(pc.divide(column.cast(pa.float64()), float(field.scale)) if field.scale > 1 else column)
    return pa.StructArray.from_arrays(fields, [field.name for field in case.events.payload])

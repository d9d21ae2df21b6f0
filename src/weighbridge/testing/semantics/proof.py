"""The proof that ends every scenario: what was served = the oracle = the replay of the log, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category, Field, Time
from weighbridge.kernel.arrays import MISSING, Vectors
from weighbridge.kernel.child_rows import TEXT
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.ports import Log
from weighbridge.ports.rows import ROWS, RowStore
from weighbridge.score.rollups import with_rollups
from weighbridge.stores.rows import MemoryRows
from weighbridge.stores.tables import SENT
from weighbridge.testing.memory_stores import memory_stores
from weighbridge.testing.oracle import Event, LabelRecord, Oracle
from weighbridge.testing.rolled import ChildRow, Row
from weighbridge.testing.samples import differing


def prove(
    case: UseCase, log: Log, served: Mapping[str, bytes], sampled: Collection[str] | None = None,
    rows: RowStore | None = None,
) -> None:  # fmt: skip
    """Assert that every served vector (float32 bytes by event id) follows from the log and from nothing else.

    The replay computes all of them, the naive oracle those of `sampled` (default: all served ones), which may be
    imported events too. `rows` has the child rows, which the replay rolls up by a query. Raises AssertionError with the
    id and the features that differ.
    """
    events, labels = log.events(), log.labels()
    arrivals_rise(events, labels)
    ids = events["event_id"].to_pylist()
    checked = set(served if sampled is None else sampled)
    missing = (set(served) | checked) - set(ids)
    assert not missing, f"served, but not in the log: {sorted(missing)[:5]}"
    wanted = np.array([event_id in served or event_id in checked for event_id in ids], dtype=np.bool_)
    plan = compile_plan(case)
    stores = replace(memory_stores(case, Path()), log=log, rows=rows or MemoryRows())
    replayed = replay(plan, to_columns(plan, with_rollups(plan, stores, events, wanted, few=0), labels), wanted)
    oracle = OracleOfLog(case, events, labels, stored_rows(case, log, stores.rows))
    for vector, event_id in zip(replayed, np.array(ids)[wanted].tolist(), strict=True):
        if event_id in served:
            same(case, f"event {event_id}: served != replay", np.frombuffer(served[event_id], dtype="<f4"), vector)
        if event_id in checked:
            same(case, f"event {event_id}: replay != oracle", vector, oracle.vector_of(event_id))


def same(case: UseCase, what: str, left: Vectors, right: Vectors) -> None:
    """Assert that two vectors, float32[features], have the same bits."""
    if differing(left, right):
        unlike = np.flatnonzero(left.view(np.uint32) != right.view(np.uint32)).tolist()
        told = "; ".join(f"{case.feature_names[i]} {left[i]} != {right[i]}" for i in unlike)
        raise AssertionError(f"{what}: {told}")


def arrivals_rise(events: pa.Table, labels: pa.Table) -> None:
    """Assert that arrival never falls along the order of arrival, over events and labels together."""
    tables = [t.select(["seq", "arrived_us"]) for t in (events, labels)]
    arrived = pa.concat_tables(tables).sort_by("seq")["arrived_us"].to_numpy()
    assert (np.diff(arrived) >= 0).all(), "an arrival lies before its predecessor's"


def stored_rows(case: UseCase, log: Log, rows: RowStore) -> list[ChildRow]:
    """Return the child rows of all segments that the log names, in their stored values."""
    children, found = {child.name: child for child in case.children}, []
    for seq, _, body in log.notes(ROWS):
        child = children[body["table"]]
        for row in rows.read(body["name"]).to_pylist():
            found.append(ChildRow(child.name, seq, {field.name: _stored(field, row) for field in child.fields}))
    return found


def _stored(field: Field, row: Mapping[str, int | str | None]) -> int | str | None:
    """Return a field of a segment's row as its own value: text, a number, or None."""
    if isinstance(code := row[field.name], int) and code == MISSING:
        return None
    if isinstance(field, Category):
        return field.one_of[int(row[field.name] or 0)]
    return row[field.name] if field.numeric or isinstance(field, Time) else row[f"{TEXT}{field.name}"]


def sent_rows(case: UseCase, told: str | None) -> dict[str, list[Row]]:
    """Return the child rows that came with an event, by table, from what the log holds of them."""
    children = {child.name: child for child in case.children}
    sent = json.loads(told) if told else {}
    return {
        name: [dict(zip([f.name for f in children[name].fields], row, strict=True)) for row in rows]
        for name, rows in sent.items()
    }


class OracleOfLog(Oracle):
    """The naive oracle of a log's tables, with what it cannot see left out beforehand: for long logs.

    A decision keeps the events that share a key with it and lie within the longest window, edges included; the
    oracle itself decides about the edges. Labels are looked up by event instead of searched.
    """

    def __init__(self, case: UseCase, events: pa.Table, labels: pa.Table, rows: Sequence[ChildRow] = ()) -> None:
        names, id_name = [f.name for f in case.events.payload], case.events.id.name
        self.all = [
            Event(row["seq"], row["event_us"], row["event_id"],
                  {id_name: row["event_id"], **{name: row[name] for name in names}}, sent_rows(case, row.get(SENT)))
            for row in events.to_pylist()
        ]  # fmt: skip
        self.of_id = {event.id: event for event in self.all}
        self.of_event: dict[str, list[LabelRecord]] = {}
        for row in labels.to_pylist():
            record = LabelRecord(row["seq"], row["event_id"], row["value"])
            self.of_event.setdefault(record.event_id, []).append(record)
        aggregates = [f for f in case.computed if isinstance(f, Aggregate)]
        self.keys = sorted({a.key for a in aggregates})
        self.longest_us = max((a.last_us for a in aggregates), default=0)
        super().__init__(case, [], [], rows)

    def vector_of(self, event_id: str) -> Vectors:
        """Return the vector of a stored event, float32[features]."""
        decision = self.of_id[event_id]
        self.events = self._near(decision)
        return self.vector(decision)

    def known_label(self, e: Event, d: Event) -> int | None:
        """Return what the newest label record about `e` that arrived before `d` says."""
        values = [record.value for record in self.of_event.get(e.id, ()) if record.seq < d.seq]
        return values[-1] if values else None

    def _near(self, d: Event) -> list[Event]:
        return [
            e
            for e in self.all
            if e.seq <= d.seq
            and e.event_us >= d.event_us - self.longest_us
            and any(e.values[key] == d.values[key] for key in self.keys)
        ]

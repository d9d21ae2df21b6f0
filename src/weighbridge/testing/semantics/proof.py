"""The proof that ends every scenario: what was served = the oracle = the replay of the log, bit for bit."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Vectors
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.ports import Log
from weighbridge.testing.oracle import Event, LabelRecord, Oracle
from weighbridge.testing.samples import differing


def prove(case: UseCase, log: Log, served: Mapping[str, bytes], sampled: Collection[str] | None = None) -> None:
    """Assert that every served vector (float32 bytes by event id) follows from the log and from nothing else.

    The replay computes all of them, the naive oracle those of `sampled` (default: all served ones), which may be
    imported events too. Raises AssertionError with the id and the features that differ.
    """
    events, labels = log.events(), log.labels()
    arrivals_rise(events, labels)
    ids = events["event_id"].to_pylist()
    checked = set(served if sampled is None else sampled)
    missing = (set(served) | checked) - set(ids)
    assert not missing, f"served, but not in the log: {sorted(missing)[:5]}"
    wanted = np.array([event_id in served or event_id in checked for event_id in ids], dtype=np.bool_)
    plan = compile_plan(case)
    replayed = replay(plan, to_columns(plan, events, labels), wanted)
    oracle = OracleOfLog(case, events, labels)
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


class OracleOfLog(Oracle):
    """The naive oracle of a log's tables, with what it cannot see left out beforehand: for long logs.

    A decision keeps the events that share a key with it and lie within the longest window, edges included; the
    oracle itself decides about the edges. Labels are looked up by event instead of searched.
    """

    def __init__(self, case: UseCase, events: pa.Table, labels: pa.Table) -> None:
        names = [f.name for f in case.events.payload]
        self.all = [
            Event(row["seq"], row["event_us"], row["event_id"], {name: row[name] for name in names})
            for row in events.to_pylist()
        ]
        self.of_id = {event.id: event for event in self.all}
        self.of_event: dict[str, list[LabelRecord]] = {}
        for row in labels.to_pylist():
            record = LabelRecord(row["seq"], row["event_id"], row["value"])
            self.of_event.setdefault(record.event_id, []).append(record)
        aggregates = [f for f in case.computed if isinstance(f, Aggregate)]
        self.keys = sorted({a.key for a in aggregates})
        self.longest_us = max((a.last_us for a in aggregates), default=0)
        super().__init__(case, [], [])

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

"""The log in memory: for tests, for trying a declaration, and as the plainest reading of its contract."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.contract import Contract
from weighbridge.errors import Conflict
from weighbridge.ports import LAST
from weighbridge.records import UNNAMED, Decided, DecisionRecord, EventRecord, Follower, Head, LabelRecord, ListEdit
from weighbridge.stores.chain import GENESIS, first_broken, link
from weighbridge.stores.changes import forgotten, imported, of_follower, of_history
from weighbridge.stores.memory_audit import MemoryAudit
from weighbridge.stores.tables import DECISIONS, LABELS, event_at, event_schema, event_table, told_as_text


class MemoryLog:
    """EventLog and DecisionLog in memory. Records are kept as they came; tables are made when asked for."""

    def __init__(self, contract: Contract, audit: MemoryAudit | None = None) -> None:
        self._contract, self._audit = contract, audit or MemoryAudit()
        self._lock = threading.Lock()
        self._events = event_schema(contract).empty_table()
        self._fresh: list[tuple[int, EventRecord]] = []  # after those of the table
        self._labels: list[dict[str, Any]] = []
        self._decisions: dict[str, tuple[int, DecisionRecord, str]] = {}
        self._edits: list[tuple[int, ListEdit]] = []
        self._notes: list[tuple[int, int, str, str]] = []
        self._places: dict[str, int] = {}
        self._head = Head(0, 0, 0)
        self._chained = self._forgotten_chain = GENESIS
        self._forgotten_us: int | None = None

    def head(self) -> Head:
        """Return where the log ends."""
        return self._head

    def find(self, event_id: str) -> tuple[int, EventRecord] | None:
        """Return (seq, event) of an id, or None."""
        with self._lock:
            row = self._places.get(event_id)
            if row is None:
                return None
            if row >= len(self._events):
                return self._fresh[row - len(self._events)]
            return self._events["seq"][row].as_py(), event_at(self._contract, self._events, row)

    def holds(self, event_id: str) -> bool:
        """Return whether the log has an event of this id."""
        return event_id in self._places

    def commit(self, group: Sequence[Decided], followers: Sequence[Follower] = ()) -> list[int]:
        """Append events with the decisions about them, then what follows them."""
        with self._lock:
            ids = [event.event_id for event, _ in group]
            if len(set(ids)) < len(ids) or not self._places.keys().isdisjoint(ids):
                raise Conflict("the group holds an event that is stored already, or one event twice")
            seqs = []
            for event, decision in group:
                seqs.append(self._advance(event.arrived_us))
                self._places[event.event_id] = len(self._events) + len(self._fresh)
                self._fresh.append((seqs[-1], event))
                if decision is not None:
                    self._chained = link(self._chained, seqs[-1], decision)
                    self._decisions[event.event_id] = (seqs[-1], decision, self._chained)
            places = [self._follow(record) for record in followers]
            changes = [of_follower(seq, record) for seq, record in zip(places, followers, strict=True)]
            self._audit.append(changes, self._head.seq)
            return seqs + places

    append = commit
    waits = False  # memory is as durable at once as it ever is

    def sync(self) -> None:
        """Do nothing."""

    def _follow(self, record: Follower) -> int:
        seq = self._advance(record.arrived_us) if isinstance(record, LabelRecord) else self._next()
        if isinstance(record, LabelRecord):
            self._labels.append({**asdict(record), "seq": seq})
        elif isinstance(record, ListEdit):
            self._edits.append((seq, record))
        else:
            self._notes.append((seq, record.arrived_us, record.kind, json.dumps(record.body)))
        return seq

    def import_history(self, events: pa.Table, labels: pa.Table, by: str = UNNAMED, at_us: int | None = None) -> None:
        """Append history whose seq is assigned already."""
        events, stored = events.select(self._events.column_names).cast(self._events.schema), self.events()
        if pc.any(self.known(events["event_id"].combine_chunks())).as_py():
            raise Conflict("this history holds events that are stored already")
        for place, event_id in enumerate(events["event_id"].to_pylist()):
            self._places[event_id] = len(stored) + place
        self._events = pa.concat_tables([stored, events])
        self._labels += labels.select(LABELS.names).to_pylist()
        for table in (events, labels):
            if len(table):
                last = max(self._head.seq, pc.max(table["seq"]).as_py())
                self._head = Head(last, last, max(self._head.arrived_us, pc.max(table["arrived_us"]).as_py()))
        at_us = self._head.arrived_us if at_us is None else at_us
        self._audit.append([of_history("import", by, at_us, imported(events, labels))], self._head.seq)

    def known(self, event_ids: pa.Array) -> pa.Array:
        """Return which ids the log holds."""
        return pa.array([i in self._places for i in event_ids.to_pylist()], pa.bool_())

    def events(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the events with after < seq <= until, by seq."""
        with self._lock:
            if self._fresh:
                self._events = pa.concat_tables([self._events, event_table(self._contract, self._fresh)])
                self._fresh = []
        return self._events.filter((pc.field("seq") > after) & (pc.field("seq") <= until))

    def labels(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the label records with after < seq <= until, by seq."""
        return pa.Table.from_pylist([row for row in self._labels if after < row["seq"] <= until], LABELS)

    def edits(self) -> Sequence[tuple[int, ListEdit]]:
        """Return all edits of lists, by seq."""
        return list(self._edits)

    def notes(self, kind: str) -> Sequence[tuple[int, int, Mapping[str, Any]]]:
        """Return all records of a kind, by seq."""
        return [(seq, at, json.loads(body)) for seq, at, name, body in self._notes if name == kind]

    def note_kinds(self) -> Sequence[str]:
        """Return the kinds of which there are records."""
        return sorted({name for _, _, name, _ in self._notes})

    def decision(self, event_id: str) -> DecisionRecord | None:
        """Return the decision about an event, or None."""
        found = self._decisions.get(event_id)
        return found[1] if found else None

    def decision_called(self, decision_id: str) -> DecisionRecord | None:
        """Return the decision of an id, or None."""
        return next((d for _, d, _ in self._decisions.values() if d.decision_id == decision_id), None)

    def decisions(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the decisions with after < seq <= until, by seq."""
        rows = [
            {**asdict(decision), "seq": seq, **told_as_text(decision), "hash": chained}
            for seq, decision, chained in list(self._decisions.values())  # others append meanwhile
            if after < seq <= until
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, DECISIONS)

    def broken_link(self) -> int | None:
        """Return the seq of the first decision that breaks the chain."""
        return first_broken(self._decisions.values(), self._forgotten_chain, self._chained)

    def forgotten_chain(self) -> str:
        """Return the hash that the first decision follows."""
        return self._forgotten_chain

    def segments(self) -> Sequence[Sequence[Any]]:
        """Return nothing: no part of memory is cold."""
        return []

    def seal(self, keep_hot: int, at_us: int | None = None) -> int:
        """Move nothing: memory has one place for what is hot and what is cold."""
        return 0

    def forget(self, before_us: int, at_us: int | None = None) -> int:
        """Drop the events that arrived before a time, with their decisions, labels and ids."""
        events = self.events()
        count = int(pc.sum(pc.less(events["arrived_us"], before_us)).as_py() or 0)
        if not count:
            return 0
        gone = events.slice(0, count)
        self._forgotten_us, self._events = gone["arrived_us"][-1].as_py(), events.slice(count)
        ids = gone["event_id"].to_pylist()
        for event_id in ids:
            self._forgotten_chain = self._decisions.pop(event_id, (0, None, self._forgotten_chain))[2]
        dropped = set(ids)
        kept = [row for row in self._labels if row["event_id"] not in dropped]
        at_us = self._head.arrived_us if at_us is None else at_us
        told = forgotten(count, len(self._labels) - len(kept), self._forgotten_us, self._forgotten_chain)
        self._audit.append([of_history("forget", "weigh seal", at_us, told)])
        self._labels = kept
        self._places = {event_id: place for place, event_id in enumerate(self._events["event_id"].to_pylist())}
        return count

    def forgotten_us(self) -> int | None:
        """Return the arrival of the newest event that was forgotten, or None."""
        return self._forgotten_us

    def _next(self) -> int:
        self._head = replace(self._head, seq=self._head.seq + 1)
        return self._head.seq

    def _advance(self, arrived_us: int) -> int:
        seq = self._head.seq + 1
        self._head = Head(seq, seq, max(self._head.arrived_us, arrived_us))
        return seq

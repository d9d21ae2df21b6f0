"""The partials of one event from the child rows that came with it, and from stored ones for tables that did not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from weighbridge.declare.children import Child
from weighbridge.declare.contract import Contract
from weighbridge.errors import Rejected
from weighbridge.identity import hash64
from weighbridge.kernel.arrays import Bools, Ints
from weighbridge.kernel.child_rows import KEY, sent_rows
from weighbridge.kernel.columns import partial_names
from weighbridge.kernel.hashes import hashes
from weighbridge.kernel.partials import columns_of, derive, without_rows
from weighbridge.kernel.plan import Plan
from weighbridge.kernel.roll import roll
from weighbridge.ports import Stores
from weighbridge.ports.log import LAST, Log
from weighbridge.ports.rows import ROWS, RowStore
from weighbridge.records import EventRecord
from weighbridge.stores.rolled import Segments, rolled
from weighbridge.stores.tables import SENT, event_at

A_FEW = 32  # events that are worked out sooner one by one than by a query


def segments(log: Log, rows: RowStore) -> Segments:
    """Return the segments of child rows that the log names, by table and seq."""
    found: dict[str, list[tuple[int, pa.Table]]] = {}
    for seq, _, body in log.notes(ROWS):
        found.setdefault(body["table"], []).append((seq, rows.read(body["name"])))
    return found


def rollups_of(plan: Plan, stores: Stores) -> Rollups:
    """Return what works out partials from all child rows that the log names now."""
    return Rollups(plan, segments(stores.log, stores.rows) if plan.partials else {})


def with_rollups(
    plan: Plan, stores: Stores, events: pa.Table, wanted: Bools | None = None, *, few: int = A_FEW
) -> pa.Table:
    """Return events of the log with the partials of the wanted ones (default: all) in columns, as each saw them.

    Events with child rows of their own, and a `few`, are worked out one by one, the others by DuckDB: the same bits.
    An event that came to have more rows than a table declares has the partials of one without rows.
    """
    if not plan.partials:
        return events
    found, contract = np.tile(without_rows(plan.partials), (len(events), 1)), plan.case.events
    stored = segments(stores.log, stores.rows)
    asked = np.ones(len(events), dtype=np.bool_) if wanted is None else wanted
    alone = asked & np.asarray(events[SENT].is_valid().to_numpy(), dtype=np.bool_)
    if asked.sum() <= few:
        alone = asked
    rollups = Rollups(plan, stored)
    for row in np.flatnonzero(alone).tolist():
        found[row] = rollups.of_stored(event_at(contract, events, row), events["seq"][row].as_py()).partials
    rest = np.flatnonzero(asked & ~alone)
    if len(rest):
        told = events.take(pa.array(rest))
        budget = stores.budget
        found[rest], _ = rolled(plan, stored, _asked(plan, told), budget.memory_bytes, budget.cores, budget.folder)
    for name, column in zip(partial_names(plan), found.T, strict=True):
        events = events.append_column(name, pa.array(column))
    return events


def exceeding(plan: Plan, stores: Stores, events: pa.Table) -> list[tuple[Rejected, Bools]]:
    """Return which events, bool[n], would have too many rows in a table if they came now, and their rejection."""
    if not plan.partials or not len(events):
        return []
    budget, seq = stores.budget, pa.array(np.full(len(events), LAST))
    asked = _asked(plan, events.append_column("seq", seq))
    stored = segments(stores.log, stores.rows)
    _, over = rolled(plan, stored, asked, budget.memory_bytes, budget.cores, budget.folder, only_counted=True)
    return [(_too_many(table.child), over == number) for number, table in enumerate(plan.tables)]


def _too_many(child: Child) -> Rejected:
    return Rejected(child.name, "most_rows", f"it has more than {child.most_rows} rows, the bound")


def _asked(plan: Plan, events: pa.Table) -> pa.Table:
    """Return what the query asks with: place, seq, event_us, and the hash of the key of every table's rows."""
    contract, columns = plan.case.events, {"place": pa.array(np.arange(len(events), dtype=np.int64))}
    columns |= {name: events[name].combine_chunks() for name in ("seq", "event_us")}
    for child in (table.child for table in plan.tables if table.child.of is None):
        column = events["event_id" if child.owner == contract.id.name else child.owner].combine_chunks()
        columns[child.name] = pa.array(hashes(column), mask=column.is_null().to_numpy(zero_copy_only=False))
    return pa.table(columns)


class Rollups:
    """Works out the partials of events one by one, from segments as they are now."""

    def __init__(self, plan: Plan, found: Segments) -> None:
        self._plan, self._contract = plan, plan.case.events
        self._tables = {t.child.name: [_Sorted(t.child, seq, rows) for seq, rows in found.get(t.child.name, ())]
                        for t in plan.tables}  # fmt: skip
        self._nothing = without_rows(plan.partials)

    def of(self, event: EventRecord, seq: int = LAST) -> EventRecord:
        """Return an event with the partials of its child rows: those sent with it, else those stored before `seq`.

        Raises Rejected when it has more rows in a table than are declared.
        """
        if not self._plan.partials:
            return event
        found, sent = self._nothing.copy(), sent_rows(self._contract, event)
        seen: dict[str, Ints] = {}
        for table in self._plan.tables:
            child = table.child
            owners = _owners(self._contract, child, event, seen)
            rows = seen[child.name] = self._rows(child, owners, sent.get(child.name), seq)
            if len(rows) > child.most_rows:
                raise _too_many(child)
            if len(table.partials):
                mine = np.empty(len(table.partials), dtype=np.int64)
                roll(derive(child, rows), event.event_us, table.specs, table.terms, mine)
                found[table.places] = mine
        return replace(event, partials=tuple(found.tolist()))

    def add(self, table: str, seq: int, rows: pa.Table) -> None:
        """Let the rows of a new segment count; it stands at `seq` in the log, behind those that are known."""
        for child in (t.child for t in self._plan.tables if t.child.name == table):
            self._tables[table].append(_Sorted(child, seq, rows))

    def of_stored(self, event: EventRecord, seq: int) -> EventRecord:
        """Return an event of the log as `of` does; one that came to have too many rows is as one without rows."""
        try:
            return self.of(event, seq)
        except Rejected:
            return replace(event, partials=tuple(self._nothing.tolist()))

    def _rows(self, child: Child, owners: Ints, sent: Ints | None, seq: int) -> Ints:
        """Return the rows of a table that belong to owners, int64[n, declared fields]."""
        if sent is not None:
            return sent[np.isin(sent[:, columns_of(child)[child.by]], owners)]
        parts = [part.rows(owners) for part in self._tables[child.name] if part.seq < seq]
        rows = np.concatenate([np.empty((0, len(child.fields)), dtype=np.int64), *parts])
        if not child.key or len(parts) < 2:
            return rows
        columns = columns_of(child)
        named = rows[::-1, [columns[name] for name in (child.by, *child.key)]]
        newest = np.unique(named, axis=0, return_index=True)[1]
        return rows[::-1][newest]


class _Sorted:
    """A segment's rows by their owner. Its batches stay where they are, mapped into memory or in it."""

    def __init__(self, child: Child, seq: int, table: pa.Table) -> None:
        self.seq = seq
        names = [KEY, *(field.name for field in child.fields)]
        batches = [batch for batch in table.select(names).to_batches() if len(batch)]
        self._batches = [[column.to_numpy() for column in batch.columns] for batch in batches]
        self._last = np.array([keys[-1] for keys, *_ in self._batches], dtype=np.int64)
        self._width = len(child.fields)

    def rows(self, owners: Ints) -> Ints:
        """Return the rows of owners, int64[n, declared fields]."""
        parts = [np.empty((0, self._width), dtype=np.int64)]
        for owner, place in zip(owners, np.searchsorted(self._last, owners), strict=True):
            for keys, *columns in self._batches[place:]:
                first, last = np.searchsorted(keys, owner, "left"), np.searchsorted(keys, owner, "right")
                if first < last:
                    parts.append(np.stack([column[first:last] for column in columns], axis=1))
                if last < len(keys):
                    break
        return np.concatenate(parts)


def _owners(contract: Contract, child: Child, event: EventRecord, seen: dict[str, Ints]) -> Ints:
    """Return the hashes of what a table's rows must name, int64[n], each once."""
    if child.of is not None:
        return np.unique(seen[child.of.name][:, columns_of(child.of)[child.owner]])
    if child.owner == contract.id.name:
        return np.array([hash64(event.event_id)], dtype=np.int64)
    value = event.values[[field.name for field in contract.payload].index(child.owner)]
    return np.array([] if value is None else [hash64(str(value))], dtype=np.int64)

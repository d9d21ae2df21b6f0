"""The embedded log: hot records in SQLite, the rest sealed in Parquet, one order of arrival."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.contract import Contract
from weighbridge.errors import Conflict
from weighbridge.ports import LAST
from weighbridge.records import UNNAMED, Decided, DecisionRecord, EventRecord, Follower, Head, ListEdit
from weighbridge.stores.chain import Link, first_broken, stored_decision
from weighbridge.stores.changes import imported
from weighbridge.stores.cold import ARRIVAL, ColdLog, add, manifest
from weighbridge.stores.database import Database
from weighbridge.stores.segments import Segment, SegmentFiles
from weighbridge.stores.sqlite_rows import MOVE_HEAD, append
from weighbridge.stores.tables import DECISIONS, LABELS, decision_of, event_from, event_of, event_schema, event_table

_COLUMNS = ", ".join(DECISIONS.names)
_HOT = "select seq, event_id, event_us, arrived_us, body from log where kind = ? and seq > ? and seq <= ? order by seq"
_HOT_DECISIONS = f"select {_COLUMNS} from decisions where seq > ? and seq <= ? order by seq"
_ANY_DECISIONS = f"select {_COLUMNS} from decisions order by seq"
_NOTE_KINDS = "select distinct kind from log where kind not in ('event', 'label', 'edit') order by kind"
_LINK_ROWS = 65_536  # decisions checked at once


class SqliteLog:
    """EventLog and DecisionLog of an embedded home."""

    def __init__(self, database: Database, contract: Contract, folder: Path) -> None:
        self._database, self._contract = database, contract
        self._schemas = {"event": event_schema(contract), "label": LABELS, "decision": DECISIONS}
        self._cold = ColdLog(database, SegmentFiles(folder))

    def head(self) -> Head:
        """Return where the log ends."""
        return Head(*cast(list[Any], self._database.read("select seq, data_seq, arrived_us from head"))[0])

    def find(self, event_id: str) -> tuple[int, EventRecord] | None:
        """Return (seq, event) of an id, or None."""
        seq = self._seq(event_id)
        if seq is None:
            return None
        hot = self._database.read("select event_us, arrived_us, body from log where seq = ? and kind = 'event'", seq)
        if hot:
            event_us, arrived_us, body = cast(tuple[int, int, str], hot[0])
            return seq, event_from(self._contract, event_id, event_us, arrived_us, body)
        row = self._cold.row("event", seq)
        return (seq, event_of(self._contract, row)) if row else None

    def holds(self, event_id: str) -> bool:
        """Return whether the log has an event of this id."""
        return self._seq(event_id) is not None

    def _seq(self, event_id: str) -> int | None:
        rows = self._database.read("select seq from ids where event_id = ?", event_id)
        return cast(int, rows[0][0]) if rows else None

    def commit(self, group: Sequence[Decided], followers: Sequence[Follower] = ()) -> list[int]:
        """Append events with the decisions about them, then what follows them, in one durable write."""
        seqs = self.append(group, followers)
        self.sync()
        return seqs

    def sync(self) -> None:
        """Make durable what was appended."""
        self._database.sync()

    @property
    def waits(self) -> bool:
        """Whether this home acknowledges after a sync."""
        return self._database.syncs

    def append(self, group: Sequence[Decided], followers: Sequence[Follower] = ()) -> list[int]:
        """Append events with the decisions about them, then what follows them, in one write."""
        if not group and not followers:
            return []
        with self._database.write(sync=False) as connection:
            return append(connection, group, followers)

    def import_history(self, events: pa.Table, labels: pa.Table, by: str = UNNAMED, at_us: int | None = None) -> None:
        """Append history whose seq is assigned already: Parquet files first, then one transaction that names them."""
        given = {"event": events, "label": labels}
        tables = {k: t.select(self._schemas[k].names).cast(self._schemas[k]) for k, t in given.items()}
        made = [s for kind, table in tables.items() for s in self._cold.files.write(kind, table, ARRIVAL[kind])]
        with self._database.write() as connection:
            head = connection.execute("select seq from head").fetchone()[0]
            if any(segment.first_seq <= head for segment in made):
                raise Conflict("the log went on while this history was prepared; nothing was imported, try again")
            pairs = zip(events["event_id"].to_pylist(), events["seq"].to_pylist(), strict=True)
            try:
                connection.executemany("insert into ids values (?, ?)", pairs)
            except sqlite3.IntegrityError:
                raise Conflict("this history holds events that are stored already; nothing was imported") from None
            add(connection, made)
            for segment in made:
                connection.execute(MOVE_HEAD, (segment.last_seq, segment.last_seq, segment.last_arrived_us))
            self._cold.tell(connection, "import", by, at_us, imported(events, labels), made)

    def known(self, event_ids: pa.Array) -> pa.Array:
        """Return which ids the log holds."""
        if self.head().seq == 0:
            return pa.array([False] * len(event_ids), pa.bool_())
        return pa.array([self.holds(event_id) for event_id in event_ids.to_pylist()], pa.bool_())

    def events(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the events with after < seq <= until, by seq; segments wholly beyond are not opened."""
        return self._rows("event", after, until)

    def labels(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the label records with after < seq <= until, by seq."""
        return self._rows("label", after, until)

    def decisions(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the decisions with after < seq <= until, by seq."""
        return self._rows("decision", after, until)

    def edits(self) -> Sequence[tuple[int, ListEdit]]:
        """Return all edits of lists, by seq; they are never sealed."""
        rows = cast(list[tuple[int, str, int, int, str]], self._database.read(_HOT, "edit", 0, LAST))
        return [(seq, ListEdit(*[*json.loads(body), arrived_us])) for seq, _, _, arrived_us, body in rows]

    def notes(self, kind: str) -> Sequence[tuple[int, int, Mapping[str, Any]]]:
        """Return all records of a kind, by seq."""
        rows = cast(list[tuple[int, str, int, int, str]], self._database.read(_HOT, kind, 0, LAST))
        return [(seq, arrived_us, json.loads(body)) for seq, _, _, arrived_us, body in rows]

    def note_kinds(self) -> Sequence[str]:
        """Return the kinds of which there are records."""
        return [cast(str, row[0]) for row in self._database.read(_NOTE_KINDS)]

    def decision(self, event_id: str) -> DecisionRecord | None:
        """Return the decision about an event, or None."""
        seq = self._seq(event_id)
        return None if seq is None else self._decision_at(seq)

    def decision_called(self, decision_id: str) -> DecisionRecord | None:
        """Return the decision of an id, or None."""
        rows = self._database.read("select seq from decision_ids where decision_id = ?", decision_id)
        return self._decision_at(cast(int, rows[0][0])) if rows else None

    def _decision_at(self, seq: int) -> DecisionRecord | None:
        rows = self._database.read(f"select {_COLUMNS} from decisions where seq = ?", seq)
        row = dict(zip(DECISIONS.names, rows[0], strict=True)) if rows else self._cold.row("decision", seq)
        return decision_of(row) if row else None

    def broken_link(self) -> int | None:
        """Return the seq of the first decision that breaks the chain, or behind which some are missing."""
        with self._database.snapshot() as reader:
            before, after = reader.execute("select forgotten_chain, chained from head").fetchone()
            cold = _links(self._joined("decision", manifest(reader, "decision"), DECISIONS.empty_table()))
            # one by one, from any place: a row of the database may hold by now what no table would take
            hot = (dict(zip(DECISIONS.names, row, strict=True)) for row in reader.execute(_ANY_DECISIONS))
            warm = ((row["seq"], stored_decision(row), row["hash"]) for row in hot)
            return first_broken(chain(cold, warm), before, after)

    def forgotten_chain(self) -> str:
        """Return the hash that the first decision follows."""
        return cast(str, self._database.read("select forgotten_chain from head")[0][0])

    def segments(self) -> Sequence[Sequence[Any]]:
        """Return the lines of the manifest; raises StoreFailure for a file that is missing or was changed."""
        return self._cold.segments()

    def seal(self, keep_hot: int, at_us: int | None = None) -> int:
        """Move all but the newest `keep_hot` events and labels, and the decisions among them, into Parquet segments."""
        return self._cold.seal(keep_hot, self._hot_until, at_us)

    def forget(self, before_us: int, at_us: int | None = None) -> int:
        """Drop the oldest segments whose events all arrived before a time; what is hot stays."""
        return self._cold.forget(before_us, self._schemas, at_us)

    def forgotten_us(self) -> int | None:
        """Return the arrival of the newest event that was forgotten, or None."""
        return cast(int | None, self._database.read("select forgotten_us from head")[0][0])

    def _hot_until(self, until: int) -> dict[str, pa.Table]:
        with self._database.snapshot() as reader:
            return {kind: self._hot(reader, kind, 0, until) for kind in self._schemas}

    def _rows(self, kind: str, after: int, until: int = LAST) -> pa.Table:
        with self._database.snapshot() as reader:
            segments, hot = manifest(reader, kind, after, until), self._hot(reader, kind, after, until)
        return self._joined(kind, segments, hot, after, until)

    def _joined(
        self, kind: str, segments: Sequence[Segment], hot: pa.Table, after: int = 0, until: int = LAST
    ) -> pa.Table:
        sealed = []
        for segment in segments:
            table = self._cold.files.table(segment, self._schemas[kind])
            if segment.first_seq <= after or segment.last_seq > until:
                table = table.filter((pc.field("seq") > after) & (pc.field("seq") <= until))
            sealed.append(table)
        in_order = not (segments and len(hot)) or segments[-1].last_seq < hot["seq"][0].as_py()
        table = pa.concat_tables([*sealed, hot])
        return table if in_order else table.sort_by("seq")  # an import went on behind hot records

    def _hot(self, reader: sqlite3.Connection, kind: str, after: int, until: int = LAST) -> pa.Table:
        """Return the hot rows of a kind with after < seq <= until as a table."""
        if kind == "decision":
            decided = [list(c) for c in zip(*reader.execute(_HOT_DECISIONS, (after, until)), strict=True)]
            return pa.table(decided or [[] for _ in DECISIONS], schema=DECISIONS)
        rows = reader.execute(_HOT, (kind, after, until)).fetchall()
        if kind == "event":
            records = [(seq, event_from(self._contract, i, at, arrived, body)) for seq, i, at, arrived, body in rows]
            return event_table(self._contract, records)
        labels = [(seq, i, *orjson.loads(body), arrived) for seq, i, _, arrived, body in rows]
        seqs, ids, values, sources, times = ([row[place] for row in labels] for place in range(5))
        return pa.table([seqs, ids, values, times, sources], schema=LABELS)


def _links(decisions: pa.Table) -> Iterator[Link]:
    for batch in decisions.to_batches(max_chunksize=_LINK_ROWS):
        for row in batch.to_pylist():
            yield row["seq"], stored_decision(row), row["hash"]

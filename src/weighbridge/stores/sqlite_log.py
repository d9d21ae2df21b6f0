"""The embedded log: hot records in SQLite, imported history sealed in Parquet, one order of arrival."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.contract import Contract
from weighbridge.errors import Conflict, StoreFailure
from weighbridge.records import DecisionRecord, EventRecord, Head, LabelRecord
from weighbridge.stores.chain import GENESIS, first_broken, link
from weighbridge.stores.database import Database
from weighbridge.stores.files import read_sealed, seal
from weighbridge.stores.memory import decision_of
from weighbridge.stores.tables import DECISIONS, LABELS, event_at, event_schema, event_table

_COLUMNS = ", ".join(DECISIONS.names)
_MOVE_HEAD = "update head set seq = max(seq, ?), data_seq = max(data_seq, ?), arrived_us = max(arrived_us, ?)"
_INSERT_DECISION = f"insert into decisions ({_COLUMNS}) values ({', '.join('?' * len(DECISIONS.names))})"


class SqliteLog:
    """EventLog and DecisionLog of an embedded home."""

    def __init__(self, database: Database, contract: Contract, folder: Path) -> None:
        self._database, self._contract, self._folder = database, contract, folder
        folder.mkdir(parents=True, exist_ok=True)

    def head(self) -> Head:
        """Return where the log ends."""
        return Head(*cast(list[Any], self._database.read("select seq, data_seq, arrived_us from head"))[0])

    def find(self, event_id: str) -> tuple[int, EventRecord] | None:
        """Return (seq, event) of an id, or None."""
        rows = self._database.read("select seq from ids where event_id = ?", event_id)
        if not rows:
            return None
        seq = cast(int, rows[0][0])
        hot = self._database.read("select event_us, arrived_us, body from log where seq = ? and kind = 'event'", seq)
        if hot:
            event_us, arrived_us, body = cast(tuple[int, int, str], hot[0])
            return seq, EventRecord(event_id, event_us, arrived_us, tuple(json.loads(body)))
        table = self._sealed("event", f"and {seq} between first_seq and last_seq")
        row = pc.index(table["seq"], seq).as_py()
        return seq, event_at(self._contract, table, row)

    def holds(self, event_id: str) -> bool:
        """Return whether the log has an event of this id."""
        return bool(self._database.read("select 1 from ids where event_id = ?", event_id))

    def commit(self, event: EventRecord, decision: DecisionRecord | None = None) -> int:
        """Append an event and the decision about it in one durable write."""
        with self._database.write() as connection:
            seq = self._advance(connection, event.arrived_us)
            try:
                connection.execute("insert into ids values (?, ?)", (event.event_id, seq))
            except sqlite3.IntegrityError:
                raise Conflict(f"event {event.event_id} is stored already") from None
            self._insert(connection, seq, "event", event, json.dumps(event.values))
            if decision is not None:
                row = connection.execute("select hash from decisions order by seq desc limit 1").fetchone()
                chained = link(row[0] if row else GENESIS, seq, decision)
                connection.execute(_INSERT_DECISION, _decision_row(seq, decision, chained))
        return seq

    def add_label(self, label: LabelRecord) -> int:
        """Append a label record."""
        with self._database.write() as connection:
            seq = self._advance(connection, label.arrived_us)
            self._insert(connection, seq, "label", label, json.dumps([label.value, label.source]))
        return seq

    def import_history(self, events: pa.Table, labels: pa.Table) -> None:
        """Append history whose seq is assigned already: Parquet files first, then one transaction that names them."""
        events = events.select(event_schema(self._contract).names).cast(event_schema(self._contract))
        labels = labels.select(LABELS.names).cast(LABELS)
        sealed = [
            (kind, seal(self._folder, kind, table), table)
            for kind, table in (("event", events), ("label", labels))
            if len(table)
        ]
        with self._database.write() as connection:
            head = connection.execute("select seq from head").fetchone()[0]
            if any(table["seq"][0].as_py() <= head for _, _, table in sealed):
                raise Conflict("the log went on while this history was prepared; nothing was imported, try again")
            pairs = zip(events["event_id"].to_pylist(), events["seq"].to_pylist(), strict=True)
            try:
                connection.executemany("insert into ids values (?, ?)", pairs)
            except sqlite3.IntegrityError:
                raise Conflict("this history holds events that are stored already; nothing was imported") from None
            for kind, (file, sha256), table in sealed:
                first, last = table["seq"][0].as_py(), table["seq"][-1].as_py()
                arrived_us = pc.max(table["arrived_us"]).as_py()
                connection.execute(
                    "insert into segments values (?, ?, ?, ?, ?, ?)", (first, last, kind, file, len(table), sha256)
                )
                connection.execute(_MOVE_HEAD, (last, last, arrived_us))

    def known(self, event_ids: pa.Array) -> pa.Array:
        """Return which ids the log holds."""
        if self.head().seq == 0:
            return pa.array([False] * len(event_ids))
        return pa.array([self.holds(event_id) for event_id in event_ids.to_pylist()], pa.bool_())

    def events(self) -> pa.Table:
        """Return all events by seq."""
        rows = self._hot("event")
        records = [(seq, EventRecord(i, at, arrived, tuple(json.loads(body)))) for seq, i, at, arrived, body in rows]
        return pa.concat_tables([self._sealed("event"), event_table(self._contract, records)])

    def labels(self) -> pa.Table:
        """Return all label records by seq."""
        hot = []
        for seq, event_id, _, arrived_us, body in self._hot("label"):
            value, source = json.loads(body)
            hot.append({"seq": seq, "event_id": event_id, "value": value, "arrived_us": arrived_us, "source": source})
        return pa.concat_tables([self._sealed("label"), pa.Table.from_pylist(hot, LABELS)])

    def note(self, kind: str, body: Mapping[str, Any], arrived_us: int) -> int:
        """Append a record of another kind."""
        with self._database.write() as connection:
            seq = self._next(connection)
            connection.execute(
                "insert into log values (?, ?, null, null, ?, ?)", (seq, kind, arrived_us, json.dumps(body))
            )
        return seq

    def notes(self, kind: str) -> Sequence[tuple[int, int, Mapping[str, Any]]]:
        """Return all records of a kind, by seq."""
        return [(seq, arrived_us, json.loads(body)) for seq, _, _, arrived_us, body in self._hot(kind)]

    def decision(self, event_id: str) -> DecisionRecord | None:
        """Return the decision about an event, or None."""
        rows = self._database.read(f"select {_COLUMNS} from decisions where event_id = ?", event_id)
        return decision_of(dict(zip(DECISIONS.names, rows[0], strict=True))) if rows else None

    def decisions(self) -> pa.Table:
        """Return all decisions by seq."""
        rows = self._database.read(f"select {_COLUMNS} from decisions order by seq")
        columns = zip(*rows, strict=True) if rows else [[] for _ in DECISIONS]
        return pa.table([pa.array(list(c), f.type) for c, f in zip(columns, DECISIONS, strict=True)], schema=DECISIONS)

    def broken_link(self) -> int | None:
        """Return the seq of the first decision that breaks the chain."""
        return first_broken((row["seq"], decision_of(row), row["hash"]) for row in self.decisions().to_pylist())

    def _advance(self, connection: sqlite3.Connection, arrived_us: int) -> int:
        seq = self._next(connection)
        connection.execute(_MOVE_HEAD, (seq, seq, arrived_us))
        return seq

    def _next(self, connection: sqlite3.Connection) -> int:
        return int(connection.execute("update head set seq = seq + 1 returning seq").fetchone()[0])

    def _insert(
        self, connection: sqlite3.Connection, seq: int, kind: str, record: EventRecord | LabelRecord, body: str
    ) -> None:
        event_us = record.event_us if isinstance(record, EventRecord) else None
        values = (seq, kind, record.event_id, event_us, record.arrived_us, body)
        connection.execute("insert into log values (?, ?, ?, ?, ?, ?)", values)

    def _hot(self, kind: str) -> list[tuple[int, str, int, int, str]]:
        rows = self._database.read(
            "select seq, event_id, event_us, arrived_us, body from log where kind = ? order by seq", kind
        )
        return cast(list[tuple[int, str, int, int, str]], rows)

    def _sealed(self, kind: str, and_where: str = "") -> pa.Table:
        schema = event_schema(self._contract) if kind == "event" else LABELS
        rows = self._database.read(
            f"select file, rows, sha256 from segments where kind = ? {and_where} order by first_seq", kind
        )
        tables = [schema.empty_table()]
        for file, count, sha256 in cast(list[tuple[str, int, str]], rows):
            table = read_sealed(self._folder / file, sha256)
            if len(table) != count or table.schema.names != schema.names:
                raise StoreFailure(
                    f"segment {file} of the log does not hold what its record says; restore it from a copy"
                )
            tables.append(table.cast(schema))
        return pa.concat_tables(tables)


def _decision_row(seq: int, decision: DecisionRecord, chained: str) -> tuple[object, ...]:
    row = {**asdict(decision), "seq": seq, "degraded": json.dumps(decision.degraded), "hash": chained}
    return tuple(row[name] for name in DECISIONS.names)

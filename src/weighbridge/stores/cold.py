"""The cold part of the embedded log: what was sealed, how hot records get there, and what retention drops."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.ports import LAST
from weighbridge.stores.changes import forgotten, of_history
from weighbridge.stores.database import Database
from weighbridge.stores.segments import Segment, SegmentFiles
from weighbridge.stores.sqlite_audit import add_changes

PIECE = 262_144  # events and labels sealed at once, in memory
ARRIVAL = {"event": "arrived_us", "label": "arrived_us", "decision": "decided_us"}
_MANIFEST = "select kind, first_seq, last_seq, last_arrived_us, file, rows, sha256 from segments"
_ADD = "insert into segments values (?, ?, ?, ?, ?, ?, ?)"
_HOT_DATA = "from log where kind in ('event', 'label')"
_OLDEST_HOT = f"seq {_HOT_DATA} order by seq limit ?"
HotTables = Callable[[int], dict[str, pa.Table]]


@dataclass(frozen=True)
class Rewrite:
    """Segments that hold rows to drop, what takes their place, and the rows."""

    before: list[Segment]
    after: list[Segment]
    rows: pa.Table


class ColdLog:
    """Segments and their manifest. A file is written before the transaction that names it, which also deletes what it
    replaces; a crash in between leaves a file that nobody reads and that the next sealing removes."""

    def __init__(self, database: Database, files: SegmentFiles) -> None:
        self._database, self.files = database, files

    def row(self, kind: str, seq: int) -> dict[str, Any] | None:
        """Return one sealed row, or None."""
        where = "where kind = ? and first_seq <= ? and last_seq >= ?"
        found = self._database.read(f"{_MANIFEST} {where}", kind, seq, seq)
        return self.files.row(Segment(*cast(tuple[Any, ...], found[0])), seq) if found else None

    def segments(self) -> list[tuple[Any, ...]]:
        """Return the lines of the manifest; raises StoreFailure for a file that is missing or was changed."""
        found = [Segment(*cast(tuple[Any, ...], row)) for row in self._database.read(f"{_MANIFEST} order by file")]
        for segment in found:
            self.files.check(segment)
        return [astuple(segment) for segment in found]

    def tell(
        self, connection: sqlite3.Connection, act: str, by: str, at_us: int | None, figures: Mapping[str, Any],
        added: Sequence[Segment] = (), removed: Sequence[Segment] = (),
    ) -> None:  # fmt: skip
        """Append to the audit what became of history, within a transaction; `at_us` None is the latest arrival."""
        if at_us is None:
            at_us = connection.execute("select arrived_us from head").fetchone()[0]
        lines = [[list(astuple(segment)) for segment in segments] for segments in (added, removed)]
        add_changes(connection, [of_history(act, by, cast(int, at_us), figures, *lines)])

    def seal(self, keep_hot: int, hot_until: HotTables, at_us: int | None = None) -> int:
        """Move all but the newest `keep_hot` hot events and labels into segments, with the decisions among them.

        `hot_until(seq)` gives the hot tables of each kind up to a seq. Returns how many events and labels moved.
        """
        self.sweep()
        moved = 0
        while (until := self._next_piece(keep_hot)) is not None:
            tables = hot_until(until)
            made = [s for kind, table in tables.items() for s in self.files.write(kind, table, ARRIVAL[kind])]
            with self._database.write() as connection:
                add(connection, made)
                connection.execute(f"delete {_HOT_DATA} and seq <= ?", (until,))
                connection.execute("delete from decisions where seq <= ?", (until,))
                figures = {kind: len(table) for kind, table in tables.items()}
                self.tell(connection, "seal", "weigh seal", at_us, figures, made)
            moved += len(tables["event"]) + len(tables["label"])
        return moved

    def _next_piece(self, keep_hot: int) -> int | None:
        """Return the last seq of the next piece to seal; no piece reaches over a segment that an import made."""
        newest = self._database.read(f"select seq {_HOT_DATA} order by seq desc limit 1 offset ?", keep_hot)
        if not newest:
            return None
        first = self._database.read(f"select min(seq) {_HOT_DATA}")[0][0]
        ends = self._database.read(f"select max(seq) from (select {_OLDEST_HOT})", PIECE)[0][0]
        imported = self._database.read("select min(first_seq) - 1 from segments where first_seq > ?", first)[0][0]
        return min(cast(int, seq) for seq in (newest[0][0], ends, imported) if seq is not None)

    def forget(self, before_us: int, schemas: Mapping[str, pa.Schema], at_us: int | None = None) -> int:
        """Drop the oldest event segments that lie wholly before a time; return how many events were in them."""
        hot = self._database.read("select min(seq) from log where kind = 'event'")[0][0]
        gone: list[Segment] = []
        for segment in self._manifest("event"):
            if segment.last_arrived_us >= before_us or (hot is not None and segment.last_seq > cast(int, hot)):
                break
            gone.append(segment)
        if not gone:
            return 0
        tables = [self.files.table(segment, schemas["event"]) for segment in gone]
        ids = pa.concat_tables(tables)["event_id"].combine_chunks()
        last_seq = gone[-1].last_seq
        decided = self._rewritten("decision", schemas, lambda table: pc.less_equal(table["seq"], last_seq))
        labelled = self._rewritten("label", schemas, lambda table: pc.is_in(table["event_id"], value_set=ids))
        with self._database.write() as connection:
            removed, added = [*gone, *decided.before, *labelled.before], [*decided.after, *labelled.after]
            for segment in removed:
                connection.execute(
                    "delete from segments where kind = ? and first_seq = ?", (segment.kind, segment.first_seq)
                )
            add(connection, added)
            for segment in gone:
                span = (segment.first_seq, segment.last_seq)
                connection.execute("delete from ids where seq between ? and ?", span)
                connection.execute("delete from decision_ids where seq between ? and ?", span)
            connection.execute("create temp table if not exists gone (event_id text primary key) without rowid")
            connection.executemany("insert into gone values (?)", ((i,) for i in ids.to_pylist()))
            labels = len(labelled.rows)
            labels += connection.execute(
                "delete from log where kind = 'label' and event_id in (select event_id from gone)"
            ).rowcount
            connection.execute("delete from gone")
            connection.execute("update head set forgotten_us = ?", (gone[-1].last_arrived_us,))
            if len(decided.rows):
                connection.execute("update head set forgotten_chain = ?", (decided.rows["hash"][-1].as_py(),))
            chained = connection.execute("select forgotten_chain from head").fetchone()[0]
            told = forgotten(len(ids), labels, gone[-1].last_arrived_us, chained)
            self.tell(connection, "forget", "weigh seal", at_us, told, added, removed)
        self.sweep()
        return len(ids)

    def _rewritten(self, kind: str, schemas: Mapping[str, pa.Schema], gone: Callable[[pa.Table], pa.Array]) -> Rewrite:
        """Write the segments of a kind that hold rows to drop again without them; rows and segments, old and new."""
        before, after, rows = [], [], [schemas[kind].empty_table()]
        for segment in self._manifest(kind):
            table = self.files.table(segment, schemas[kind])
            dropped = gone(table)
            if pc.any(dropped).as_py():
                before.append(segment)
                rows.append(table.filter(dropped))
                after += self.files.write(kind, table.filter(pc.invert(dropped)), ARRIVAL[kind])
        return Rewrite(before, after, pa.concat_tables(rows))

    def _manifest(self, kind: str) -> list[Segment]:
        with self._database.snapshot() as reader:
            return manifest(reader, kind)

    def sweep(self) -> None:
        """Remove files that the manifest does not name. Only for whoever holds the home's one place for a writer."""
        self.files.keep_only(cast(str, row[0]) for row in self._database.read("select file from segments"))


def add(connection: sqlite3.Connection, segments: Sequence[Segment]) -> None:
    """Name segments in the manifest, within a transaction."""
    connection.executemany(_ADD, [astuple(segment) for segment in segments])


def manifest(reader: sqlite3.Connection, kind: str, after: int = 0, until: int = LAST) -> list[Segment]:
    """Return the segments of a kind that hold some after < seq <= until, by seq."""
    where = "where kind = ? and last_seq > ? and first_seq <= ? order by first_seq"
    rows = reader.execute(f"{_MANIFEST} {where}", (kind, after, until))
    return [Segment(*row) for row in rows]

"""Takes child rows in: those that keep their contract as one segment that counts from its place in the log on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.children import Child
from weighbridge.errors import InputError
from weighbridge.identity import Pseudonyms
from weighbridge.kernel.child_rows import ROW, parse_rows
from weighbridge.kernel.columns import ints
from weighbridge.kernel.rules import reject
from weighbridge.kernel.table_check import Rejects
from weighbridge.loop.given import lenient
from weighbridge.loop.report import Progress, Report, Run, silent, telling_of
from weighbridge.loop.sources.right_table import check_columns
from weighbridge.ports import Stores
from weighbridge.ports.rows import ROWS, Written
from weighbridge.records import Note
from weighbridge.stores.csv_rows import Rows

REJECTS = "rejects"


def ingest_rows(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    table: str,
    pieces: Iterable[pa.Table | Rows],
    mapping: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Report:
    """Append a file's rows to a child table; rows that break its contract go to a table of rejects, with reasons.

    The rows count for the events that come after them. A file whose rows are in force already is skipped: those of the
    newest file of a table with `unique`, those of any file of one without, where each new file adds its rows. `mapping`
    names the column of a field where the file calls it otherwise. Raises InputError for a table that is not declared, a
    file of another table and a column that is missing; then nothing was stored.
    """
    keep_named(stores)
    return commit_rows(stores, clock, read_in(case, stores, clock, table, pieces, mapping, progress))


def keep_named(stores: Stores) -> None:
    """Remove the segments that the log does not name: what was read and never committed."""
    stores.rows.keep_only({body["name"] for _, _, body in stores.log.notes(ROWS)})


@dataclass(frozen=True)
class RowsRead:
    """A file's rows in a segment that the log does not name yet, so that they count for nothing."""

    run: Run
    child: Child
    written: Written
    rows: int
    rejects: Rejects
    without: Sequence[str]
    others: Mapping[str, int]


def read_in(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    table: str,
    pieces: Iterable[pa.Table | Rows],
    mapping: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> RowsRead:
    """Read a file's rows, of a child table, into a segment. Raises InputError as `ingest_rows` does."""
    run = Run("ingest", stores, clock)
    child = next((c for c in case.children if c.name == table), None)
    if child is None:
        known = ", ".join(c.name for c in case.children) or "none, add UseCase(children=[...])"
        raise InputError(f"there is no child table {table!r}; declared are {known}")
    reading = _Reading(case, child, _checked_mapping(child, mapping or {}), stores.pseudonyms, progress)
    written = stores.rows.write(child, reading.good(pieces))
    if child.key:
        reading.rejects.add(np.array(written.twice, dtype=np.int64), reject("+".join(child.key), "unique_row"))
    return RowsRead(run, child, written, reading.rows, reading.rejects, reading.without, reading.others)


def commit_rows(stores: Stores, clock: Clock, read: RowsRead) -> Report:
    """Name a segment in the log: from here on its rows count. Stores what was rejected, and returns the report.

    Raises StoreFailure when the log cannot be written, Unrecorded when it was and what goes with it was not.
    """
    child, written, run = read.child, read.written, read.run
    stored = [body["name"] for _, _, body in stores.log.notes(ROWS) if body["table"] == child.name]
    skipped = written.name in (stored[-1:] if child.key else stored)
    if written.rows and not skipped:
        told = {"table": child.name, **{k: v for k, v in asdict(written).items() if k != "twice"}}
        stores.log.commit([], [Note(ROWS, told, clock.now_us(), "weigh ingest")])
    accepted, rejected = 0 if skipped else written.rows, read.rejects.table()
    with telling_of(f"{accepted:,} rows of {child.name} are stored"):
        if len(rejected):
            stores.tables.put(f"{REJECTS}/{run.id}", rejected)
    figures = {
        "table": child.name, "rows": read.rows, "accepted": accepted,
        "already_stored": written.rows if skipped else 0, "rejected": len(rejected),
        "reasons": {rule: read.rejects.rules.count(rule) for rule in sorted(set(read.rejects.rules))},
        "head_seq": stores.log.head().seq, "without": list(read.without), "others": dict(read.others),
    }  # fmt: skip
    return run.finish(_sentence(child, figures, rejected, run.id) + lenient(read.without, read.others), figures)


def _checked_mapping(child: Child, mapping: Mapping[str, str]) -> Mapping[str, str]:
    for name in mapping:
        if name not in child.names:
            known = ", ".join(sorted(child.names))
            raise InputError(f"--map {child.name}.{name}=...: there is no such field; use one of {known}")
    return mapping


class _Reading:
    """The pieces of a file on their way: what is good in them, and what was rejected so far."""

    def __init__(
        self, case: UseCase, child: Child, mapping: Mapping[str, str], pseudonyms: Pseudonyms, progress: Progress
    ) -> None:
        self._case, self._child, self._mapping = case, child, mapping
        self._pseudonyms, self._progress = pseudonyms, progress
        self.rejects, self.rows = Rejects(), 0
        self.without: list[str] = []
        self.others = Counter[str]()

    def good(self, pieces: Iterable[pa.Table | Rows]) -> Iterator[pa.Table]:
        """Yield the accepted rows of each piece, numbered through the file."""
        for each in pieces:
            piece = each if isinstance(each, Rows) else Rows(each)
            places = piece.places if piece.places is not None else np.arange(len(piece.table)) + self.rows
            check_columns(self._case, self._child, piece.table.column_names, self._mapping)
            found, check = parse_rows(self._child, piece.table, self._mapping, self._pseudonyms)
            yield found.set_column(found.column_names.index(ROW), ROW, pa.array(places[ints(found[ROW])]))
            self.rejects.extend(check.rejects.at(places), 0)
            self.rejects.extend(piece.broken, 0)
            self.rows += len(piece.table) + len(piece.broken.rows)
            self.without = check.without
            self.others.update(check.others)
            self._progress(f"rows of {self._child.name} read", self.rows, self.rows)


def _sentence(child: Child, figures: Mapping[str, object], rejected: pa.Table, run: str) -> str:
    sentence = f"{figures['accepted']:,} rows of {figures['table']} accepted"
    if figures["accepted"] and not child.key:
        sentence += " (it has no unique=, so each new file adds its rows)"
    if figures["already_stored"]:
        sentence += f", {figures['already_stored']:,} rows were stored already"
    if len(rejected):
        first = rejected.slice(0, 1).to_pylist()[0]
        sentence += f", {len(rejected):,} rejected (row {first['row']}: {first['field']}: {first['detail']})"
        sentence += f", all in tables/{REJECTS}/{run}.parquet"
    return sentence

"""Segments of child rows: Arrow files that are mapped into memory, or tables in memory."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from weighbridge.declare.children import Child
from weighbridge.errors import StoreFailure
from weighbridge.kernel.child_rows import KEY, ROW, given_schema, segment_schema
from weighbridge.ports.rows import Written
from weighbridge.stores.files import sync_folder

BATCH_ROWS = 131_072
SUFFIX = ".arrow"


class MemoryRows:
    """RowStore in memory."""

    def __init__(self) -> None:
        self._segments: dict[str, pa.Table] = {}

    def write(self, child: Child, pieces: Iterable[pa.Table]) -> Written:
        """Store rows sorted by key."""
        whole = pa.concat_tables([given_schema(child).empty_table(), *pieces])
        with duckdb.connect() as connection:
            connection.register("given", whole)
            twice = _twice(connection, child)
            table = pa.table(connection.sql(_sorted(child)).to_arrow_table()).cast(segment_schema(child))
        name = f"{child.name}-{hashlib.sha256(repr(table.to_pydict()).encode()).hexdigest()[:32]}"
        self._segments[name] = table.combine_chunks()
        return Written(name, len(table), twice)

    def read(self, name: str) -> pa.Table:
        """Return a segment."""
        if name not in self._segments:
            raise StoreFailure(f"the child rows {name} are not there")
        return self._segments[name]

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all segments but these."""
        self._segments = {name: table for name, table in self._segments.items() if name in names}


class FolderRows:
    """RowStore in a folder: one Arrow file a segment, named by the hash of its content, and mapped when it is read.

    `memory_bytes` bounds what sorting takes; the rest is spilled to the folder.
    """

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        self._folder, self._memory_bytes = folder, memory_bytes
        self._open: dict[str, pa.Table] = {}

    def write(self, child: Child, pieces: Iterable[pa.Table]) -> Written:
        """Store rows sorted by key, in a file that is there whole or not at all."""
        schema, raw = segment_schema(child), given_schema(child)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="sort-") as spill:
                given = Path(spill) / "given.arrow"
                _write(given, raw, (batch for piece in pieces for batch in piece.cast(raw).to_batches()))
                made = Path(spill) / f"made{SUFFIX}"
                with limited(self._memory_bytes, Path(spill)) as connection, pa.memory_map(str(given)) as source:
                    connection.register("given", pa.ipc.open_file(source).read_all())
                    twice = _twice(connection, child)
                    rows = _write(made, schema, connection.sql(_sorted(child)).to_arrow_reader(BATCH_ROWS))
                with made.open("rb") as content:
                    sha256 = hashlib.file_digest(content, "sha256").hexdigest()
                    name = f"{child.name}-{sha256[:32]}"
                    os.fsync(content.fileno())
                made.replace(self._folder / f"{name}{SUFFIX}")
                sync_folder(self._folder)
        except (OSError, duckdb.Error) as fault:
            raise StoreFailure(f"child rows could not be stored ({str(fault).splitlines()[0]}); make room") from fault
        return Written(name, rows, twice)

    def read(self, name: str) -> pa.Table:
        """Return a segment mapped into memory; its content is checked the first time."""
        if name not in self._open:
            path = self._folder / f"{name}{SUFFIX}"
            try:
                with path.open("rb") as content:
                    sha256 = hashlib.file_digest(content, "sha256").hexdigest()
                if not name.endswith(sha256[:32]):
                    raise StoreFailure(f"the child rows {path.name} were changed after they were stored; restore them")
                self._open[name] = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            except (OSError, pa.ArrowInvalid) as fault:
                raise StoreFailure(f"the child rows {path.name} cannot be read ({fault}); restore them") from fault
        return self._open[name]

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all segments but these, and what a crash left."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name.endswith(SUFFIX) and path.name.removesuffix(SUFFIX) not in names:
                    self._open.pop(path.name.removesuffix(SUFFIX), None)
                    path.unlink(missing_ok=True)


def limited(memory_bytes: int, spill: Path | None, cores: int = 1) -> duckdb.DuckDBPyConnection:
    """Return a database in memory that takes so much of it, and spills the rest to a folder (None: the system's)."""
    memory, folder = f"{max(memory_bytes >> 20, 64)}MiB", str(spill or tempfile.gettempdir())
    options = {"memory_limit": memory, "threads": str(cores), "temp_directory": folder}
    return duckdb.connect(config=options)


def named(child: Child) -> str:
    """Return the columns, SQL, that together name a row."""
    return ", ".join([KEY, *(f'"{name}"' for name in child.key)])


def _sorted(child: Child) -> str:
    """Return what makes a segment: the same rows in any order of the file are the same bytes."""
    names = ", ".join(f'"{name}"' for name in segment_schema(child).names)
    if child.key:
        last = f"qualify row_number() over (partition by {named(child)} order by {ROW} desc) = 1"
        return f"select {names} from given {last} order by {named(child)}"
    fields = ", ".join(f'"{field.name}"' for field in child.fields)
    return f"select {names} from given order by {KEY}, {fields}"


def _twice(connection: duckdb.DuckDBPyConnection, child: Child) -> tuple[int, ...]:
    if not child.key:
        return ()
    found = connection.execute(
        f"select {ROW} from given qualify row_number() over (partition by {named(child)} order by {ROW} desc) > 1 "
        f"order by {ROW}"
    )
    return tuple(row[0] for row in found.fetchall())


def _write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches of always as many rows as an Arrow file; return the number of rows."""
    rows = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in _even(batches, schema):
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def _even(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of BATCH_ROWS, so that the same rows are the same bytes."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += len(batch)
        while count >= BATCH_ROWS:
            whole = pa.Table.from_batches(held, schema).combine_chunks()
            yield from whole.slice(0, BATCH_ROWS).combine_chunks().to_batches()
            held = whole.slice(BATCH_ROWS).to_batches()
            count -= BATCH_ROWS
    if count:
        yield from pa.Table.from_batches(held, schema).combine_chunks().to_batches()

"""The sealed part of a log: Parquet files that never change, named by a manifest with their sha256."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weighbridge.errors import StoreFailure
from weighbridge.stores.files import PART, parquet_bytes, write_atomically

GROUP_ROWS = 4_096  # what a look-up of one row reads
SEGMENT_ROWS = 131_072  # what the first look-up in a file hashes
MOST_OPEN = 16  # files kept open for look-ups


@dataclass(frozen=True)
class Segment:
    """One line of the manifest: rows of one kind, sorted by seq from `first_seq` to `last_seq`."""

    kind: str
    first_seq: int
    last_seq: int
    last_arrived_us: int
    file: str
    rows: int
    sha256: str


class SegmentFiles:
    """The files of a folder. A file's sha256 is computed once, and again when its size or time has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._trusted: dict[str, tuple[int, int]] = {}
        self._open: OrderedDict[str, tuple[pq.ParquetFile, list[int]]] = OrderedDict()
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, kind: str, table: pa.Table, arrived: str = "arrived_us") -> list[Segment]:
        """Write rows, by seq, as segments that no manifest names yet."""
        pieces = (table.slice(first, SEGMENT_ROWS) for first in range(0, len(table), SEGMENT_ROWS))
        return [self._write(kind, piece, arrived) for piece in pieces]

    def _write(self, kind: str, table: pa.Table, arrived: str) -> Segment:
        content = parquet_bytes(table, GROUP_ROWS)
        sha256 = hashlib.sha256(content).hexdigest()
        first, last = table["seq"][0].as_py(), table["seq"][-1].as_py()
        file = f"{kind}-{first:012d}-{sha256[:12]}.parquet"
        write_atomically(self._folder / file, content)
        return Segment(kind, first, last, pc.max(table[arrived]).as_py(), file, len(table), sha256)

    def table(self, segment: Segment, schema: pa.Schema) -> pa.Table:
        """Return a whole segment; raises StoreFailure when it is missing or not the bytes that were sealed."""
        with self._lock:
            self._verified(segment)
        table = pq.ParquetFile(self._folder / segment.file).read()
        if len(table) != segment.rows or table.schema.names != schema.names:
            raise StoreFailure(
                f"segment {segment.file} of the log does not hold what its record says; restore it from a copy"
            )
        return table.cast(schema)

    def check(self, segment: Segment) -> None:
        """Raise StoreFailure when a segment is missing or not the bytes that were sealed."""
        with self._lock:
            self._verified(segment)

    def row(self, segment: Segment, seq: int) -> dict[str, Any] | None:
        """Return the row of a seq, or None; reads one row group. Raises StoreFailure as `table` does."""
        with self._lock:
            file, last_seqs = self._verified(segment)
            group = bisect_left(last_seqs, seq)
            if group == len(last_seqs):
                return None
            rows = file.read_row_group(group)
        place = pc.index(rows["seq"], seq).as_py()
        return None if place < 0 else dict(rows.slice(place, 1).to_pylist()[0])

    def keep_only(self, files: Iterable[str]) -> None:
        """Remove what no manifest names: left by a crash between a file and its manifest, or forgotten."""
        named = set(files)
        for path in self._folder.iterdir():
            if path.name not in named and path.name.endswith((".parquet", PART)):
                with self._lock:
                    self._open.pop(path.name, None)
                    self._trusted.pop(path.name, None)
                path.unlink(missing_ok=True)

    def _verified(self, segment: Segment) -> tuple[pq.ParquetFile, list[int]]:
        """Return a segment's open file and the last seq of each of its row groups."""
        path = self._folder / segment.file
        try:
            found = path.stat()
            if self._trusted.get(segment.file) != (found.st_mtime_ns, found.st_size):
                self._open.pop(segment.file, None)
                with path.open("rb") as content:
                    if hashlib.file_digest(content, "sha256").hexdigest() != segment.sha256:
                        raise StoreFailure(
                            f"segment {segment.file} of the log was changed after it was sealed; restore it from a copy"
                        )
                self._trusted[segment.file] = (found.st_mtime_ns, found.st_size)
            if segment.file not in self._open:
                self._open[segment.file] = _opened(path)
                if len(self._open) > MOST_OPEN:
                    self._open.popitem(last=False)
        except OSError as fault:
            raise StoreFailure(
                f"segment {segment.file} of the log cannot be read ({fault.strerror}); restore it from a copy"
            ) from fault
        self._open.move_to_end(segment.file)
        return self._open[segment.file]


def _opened(path: Path) -> tuple[pq.ParquetFile, list[int]]:
    file = pq.ParquetFile(path)
    place = file.schema_arrow.names.index("seq")
    groups = (file.metadata.row_group(number) for number in range(file.num_row_groups))
    return file, [group.column(place).statistics.max for group in groups]

"""Parquet files written whole or not at all, and read only when they are what was written."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from weighbridge.errors import BundleRefused, InputError, StoreFailure

BATCH_ROWS = 131_072  # rows of a table that are written at once
PART = ".part"  # ends the name of a file that is being written


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write that takes the place of `path` when the block ends well, durable.

    A reader, or a crash, sees the old content or the new one, never a part. Raises StoreFailure when it cannot be
    written; then nothing has changed.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as fault:
        raise StoreFailure(f"{path} could not be written ({fault.strerror}); make room and try again") from fault


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole, as `replacing` does."""
    with replacing(path) as handle:
        handle.write(content)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parquet_bytes(table: pa.Table, group_rows: int | None = None) -> bytes:
    """Return a table as the bytes of a Parquet file (zstd), in row groups of so many rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=group_rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


class ParquetTables:
    """TableStore in a folder of Parquet files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Store a table under a name; one that comes in batches is never whole in memory."""
        reader = table.to_reader(BATCH_ROWS) if isinstance(table, pa.Table) else table
        path = self._folder / f"{name}.parquet"
        texts = [field.name for field in reader.schema if pa.types.is_string(field.type)]  # numbers gain nothing by it
        with (
            replacing(path) as file,
            pq.ParquetWriter(file, reader.schema, compression="zstd", use_dictionary=texts) as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)

    def get(self, name: str) -> pa.Table | None:
        """Return a table, or None; raises InputError when its file is damaged."""
        path = self._folder / f"{name}.parquet"
        if not path.exists():
            return None
        try:
            return pq.read_table(path)
        except (pa.ArrowInvalid, OSError) as fault:
            raise InputError(f"{path} is not a whole Parquet file ({fault}); delete it and build again") from None


class FolderBundles:
    """BundleStore in a folder: one sub-folder a bundle, made whole and then renamed into place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, bundle: str, files: Mapping[str, bytes]) -> None:
        """Store a bundle's files."""
        place = self._folder / bundle
        if place.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=self._folder, prefix="part-"))
        for name, content in files.items():
            write_atomically(part / name, content)
        try:
            part.replace(place)
        except OSError:
            shutil.rmtree(part)
            if not place.exists():
                raise
        sync_folder(self._folder)

    def files(self, bundle: str, at_most: int | None = None) -> dict[str, bytes]:
        """Return a bundle's files by name."""
        place = self._folder / bundle
        if not place.is_dir():
            raise BundleRefused(f"bundle {bundle[:12]} is not in this home; train again or copy it to {self._folder}")
        try:
            paths = [path for path in sorted(place.iterdir()) if path.is_file()]
            check_size(bundle, sum(path.stat().st_size for path in paths), at_most)
            return {path.name: path.read_bytes() for path in paths}
        except OSError as fault:
            raise BundleRefused(f"bundle {bundle[:12]} cannot be read ({fault.strerror}); restore it") from fault


def check_size(bundle: str, size: int, at_most: int | None) -> None:
    """Raise BundleRefused for a bundle of more bytes than are allowed."""
    if at_most is not None and size > at_most:
        raise BundleRefused(
            f"bundle {bundle[:12]} has {size:,} bytes, more than the {at_most:,} allowed; make a smaller model, "
            "or declare Rollout(largest_mb=...)"
        )

"""Parquet files written whole or not at all, and read only when they are what was written."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from weighbridge.errors import BundleRefused, InputError, StoreFailure


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as part:
        part.write(content)
        part.flush()
        os.fsync(part.fileno())
    try:
        Path(part.name).replace(path)
    except OSError as fault:
        Path(part.name).unlink(missing_ok=True)
        raise StoreFailure(f"{path} could not be written ({fault.strerror})") from fault
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file (zstd)."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def seal(folder: Path, kind: str, table: pa.Table) -> tuple[str, str]:
    """Write a segment of the log; return its file name and the sha256 of its bytes."""
    content = parquet_bytes(table)
    sha256 = hashlib.sha256(content).hexdigest()
    file = f"{kind}-{table['seq'][0].as_py():012d}-{sha256[:12]}.parquet"
    write_atomically(folder / file, content)
    return file, sha256


def read_sealed(path: Path, sha256: str) -> pa.Table:
    """Return a segment; raises StoreFailure when it is missing or not the bytes that were sealed."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise StoreFailure(f"segment {path.name} of the log cannot be read ({fault.strerror}); restore it") from fault
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoreFailure(f"segment {path.name} of the log was changed after it was sealed; restore it from a copy")
    return pq.read_table(pa.BufferReader(content))


class ParquetTables:
    """TableStore in a folder of Parquet files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, table: pa.Table) -> None:
        """Store a table under a name."""
        write_atomically(self._folder / f"{name}.parquet", parquet_bytes(table))

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

    def files(self, bundle: str) -> dict[str, bytes]:
        """Return a bundle's files by name."""
        place = self._folder / bundle
        if not place.is_dir():
            raise BundleRefused(f"bundle {bundle[:12]} is not in this home; train again or copy it to {self._folder}")
        try:
            return {path.name: path.read_bytes() for path in sorted(place.iterdir()) if path.is_file()}
        except OSError as fault:
            raise BundleRefused(f"bundle {bundle[:12]} cannot be read ({fault.strerror}); restore it") from fault

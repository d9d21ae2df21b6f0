"""Unpacks a file within bounds: gzip, zstd, and one member of a zip, whose name decides nothing about where it goes."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from weighbridge.declare.sources import FORMS, Feed
from weighbridge.errors import InputError
from weighbridge.loop.sources.bring import READ_BYTES, check_size

BROKEN = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, pa.ArrowException, RuntimeError, OSError)


def unpack(feed: Feed, path: Path, folder: Path) -> Path:
    """Return a file that is CSV or Parquet by its ending: the one given, or what was packed in it, made in `folder`.

    Packings may lie in one another, such as .csv.gz.zip. Raises InputError for one that is damaged, encrypted, has not
    the one member that is wanted, or unpacks to more than the feed may have; and for a file of another form. Parquet
    is asked by its footer how much it unpacks to.
    """
    name, depth = path.name, 0
    while name.endswith((".gz", ".zst", ".zip")):
        depth += 1
        if depth > 3:
            raise InputError(f"source {feed.name} is packed more than three times; unpack it first")
        target = folder / f"{depth}"
        with _readable(feed, path), _opened(feed, path, name) as (stream, inner), target.open("xb") as file:
            size = 0
            while chunk := stream.read(READ_BYTES):
                size += len(chunk)
                check_size(feed, size)
                file.write(chunk)
        path, name = target, inner
    form = feed.form or name.rpartition(".")[2]
    if form not in FORMS:
        raise InputError(
            f"source {feed.name} is neither Parquet nor CSV by its name ({name}); declare Feed(form=...) with one of "
            f"{', '.join(FORMS)}"
        )
    if form == "parquet":
        with _readable(feed, path):
            check_size(feed, _least_bytes(path))
    if path.suffix == f".{form}":
        return path
    named = folder / f"rows.{form}"
    named.symlink_to(path.absolute())
    return named


def _least_bytes(path: Path) -> int:
    """Return what a Parquet file unpacks to at least: its pages, or a byte a value where they are packed."""
    footer = pq.read_metadata(path)
    pages = sum(int(footer.row_group(number).total_byte_size) for number in range(footer.num_row_groups))
    return max(pages, int(footer.num_rows * footer.num_columns))


@contextmanager
def _readable(feed: Feed, path: Path) -> Iterator[None]:
    try:
        yield
    except BROKEN as fault:
        if isinstance(fault, OSError) and fault.errno is not None:  # the disk, not the file
            raise
        raise InputError(
            f"source {feed.name} cannot be unpacked ({type(fault).__name__}); is {path.name} whole, and rightly named?"
        ) from None


@contextmanager
def _opened(feed: Feed, path: Path, name: str) -> Iterator[tuple[BinaryIO, str]]:
    """Give what a packed file holds as a stream, and the name of that."""
    inner, _, packing = name.rpartition(".")
    if packing == "gz":
        with gzip.open(path) as stream:
            yield cast(BinaryIO, stream), inner
    elif packing == "zst":
        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as stream:
            yield stream, inner
    else:
        with zipfile.ZipFile(path) as archive:
            member = _member(feed, archive)
            if member.flag_bits & 1:
                raise InputError(f"source {feed.name} is encrypted; ask for a file that is not")
            check_size(feed, member.file_size)
            with archive.open(member) as stream:
                yield cast(BinaryIO, stream), member.filename.rpartition("/")[2]


def _member(feed: Feed, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
    wanted = [m for m in files if feed.member in (None, m.filename)]
    if len(wanted) != 1:
        fix = "name one with Feed(member=...)" if feed.member is None else f"it has no single {feed.member!r}"
        raise InputError(f"source {feed.name} is a zip of {len(files)} files; {fix}")
    return wanted[0]

"""Brings one file here: in parts that a later try goes on from, checked, and whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weighbridge.clock import SECOND_US, duration_us
from weighbridge.declare.sources import Feed
from weighbridge.errors import InputError, StoreFailure
from weighbridge.loop.report import Progress
from weighbridge.ports.objects import Object, ObjectStore
from weighbridge.stores.files import PART, sync_folder

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Brought:
    """A file that is here: where, its digests in hex, and how many bytes of it were fetched now."""

    path: Path
    size: int
    sha256: str
    md5: str
    fetched: int


class _Digests:
    """What a file's bytes so far come to."""

    def __init__(self) -> None:
        self._sha256, self._md5, self.size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0

    def add(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self.size += len(chunk)

    def brought(self, path: Path, fetched: int) -> Brought:
        return Brought(path, self.size, self._sha256.hexdigest(), self._md5.hexdigest(), fetched)


def bring(feed: Feed, store: ObjectStore, found: Object, target: Path, progress: Progress) -> Brought:
    """Fetch a file of a feed to `target`, which is there whole once its digest was right.

    A part that an earlier try left goes on where it ended, if the file has the same tag. Raises InputError for a file
    of another digest than declared, too large, or changed on the way; StoreFailure when it does not come, and when it
    takes longer than declared: then the part stays for the next try.
    """
    check_size(feed, found.size or 0)
    mark = hashlib.sha256(f"{found.tag} {found.size}".encode()).hexdigest()[:12]
    part = target.with_name(f"{target.name}.{mark}{PART}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in target.parent.glob(f"{glob.escape(target.name)}.*{PART}"):
            if old != part or found.tag is None:
                old.unlink()
        digests, fetched = _Digests(), 0
        with part.open("ab+") as file:
            part.chmod(0o600)
            file.seek(0)
            while chunk := file.read(READ_BYTES):
                digests.add(chunk)
            for chunk in _in_time(feed, store.read(found, digests.size)):
                digests.add(chunk)
                check_size(feed, digests.size)
                file.write(chunk)
                fetched += len(chunk)
                progress(feed.name, digests.size, found.size or digests.size)
            file.flush()
        brought = digests.brought(target, fetched)
        try:
            _check_whole(feed, found, brought)
        except InputError:
            part.unlink()
            raise
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except OSError as fault:
        raise StoreFailure(f"{target} could not be written ({fault.strerror}); make room and run again") from fault
    return brought


def looked_at(feed: Feed, path: Path) -> Brought:
    """Return the digests of a file that is here already. Raises InputError as `bring` does."""
    digests = _Digests()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digests.add(chunk)
            check_size(feed, digests.size)
    brought = digests.brought(path, 0)
    _check_digest(feed, brought)
    return brought


def check_size(feed: Feed, size: int) -> None:
    """Raise InputError for more bytes than a feed may have."""
    if size > feed.largest_mb << 20:
        raise InputError(
            f"source {feed.name} has more than {feed.largest_mb:,} MiB; raise Feed(largest_mb=...) if that is right"
        )


def _check_whole(feed: Feed, found: Object, brought: Brought) -> None:
    if found.size is not None and brought.size != found.size:
        raise InputError(
            f"source {feed.name} has {brought.size:,} bytes, and {found.size:,} were announced; run again, and ask its "
            "owner if that does not help"
        )
    _check_digest(feed, brought)


def _check_digest(feed: Feed, brought: Brought) -> None:
    for name, wanted, got in (("sha256", feed.sha256, brought.sha256), ("md5", feed.md5, brought.md5)):
        if wanted is not None and wanted != got:
            raise InputError(
                f"source {feed.name} has {name} {got}, and {wanted} is declared; nothing was taken in: get the right "
                "file, or declare the new digest"
            )


def _in_time(feed: Feed, pieces: Iterator[bytes]) -> Iterator[bytes]:
    until = time.monotonic() + duration_us(feed.within) / SECOND_US
    for piece in pieces:
        yield piece
        if time.monotonic() > until:
            raise StoreFailure(
                f"source {feed.name} takes longer than {feed.within}; run again, it goes on from there, or raise "
                "Feed(within=...)"
            )

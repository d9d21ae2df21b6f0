"""A folder as a store of files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from weighbridge.errors import InputError, StoreFailure
from weighbridge.ports.objects import Object
from weighbridge.stores.files import replacing

CHUNK_BYTES = 1 << 20
HIDDEN = (".", "_")  # begin the names that a glob passes over


def matches(path: str, pattern: str) -> bool:
    """Return whether a glob means a file: of its folder, of a name like its last part, and not a hidden one."""
    (folder, _, last), (wanted, _, name) = path.rpartition("/"), pattern.rpartition("/")
    return folder == wanted and fnmatchcase(last, name) and not last.startswith(HIDDEN)


class FolderObjects:
    """ObjectStore over the files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def head(self, path: str) -> Object:
        """Return what the file system knows of a file."""
        place = self._place(path)
        try:
            facts = place.stat()
        except OSError as fault:
            raise InputError(f"{place} is not there ({fault.strerror}); check the path") from None
        if not place.is_file():
            raise InputError(f"{place} is no file; give the path of one, or a glob such as {path}/*.csv")
        return Object(path, facts.st_size, f"{facts.st_mtime_ns:x}-{facts.st_size:x}", facts.st_mtime_ns // 1_000)

    def find(self, pattern: str) -> Sequence[Object]:
        """Return the files of one folder whose names match."""
        folder = pattern.rpartition("/")[0]
        place = self._place(folder) if folder else self._folder
        found = sorted(p.name for p in place.iterdir() if p.is_file()) if place.is_dir() else []
        paths = [f"{folder}/{name}" if folder else name for name in found]
        return [self.head(path) for path in paths if matches(path, pattern)]

    def read(self, found: Object, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a file from a place on."""
        if self.head(found.path).tag != found.tag:
            raise InputError(f"{self._place(found.path)} has changed since it was looked at; run again")
        try:
            with self._place(found.path).open("rb") as file:
                file.seek(start)
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as fault:
            raise StoreFailure(f"{self._place(found.path)} could not be read ({fault.strerror})") from None

    def put(self, path: str, content: BinaryIO) -> None:
        """Write a file whole."""
        with replacing(self._place(path)) as file:
            shutil.copyfileobj(content, file, CHUNK_BYTES)

    def _place(self, path: str) -> Path:
        if ".." in Path(path).parts or "\0" in path:
            raise InputError(f"the path {path!r} leads out of its folder; leave .. out")
        return self._folder / path

"""Locks: of one process, and of a folder that processes share."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weighbridge.errors import StoreFailure
from weighbridge.ports.locks import Held


class MemoryLocks:
    """Locks of the threads of one process."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._guard = threading.Lock()

    @contextmanager
    def hold(self, name: str, owner: str) -> Iterator[Held | None]:
        """Hold a lock, or give None."""
        with self._guard:
            free = name not in self._taken
            self._taken.add(name)
        try:
            yield Held() if free else None
        finally:
            if free:
                with self._guard:
                    self._taken.discard(name)


class FolderLocks:
    """Locks of a folder on one machine: the system lets go of the lock of a process that dies.

    A file holds the owner's name while its lock is held; a name in a file that nobody holds is that of one who died.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, name: str, owner: str) -> Iterator[Held | None]:
        """Hold a lock, or give None. Raises StoreFailure where the folder cannot be written."""
        path = self._folder / f"{name}.lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = path.open("a+")
        except OSError as fault:
            raise StoreFailure(f"{path} cannot be written ({fault.strerror}); look at the folder") from fault
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield None
                return
            handle.seek(0)
            left_by = handle.read().strip()
            handle.truncate(0)
            handle.write(owner)
            handle.flush()
            held_by = os.getpid()
            try:
                yield Held(left_by or None)
            finally:
                if os.getpid() == held_by:  # a forked child shares the lock, and may not let go of it
                    handle.truncate(0)
                    fcntl.flock(handle, fcntl.LOCK_UN)  # also while such a child has the file open still

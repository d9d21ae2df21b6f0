"""A store of files that is asked again when it does not answer, and read on from where it broke off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeVar

import stamina

from weighbridge.errors import StoreFailure
from weighbridge.ports.objects import Object, ObjectStore

ATTEMPTS, SECONDS, LONGEST_WAIT_SECONDS = 5, 60.0, 10.0
T = TypeVar("T")


class Patient:
    """ObjectStore that asks another one up to `ATTEMPTS` times in a row, with waits that grow."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def head(self, path: str) -> Object:
        """Return what is known of a file."""
        return _again(lambda: self._store.head(path))

    def find(self, pattern: str) -> Sequence[Object]:
        """Return the files that match."""
        return _again(lambda: self._store.find(pattern))

    def read(self, found: Object, start: int = 0) -> Iterator[bytes]:
        """Yield a file's bytes; where they break off it goes on from there, if the file's tag can vouch for it."""
        at, pieces, failed = start, self._store.read(found, start), 0

        def piece() -> bytes | None:
            nonlocal pieces, failed
            try:
                return next(pieces, None)
            except StoreFailure as fault:
                failed += 1  # since bytes came: empty pieces are no success
                if failed == ATTEMPTS or (at > start and found.tag is None):
                    raise InterruptedError(str(fault)) from None
                pieces = self._store.read(found, at)
                raise

        try:
            while (came := _again(piece)) is not None:
                at, failed = at + len(came), 0 if came else failed
                yield came
        except InterruptedError as fault:
            raise StoreFailure(str(fault)) from None

    def put(self, path: str, content: BinaryIO) -> None:
        """Store a file, once: what was read of it cannot be read again."""
        self._store.put(path, content)


def _again(ask: Callable[[], T]) -> T:
    return stamina.retry(on=StoreFailure, attempts=ATTEMPTS, timeout=SECONDS, wait_max=LONGEST_WAIT_SECONDS)(ask)()

"""The audit in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import astuple

from weighbridge.records import AuditEntry, AuditHead, Change
from weighbridge.stores.chain import GENESIS, audited, first_broken_entry


class MemoryAudit:
    """Audit in memory; the stores that append to one audit are given it when they are made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[AuditEntry] = []
        self._head = AuditHead(0, GENESIS, 0)

    def append(self, changes: Sequence[Change], seq: int = 0) -> None:
        """Append changes; `seq` is where the log ends with them."""
        with self._lock:
            made = audited(self._head.number, self._head.hash, changes)
            self._entries += made
            last = made[-1] if made else self._head
            self._head = AuditHead(last.number, last.hash, max(seq, self._head.seq))

    def head(self) -> AuditHead:
        """Return where the trail and the log end."""
        return self._head

    def entries(self, after: int = 0) -> Iterator[AuditEntry]:
        """Yield the entries with number > after."""
        yield from self._entries[after:]

    def broken_entry(self) -> int | None:
        """Return the number of the first entry that is not as it was written, or is missing."""
        return first_broken_entry([astuple(entry) for entry in self._entries], self._head.number, self._head.hash)

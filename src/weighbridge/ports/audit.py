"""What the platform asks of the audit: one hash-chained trail of all that changes what the system decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from weighbridge.records import AuditEntry, AuditHead


class Audit(Protocol):
    """The trail. Log, registry and keys append to it in the durable write of the change itself."""

    def head(self) -> AuditHead:
        """Return where the trail and the log end, both at one moment."""
        ...

    def entries(self, after: int = 0) -> Iterator[AuditEntry]:
        """Yield the entries with number > after, by number."""
        ...

    def broken_entry(self) -> int | None:
        """Return the number of the first entry that is not as it was written, or is missing; None when all are."""
        ...

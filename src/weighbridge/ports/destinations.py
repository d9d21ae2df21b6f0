"""What the platform asks of whatever takes a stream of events and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Destination(Protocol):
    """Where a stream is published. Found by the scheme of its address among the entry points of the group
    `weighbridge.destinations`, such as "file" of "file:events.jsonl".

    The entry point is a function from the address, the name of the use case and a secret ("" where none is set) to a
    destination. It raises InputError for an address that it cannot use.
    """

    def event(self, actor: str, body: Mapping[str, Any]) -> str | None:
        """Publish an event; those of one actor keep their order. Return what was decided where that is known at once.

        Raises StoreFailure when it cannot be delivered.
        """
        ...

    def label(self, body: Mapping[str, Any]) -> None:
        """Publish a label, in a stream of its own: event_id, label, source. Raises StoreFailure."""
        ...

    def close(self) -> None:
        """Wait until everything is delivered, and let go of what is open. Raises StoreFailure."""
        ...

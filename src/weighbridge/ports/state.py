"""What the platform asks of the state: the retained history of every key, ready for the next vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weighbridge.ports.log import Find
from weighbridge.records import EventRecord, LabelRecord

if TYPE_CHECKING:
    import pyarrow as pa


class StateStore(Protocol):
    """The retained history of every key, ready for the next vector. A function of the log: it can be rebuilt."""

    def vector(self, event: EventRecord) -> bytes:
        """Return the vector of an event as of now, little-endian float32 bytes.

        Raises Rejected when a key has as many retained events as the contract allows.
        """
        ...

    def append(self, event: EventRecord) -> None:
        """Take in an event; events come in the order of arrival."""
        ...

    def retract(self, event: EventRecord) -> None:
        """Take back the newest event, whose commit failed."""
        ...

    def label(self, label: LabelRecord, event: EventRecord | None) -> None:
        """Take in a label record about a stored event, or about one still to come (None)."""
        ...

    @property
    def waiting(self) -> int:
        """How many labels wait for an event that has not come."""
        ...

    def load(self, events: pa.Table, labels: pa.Table, find: Find) -> None:
        """Take in the log's tables, by seq: all of them, or those behind what is in already.

        `find` returns (seq, event) of an id that is stored, for labels about events that are in already.
        """
        ...

"""What the platform asks of whatever keeps what shadows said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from weighbridge.records import ShadowRecord

if TYPE_CHECKING:
    import pyarrow as pa


class Shadows(Protocol):
    """What shadows would have decided. Nothing rests on it: it may be lost, and the oldest is dropped in time."""

    def put(self, rows: Sequence[ShadowRecord]) -> None:
        """Store rows; one about an event and a bundle that is stored already changes nothing."""
        ...

    def about(self, bundle: str, event_ids: Sequence[str]) -> pa.Table:
        """Return what a bundle said about events, in any order: the columns of `table`."""
        ...

    def table(self) -> pa.Table:
        """Return all rows, oldest first: event_id, bundle, probability, action."""
        ...

"""What the platform asks of the store of child rows: segments that never change, each sorted by its owners."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.declare.children import Child

ROWS = "rows"  # the kind of note that tells of a segment: from its place in the log on its rows count


@dataclass(frozen=True)
class Written:
    """A segment that was written: the name it is read by, which follows from its content, and its number of rows.

    `twice`: the rows of the file that were left out, because one behind them has their owner and their unique key.
    """

    name: str
    rows: int
    twice: tuple[int, ...]


class RowStore(Protocol):
    """Segments of child rows. One counts only when the log names it; what it does not name may be removed."""

    def write(self, child: Child, pieces: Iterable[pa.Table]) -> Written:
        """Store rows (`kernel.child_rows.given_schema`) sorted by owner, under a name that their order has no part in.

        Of rows with the same owner and unique key the last is kept. Raises StoreFailure; then nothing is stored.
        """
        ...

    def read(self, name: str) -> pa.Table:
        """Return a segment, at best without reading it into memory. Raises StoreFailure for one that is damaged."""
        ...

    def keep_only(self, names: Collection[str]) -> None:
        """Remove all segments but these."""
        ...

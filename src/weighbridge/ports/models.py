"""What the platform asks of whatever keeps models: registry, bundles, signer, tracker; and of named tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from weighbridge.records import Alias, Move

if TYPE_CHECKING:
    import pyarrow as pa


class TableStore(Protocol):
    """Named tables, replaced whole and atomically."""

    def put(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Store a table, or one that comes in batches, under a name; readers see the old one or the new one."""
        ...

    def get(self, name: str) -> pa.Table | None:
        """Return a table, or None."""
        ...


class Registry(Protocol):
    """Bundles, the aliases that point at them, and the whole history of both."""

    def add(self, bundle: str, facts: Mapping[str, Any], added_us: int) -> None:
        """Register a bundle; registering it again changes nothing."""
        ...

    def bundles(self) -> Sequence[tuple[str, int, Mapping[str, Any]]]:
        """Return (bundle, added_us, facts), oldest first."""
        ...

    def alias(self, name: str) -> str | None:
        """Return the bundle an alias points at, or None."""
        ...

    def aliases(self) -> Mapping[str, Alias]:
        """Return what every alias points at, as of one moment; one that points at nothing is left out."""
        ...

    def move(self, *moves: Move) -> None:
        """Move aliases and note it in the log, all in one durable write, if each points at what its move has seen.

        Raises Conflict when somebody else has moved one, InputError for an unknown bundle; then nothing has changed.
        """
        ...

    def moves(self) -> Sequence[Move]:
        """Return every move, oldest first."""
        ...


class BundleStore(Protocol):
    """Immutable bundles by content address."""

    def put(self, bundle: str, files: Mapping[str, bytes]) -> None:
        """Store a bundle's files, all or nothing; storing it again changes nothing."""
        ...

    def files(self, bundle: str, at_most: int | None = None) -> dict[str, bytes]:
        """Return a bundle's files by name.

        Raises BundleRefused when it is not there, or before anything is read when it has more than `at_most` bytes.
        """
        ...


class Verifier(Protocol):
    """Checks signatures."""

    def holds(self, content: bytes, signature: bytes, key_id: str) -> bool:
        """Whether a trusted key of this id made the signature."""
        ...


class Signer(Verifier, Protocol):
    """Signs what this home makes and checks what it is given."""

    @property
    def key_id(self) -> str:
        """The id of the key that signs."""
        ...

    @property
    def public(self) -> bytes:
        """The public half of the key that signs, which tells whoever is given it what this home made."""
        ...

    def sign(self, content: bytes) -> bytes:
        """Return the signature of content."""
        ...


class Tracker(Protocol):
    """Runs of the loop: what was tried, with which figures."""

    def record(self, run: str, verb: str, started_us: int, facts: Mapping[str, Any]) -> None:
        """Store a finished run. Raises Conflict when there is a run of this id already, which stays as it is."""
        ...

    def runs(self, verb: str | None = None) -> Sequence[tuple[str, str, int, Mapping[str, Any]]]:
        """Return (run, verb, started_us, facts), oldest first."""
        ...

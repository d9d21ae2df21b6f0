"""The ports: what the platform asks of a log, a state, a table store, a registry, a tracker and a learner.

Every engine behind a port passes the contract suite of that port in `weighbridge.testing.contracts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from weighbridge.identity import Pseudonyms
from weighbridge.records import Decided, DecisionRecord, Edits, EventRecord, Head, LabelRecord, ListEdit, Move

if TYPE_CHECKING:
    import pyarrow as pa

LAST = 2**63 - 1  # beyond every seq
Find = Callable[[str], tuple[int, EventRecord] | None]


class EventLog(Protocol):
    """The append-only log with both clocks. `seq` rises by arrival; `arrived_us` never falls with it."""

    def head(self) -> Head:
        """Return where the log ends."""
        ...

    def find(self, event_id: str) -> tuple[int, EventRecord] | None:
        """Return (seq, event) of an id, or None."""
        ...

    def holds(self, event_id: str) -> bool:
        """Return whether the log has an event of this id."""
        ...

    def commit(self, group: Sequence[Decided], labels: Sequence[LabelRecord] = (), edits: Edits = ()) -> list[int]:
        """Append events with their decisions, then labels, then edits of lists, in one durable write; return the seqs.

        Raises Conflict when an id is stored already or stands twice in the group, StoreFailure when the write failed;
        then nothing of the group is stored.
        """
        ...

    def import_history(self, events: pa.Table, labels: pa.Table) -> None:
        """Append history whose `seq` is assigned already, sorted by it, all of it or nothing.

        events: seq, event_id, event_us, arrived_us, payload. labels: seq, event_id, value, arrived_us, source.
        """
        ...

    def known(self, event_ids: pa.Array) -> pa.Array:
        """Return which ids the log holds, a boolean array."""
        ...

    def events(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the events with after < seq <= until, by seq: seq, event_id, event_us, arrived_us, payload."""
        ...

    def labels(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the label records with after < seq <= until, by seq: seq, event_id, value, arrived_us, source."""
        ...

    def edits(self) -> Sequence[tuple[int, ListEdit]]:
        """Return (seq, edit) of all edits of lists, by seq; none is ever forgotten."""
        ...

    def note(self, kind: str, body: Mapping[str, Any], arrived_us: int) -> int:
        """Append a record of another kind, such as a promotion; return its seq."""
        ...

    def notes(self, kind: str) -> Sequence[tuple[int, int, Mapping[str, Any]]]:
        """Return (seq, arrived_us, body) of all records of a kind, by seq."""
        ...

    def seal(self, keep_hot: int) -> int:
        """Move events, labels and decisions but the newest `keep_hot` records to where the engine keeps what is cold.

        Returns how many events and labels moved. No reader sees a difference. Raises StoreFailure; then nothing is
        lost and nothing is there twice.
        """
        ...

    def forget(self, before_us: int) -> int:
        """Drop events that arrived before a time, with their decisions, labels and ids; return how many events.

        An engine may keep some of them, never drop others; the newest it drops are a beginning of the log. A label
        that waits for its event stays.
        """
        ...

    def forgotten_us(self) -> int | None:
        """Return the arrival of the newest event that was forgotten, microseconds UTC; None while the log is whole."""
        ...


class DecisionLog(Protocol):
    """The decisions of an event log, append-only and hash-chained."""

    def decision(self, event_id: str) -> DecisionRecord | None:
        """Return the decision about an event, or None."""
        ...

    def decisions(self) -> pa.Table:
        """Return all decisions by seq: seq, then the fields of DecisionRecord (degraded as JSON), then `hash`."""
        ...

    def broken_link(self) -> int | None:
        """Return the seq of the first decision whose hash does not follow from its content and its predecessor."""
        ...


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

    def move(self, move: Move) -> None:
        """Point an alias at a bundle if it still points at `move.before`.

        Raises Conflict when somebody else has moved it, InputError for an unknown bundle.
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

    def files(self, bundle: str) -> dict[str, bytes]:
        """Return a bundle's files by name. Raises BundleRefused when it is not there."""
        ...


class Signer(Protocol):
    """Signs what this home makes and checks what it is given."""

    @property
    def key_id(self) -> str:
        """The id of the key that signs."""
        ...

    def sign(self, content: bytes) -> bytes:
        """Return the signature of content."""
        ...

    def holds(self, content: bytes, signature: bytes, key_id: str) -> bool:
        """Whether a trusted key of this id made the signature."""
        ...


class Tracker(Protocol):
    """Runs of the loop: what was tried, with which figures."""

    def record(self, run: str, verb: str, started_us: int, facts: Mapping[str, Any]) -> None:
        """Store a finished run."""
        ...

    def runs(self, verb: str | None = None) -> Sequence[tuple[str, str, int, Mapping[str, Any]]]:
        """Return (run, verb, started_us, facts), oldest first."""
        ...


class Log(EventLog, DecisionLog, Protocol):
    """One log of events, labels, notes and decisions."""


@dataclass(frozen=True)
class Budget:
    """What long work may take of this machine: memory beyond its input, cores, and a folder for what does not fit.

    `folder` None is the system's folder for temporary files.
    """

    memory_bytes: int = 2 << 30
    cores: int = 1
    folder: Path | None = None


@dataclass(frozen=True)
class Stores:
    """Everything that runs is a function of (use case, stores, clock): these are the stores.

    `reports` is the folder for what people read; `pseudonyms` replaces personal values; `budget` bounds long work.
    """

    log: Log
    tables: TableStore
    registry: Registry
    tracker: Tracker
    bundles: BundleStore
    signer: Signer
    pseudonyms: Pseudonyms
    reports: Path
    budget: Budget = Budget()

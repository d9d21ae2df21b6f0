"""What the platform asks of the one log: events, labels, edits, notes, and the decisions about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from weighbridge.records import UNNAMED, Decided, DecisionRecord, EventRecord, Follower, Head, ListEdit

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

    def commit(self, group: Sequence[Decided], followers: Sequence[Follower] = ()) -> list[int]:
        """Append events with their decisions, then what follows them, in one durable write; return the seqs.

        Raises Conflict when an id is stored already or stands twice in the group, StoreFailure when the write failed;
        then nothing of the group is stored.
        """
        ...

    def append(self, group: Sequence[Decided], followers: Sequence[Follower] = ()) -> list[int]:
        """Do what `commit` does, but leave it to `sync` to make it durable; nothing waits for a device."""
        ...

    def sync(self) -> None:
        """Make durable what was appended. Raises StoreFailure; what was appended may then be stored or not."""
        ...

    @property
    def waits(self) -> bool:
        """Whether `sync` has anything to wait for."""
        ...

    def import_history(self, events: pa.Table, labels: pa.Table, by: str = UNNAMED, at_us: int | None = None) -> None:
        """Append history whose `seq` is assigned already, sorted by it, all of it or nothing.

        events: seq, event_id, event_us, arrived_us, payload. labels: seq, event_id, value, arrived_us, source. `by` and
        `at_us` are for the audit: who, and when; None is the latest arrival.
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

    def notes(self, kind: str) -> Sequence[tuple[int, int, Mapping[str, Any]]]:
        """Return (seq, arrived_us, body) of all records of a kind, by seq."""
        ...

    def note_kinds(self) -> Sequence[str]:
        """Return the kinds of which there are records, each once."""
        ...

    def seal(self, keep_hot: int, at_us: int | None = None) -> int:
        """Move events, labels and decisions but the newest `keep_hot` records to where the engine keeps what is cold.

        `at_us` is for the audit. Returns how many events and labels moved. No reader sees a difference. Raises
        StoreFailure; then nothing is lost and nothing is there twice.
        """
        ...

    def forget(self, before_us: int, at_us: int | None = None) -> int:
        """Drop events that arrived before a time, with their decisions, labels and ids; return how many events.

        An engine may keep some of them, never drop others; the newest it drops are a beginning of the log. A label
        that waits for its event stays. `at_us` is for the audit.
        """
        ...

    def forgotten_us(self) -> int | None:
        """Return the arrival of the newest event that was forgotten, microseconds UTC; None while the log is whole."""
        ...

    def segments(self) -> Sequence[Sequence[Any]]:
        """Return what names each cold part and its content, none where an engine keeps nothing cold.

        Raises StoreFailure for a part that is missing or was changed.
        """
        ...


class DecisionLog(Protocol):
    """The decisions of an event log, append-only and hash-chained."""

    def decision(self, event_id: str) -> DecisionRecord | None:
        """Return the decision about an event, or None."""
        ...

    def decision_called(self, decision_id: str) -> DecisionRecord | None:
        """Return the decision of an id, or None."""
        ...

    def decisions(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the decisions with after < seq <= until, by seq.

        Columns: seq, the fields of DecisionRecord (rules, degraded and reasons as JSON), `hash`.
        """
        ...

    def broken_link(self) -> int | None:
        """Return the seq of the first decision whose hash does not follow from its content and its predecessor."""
        ...

    def forgotten_chain(self) -> str:
        """Return the hash that the first decision which is not forgotten follows."""
        ...


class Log(EventLog, DecisionLog, Protocol):
    """One log of events, labels, notes and decisions."""

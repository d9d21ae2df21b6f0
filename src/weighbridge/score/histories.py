"""The state behind a desk: there and in step with the log, or away and being made anew from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weighbridge.errors import StoreFailure
from weighbridge.ports import Log, StateStore
from weighbridge.records import EventRecord, LabelRecord
from weighbridge.score.promise import Promise
from weighbridge.score.turns import Turns

Rebuild = Callable[[], tuple[StateStore, int]]  # a new state, and the last seq that is in it
RETRY_SECONDS = 1.0
RESTORED = "restored"  # the kind of note that tells from which place on decisions see histories again


class Histories:
    """A state that may fail. From its first failure on it is away: what the log has gone on with is not in it.

    `rebuild` makes a new one; without it a failure is the caller's. `lost` is called once for each loss.
    """

    def __init__(self, state: StateStore, log: Log, rebuild: Rebuild | None, lost: Callable[[], None]) -> None:
        self.state: StateStore | None = state
        self._log, self._rebuild, self._lost = log, rebuild, lost
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many labels wait for an event that has not come."""
        return self.state.waiting if self.state else 0

    def vector(self, event: EventRecord) -> bytes | None:
        """Return the vector of an event, None when the histories are away."""
        try:
            return self.state.vector(event) if self.state else None
        except StoreFailure as fault:
            self._lose(fault)
            return None

    def append(self, event: EventRecord) -> None:
        """Take in an event."""
        try:
            if self.state:
                self.state.append(event)
        except StoreFailure as fault:
            self._lose(fault)

    def retract(self, event: EventRecord) -> None:
        """Take back the newest event."""
        if self.state:
            self.state.retract(event)

    def label(self, label: LabelRecord, event: EventRecord | None) -> None:
        """Take in a label."""
        try:
            if self.state:
                self.state.label(label, event)
        except StoreFailure as fault:
            self._lose(fault)

    def come_back(self, turns: Turns, note: Callable[[Mapping[str, Any], Callable[[], None]], Promise]) -> None:
        """Have a new state made beside, as often as that must be tried, and go on with it at the place of a note."""
        made: list[tuple[StateStore, int]] = []

        def begin() -> None:
            if self._rebuild is not None and not self._closed:
                rebuild = self._rebuild
                turns.long(lambda: made.append(rebuild()), lambda fault: later(begin) if fault else go_on())

        def go_on() -> None:
            if not self._closed:
                told = note({"after": made[0][1]}, lambda: self.restore(*made[0]))
                told.add_done_callback(lambda n: later(go_on) if n.exception() else None)

        def later(do: Callable[[], None]) -> None:
            turns.later(RETRY_SECONDS, do)

        begin()

    def restore(self, fresh: StateStore, after: int) -> None:
        """Go on with a new state, once it has what the log took in behind the last seq in it.

        Nothing may be on its way to the log.
        """
        try:
            fresh.load(self._log.events(after), self._log.labels(after), self._log.find)
            self.state = fresh
        except StoreFailure:
            self._lost()

    def close(self) -> None:
        """Try no more."""
        self._closed = True

    def _lose(self, fault: StoreFailure) -> None:
        if self._rebuild is None:
            raise fault
        self.state = None
        self._lost()

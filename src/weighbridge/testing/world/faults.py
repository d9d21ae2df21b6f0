"""Devices that fail when they are told to: a log whose writes or syncs fail, a state that is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weighbridge.errors import StoreFailure
from weighbridge.ports import Log
from weighbridge.records import Decided, EventRecord, Follower, LabelRecord


class FaultyLog:
    """A log in front of a real one.

    `failing` is how many of the next writes store nothing and say so. `lost_at` is where the next crash is: "before"
    the group is stored, or "after" it; then nobody learns which, and nothing more is stored.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.failing, self.lost_at, self.dead = 0, "", False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a log has
        return getattr(self._log, name)

    @property
    def waits(self) -> bool:
        """Whether `sync` has anything to wait for: here always, so that there is a turn in between."""
        return True

    def append(self, group: Sequence[Decided], followers: Sequence[Follower] = ()) -> list[int]:
        """Append, or fail."""
        if self.dead:
            raise StoreFailure("the simulated process is dead")
        if self.failing:
            self.failing -= 1
            raise StoreFailure("a simulated write failed")
        if self.lost_at == "before":
            self.dead = True
            return [0] * (len(group) + len(followers))
        seqs = self._log.append(group, followers)
        self.dead = self.lost_at == "after"
        return seqs

    def commit(self, group: Sequence[Decided], followers: Sequence[Follower] = ()) -> list[int]:
        """Append and sync."""
        seqs = self.append(group, followers)
        self.sync()
        return seqs

    def sync(self) -> None:
        """Sync, or learn nothing of what became of the last write."""
        if self.dead:
            raise StoreFailure("the simulated process died")
        self._log.sync()


class AwayState:
    """A state that cannot be reached."""

    waiting = 0

    def vector(self, event: EventRecord) -> bytes:
        """Raise StoreFailure."""
        raise StoreFailure("the simulated state is away")

    def append(self, event: EventRecord) -> None:
        """Raise StoreFailure."""
        raise StoreFailure("the simulated state is away")

    def retract(self, event: EventRecord) -> None:
        """Raise StoreFailure."""
        raise StoreFailure("the simulated state is away")

    def label(self, label: LabelRecord, event: EventRecord | None) -> None:
        """Raise StoreFailure."""
        raise StoreFailure("the simulated state is away")

    def load(self, events: object, labels: object, find: object) -> None:
        """Raise StoreFailure."""
        raise StoreFailure("the simulated state is away")

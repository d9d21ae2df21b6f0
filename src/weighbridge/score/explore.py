"""Lets a share of would-be declines through, within what a day may spend; the same decisions whenever it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import DAY_US
from weighbridge.declare.actions import DECLINE
from weighbridge.declare.case import UseCase
from weighbridge.ports import Log
from weighbridge.records import Stored
from weighbridge.score.draw import AT_ONCE, Draw


class Spend(NamedTuple):
    """One event that was let through: its place in the log, its arrival in microseconds UTC, its amount as stored."""

    seq: int
    arrived_us: int
    amount: int


class Explorer:
    """What a policy's `Explore` says, and what was spent on which day. Days are asked for in the order of arrival.

    `of` is what it counts by; `draw` may change with the place in the log.
    """

    def __init__(self, case: UseCase, draw: Draw) -> None:
        explore, amount = case.policy.explore, case.policy.costs.amount
        assert explore is not None
        names = [field.name for field in case.events.payload]
        self._place = None if amount is None else names.index(amount)
        self.amount, self.of, self.draw = amount, (explore, amount), draw
        scale = 1 if amount is None else case.events.field(amount, "Costs").scale
        self._most = round(explore.spend_per_day * scale)
        self._largest = self._most if explore.largest is None else min(self._most, round(explore.largest * scale))
        self._share, self._seed = explore.share, explore.seed
        self._spent: dict[int, int] = {}  # by day

    def amount_of(self, values: Sequence[Stored]) -> int | None:
        """Return what letting an event through spends, None where that is not known."""
        if self._place is None:
            return 1
        amount = values[self._place]
        return None if amount is None else abs(int(amount))

    def propensity(self, values: Sequence[Stored], arrived_us: int) -> float:
        """Return the chance with which a would-be decline is let through: the share, or 0 where the day has no room."""
        amount = self.amount_of(values)
        if amount is None or amount > self._largest:
            return 0.0
        return self._share if self._spent.get(arrived_us // DAY_US, 0) + amount <= self._most else 0.0

    def drawn(self, event_id: str) -> bool:
        """Return whether chance lets an event through."""
        return self.draw.falls_on(event_id, self._share, self._seed)

    def spend(self, amount: int, arrived_us: int) -> None:
        """Take in that so much was let through, or, below 0, that it was not after all."""
        day = arrived_us // DAY_US
        if len(self._spent) > 1 and day not in self._spent:
            del self._spent[min(self._spent)]
        self._spent[day] = self._spent.get(day, 0) + amount

    def take(self, spends: Iterable[Spend]) -> None:
        """Take in what was let through before."""
        for spent in spends:
            self.spend(spent.amount, spent.arrived_us)


class Recorded:
    """What the log says was let through, for an explorer to take in place by place."""

    def __init__(self, log: Log, explorer: Explorer | None) -> None:
        self._explorer = explorer
        self._rest = spends(log, explorer.amount, 0, log.head().seq) if explorer else iter(())
        self._next = next(self._rest, None)

    def reach(self, seq: int) -> None:
        """Have the explorer know what was let through before a place."""
        while self._next is not None and self._next.seq < seq:
            assert self._explorer is not None
            self._explorer.spend(self._next.amount, self._next.arrived_us)
            self._next = next(self._rest, None)


def spends(log: Log, amount: str | None, after: int, until: int) -> Iterator[Spend]:
    """Yield what was let through at places after < seq <= until of the log, by seq."""
    for first in range(after, until, AT_ONCE):
        decisions = log.decisions(first, min(first + AT_ONCE, until))
        chosen = decisions.filter(
            pc.and_(decisions["propensity"].is_valid(), pc.not_equal(decisions["action"], DECLINE))
        )
        if len(chosen):
            yield from _spends(log, amount, chosen)


def _spends(log: Log, amount: str | None, chosen: pa.Table) -> Iterator[Spend]:
    first, last = chosen["seq"][0].as_py(), chosen["seq"][-1].as_py()
    events = log.events(first - 1, last)
    rows = pc.index_in(chosen["seq"], value_set=events["seq"].combine_chunks())
    events = events.take(rows.drop_null())
    amounts = [1] * len(events) if amount is None else events[amount].to_pylist()
    for seq, arrived_us, each in zip(events["seq"].to_pylist(), events["arrived_us"].to_pylist(), amounts, strict=True):
        yield Spend(seq, arrived_us, abs(each or 0))  # it may be optional, and missing


def spent_today(log: Log, amount: str | None, before: int) -> Iterator[Spend]:
    """Yield what was let through before a place of the log on the day of the newest decision there."""
    today: int | None = None
    for until in range(before - 1, 0, -AT_ONCE):
        after = max(until - AT_ONCE, 0)
        arrived = log.events(after, until)["arrived_us"]
        if not len(arrived):
            continue
        today = arrived[-1].as_py() // DAY_US if today is None else today
        yield from (spent for spent in spends(log, amount, after, until) if spent.arrived_us // DAY_US == today)
        if arrived[0].as_py() // DAY_US < today:
            return

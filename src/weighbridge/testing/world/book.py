"""What callers were told in a simulated day, held against what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import DAY_US
from weighbridge.declare.actions import DECLINE
from weighbridge.declare.case import UseCase
from weighbridge.errors import Conflict, Overloaded, Rejected, StoreFailure
from weighbridge.ports import Log
from weighbridge.records import DecisionRecord, Head
from weighbridge.score.answer import Answer
from weighbridge.stores.tables import decision_of

Body = Mapping[str, Any]


class Broken(Exception):
    """An invariant that does not hold."""


@dataclass(frozen=True)
class Told:
    """An outcome of what was sent. `beside`: what was on its way under the same id; `died`: nobody was told."""

    body: Body
    outcome: object
    beside: Sequence[Body] = ()
    died: bool = False


@dataclass
class Book:
    """Keeps what was acknowledged, and what may be stored or not since a process died before it said so.

    `since` is where the log ended before the day began.
    """

    log: Log
    case: UseCase
    since: int
    answered: dict[str, tuple[Body | None, DecisionRecord]] = field(default_factory=dict)
    unsure: dict[str, list[Body]] = field(default_factory=dict)
    labels: list[tuple[str, int]] = field(default_factory=list)
    unsure_labels: Counter[tuple[str, int]] = field(default_factory=Counter)
    head: Head = Head(0, 0, 0)

    def event(self, event_id: str, told: Told) -> None:
        """Take in what came of an event. Raises Broken."""
        outcome, known = told.outcome, self.answered.get(event_id)
        if told.died:
            if known is None:
                self.unsure.setdefault(event_id, []).append(told.body)
        elif isinstance(outcome, Answer):
            self._answer(event_id, told.body, outcome)
        elif isinstance(outcome, Conflict):
            others = [*told.beside, *self.unsure.get(event_id, ()), *([known[0]] if known else [])]
            check(any(other is None or other != told.body for other in others), f"{event_id} conflicts with nothing")
        else:
            expected = isinstance(outcome, Rejected | StoreFailure | Overloaded)
            check(expected, f"{event_id} came to {outcome!r}")
            if isinstance(outcome, Rejected):
                check(known is None or known[0] != told.body, f"{event_id} was answered, and is refused: {outcome}")
            stored = known is not None or event_id in self.unsure or told.beside
            check(bool(stored) or not self.log.holds(event_id), f"{event_id} was refused ({outcome}), and is stored")

    def _answer(self, event_id: str, body: Body, answer: Answer) -> None:
        decision, known = answer.decision, self.answered.get(event_id)
        check(decision.event_id == event_id, f"{event_id} was answered about {decision.event_id}")
        check(self.log.decision(event_id) == decision, f"{event_id} was answered otherwise than it is stored")
        if known is None:
            check(not answer.repeated or event_id in self.unsure, f"{event_id} is repeated, and was never answered")
            self.answered[event_id] = body, decision
            self.unsure.pop(event_id, None)
        else:
            check(known[1] == decision and answer.repeated, f"{event_id} was answered twice, differently")
            check(known[0] in (None, body), f"{event_id} with other content was answered")

    def label(self, event_id: str, told: Told) -> None:
        """Take in what came of a label. Raises Broken."""
        said = event_id, int(told.body["label"])
        if told.died:
            self.unsure_labels[said] += 1
        elif isinstance(told.outcome, bool):
            self.labels.append(said)
            check(not told.outcome or self.log.holds(event_id), f"a label's event {event_id} is known, and not there")
        else:
            check(isinstance(told.outcome, StoreFailure | Overloaded), f"a label came to {told.outcome!r}")

    def step(self) -> None:
        """Look at the end of the log. Raises Broken where an order runs back."""
        head, before = self.log.head(), self.head
        check(head.seq >= before.seq and head.arrived_us >= before.arrived_us, f"{head} comes after {before}")
        self.head = head

    def whole(self) -> None:
        """Look at all that is stored. Raises Broken where it is not what was acknowledged, and what may be beside."""
        events, labels = self.log.events(self.since), self.log.labels(self.since)
        stored = events["event_id"].to_pylist()
        for event_id in [i for i in self.unsure if self.log.holds(i)]:
            bodies, decision = self.unsure.pop(event_id), self.log.decision(event_id)
            check(decision is not None, f"{event_id} is stored without its decision")
            if decision is not None:
                self.answered[event_id] = bodies[0] if len(bodies) == 1 else None, decision
        self.unsure.clear()
        check(len(set(stored)) == len(stored), "an event is stored twice")
        decisions = self.log.decisions(self.since)
        check(decisions["event_id"].to_pylist() == stored, "events and decisions about them are not the same")
        check(set(stored) == set(self.answered), f"acknowledged and stored differ: {_some(set(stored), self.answered)}")
        for row in decisions.to_pylist():
            event_id, decision = row["event_id"], decision_of(row)
            check(self.answered[event_id][1] == decision, f"the decision about {event_id} has changed")
        self._labels(labels)
        self._within_cap(events)
        for table in (events, labels):
            check(_rises(table), "the order of arrival runs back")

    def _within_cap(self, events: pa.Table) -> None:
        """A would-be decline had its chance where what is stored before it left room that day, and none else.

        So no day lets more through than it may spend, and what failed to be stored spends nothing. No degraded answer
        is let through by chance.
        """
        explore, amount = self.case.policy.explore, self.case.policy.costs.amount
        if explore is None:
            return
        scale = 1 if amount is None else self.case.events.field(amount, "Costs").scale
        most = round(explore.spend_per_day * scale)
        largest = most if explore.largest is None else min(most, round(explore.largest * scale))
        spent = Counter[int]()
        for event, decision in zip(events.to_pylist(), self.log.decisions(self.since).to_pylist(), strict=True):
            if decision["propensity"] is None:
                continue
            name, day = event["event_id"], event["arrived_us"] // DAY_US
            check(decision["degraded"] == "[]", f"{name} was explored, and its answer is degraded")
            known = amount is None or event[amount] is not None
            spends = 1 if amount is None else abs(event[amount] or 0)
            room = known and spends <= largest and spent[day] + spends <= most
            told = f"{spent[day] / scale:g} of {most / scale:g} were spent, {name} is {spends / scale:g}"
            check(
                decision["propensity"] == (explore.share if room else 0.0), f"chance {decision['propensity']}: {told}"
            )
            check(room or decision["action"] == DECLINE, f"let through beyond the cap: {told}")
            spent[day] += spends if decision["action"] != DECLINE else 0

    def _labels(self, labels: pa.Table) -> None:
        """Every acknowledged label is there, in its order; what is there beside may be."""
        place, beside = 0, Counter[tuple[str, int]]()
        for said in zip(labels["event_id"].to_pylist(), labels["value"].to_pylist(), strict=True):
            if place < len(self.labels) and said == self.labels[place]:
                place += 1
            else:
                beside[said] += 1
        check(place == len(self.labels), f"an acknowledged label is lost: {self.labels[place : place + 1]}")
        check(beside <= self.unsure_labels, f"labels are stored that nobody sent: {beside - self.unsure_labels}")
        self.labels = list(zip(labels["event_id"].to_pylist(), labels["value"].to_pylist(), strict=True))
        self.unsure_labels.clear()


def check(holds: bool, otherwise: str) -> None:
    """Raise Broken with a sentence unless something holds."""
    if not holds:
        raise Broken(otherwise)


def _some(stored: set[str], answered: Mapping[str, object]) -> str:
    lost, more = sorted(answered.keys() - stored), sorted(stored - answered.keys())
    return f"{len(lost)} lost {lost[:3]}, {len(more)} too many {more[:3]}"


def _rises(table: pa.Table) -> bool:
    seq, arrived = table["seq"].to_numpy(), table["arrived_us"].to_numpy()
    return (
        bool((seq[1:] > seq[:-1]).all() and (arrived[1:] >= arrived[:-1]).all())
        and not pc.any(pc.is_null(table["seq"])).as_py()
    )

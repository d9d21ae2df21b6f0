"""What goes into the log at once: events that were scored, and what follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weighbridge.ports import Log
from weighbridge.score.answer import Answer, Scored
from weighbridge.score.followers import Taken
from weighbridge.score.promise import Promise, deliver


@dataclass(frozen=True)
class Group:
    """Scored events in the order of arrival, and the followers behind them."""

    scored: Sequence[Scored]
    followers: Sequence[Taken]

    @property
    def promised(self) -> list[Promise]:
        """The futures of all who wait for it."""
        return [*(f for scored in self.scored for f in scored.waiting), *(taken.future for taken in self.followers)]

    def append_to(self, log: Log) -> None:
        """Append it to the log."""
        log.append([(s.event, s.decision) for s in self.scored], [taken.record for taken in self.followers])

    def deliver(self, outcomes: Sequence[bool], fault: BaseException | None) -> None:
        """Answer all who wait for it, or tell them the fault. outcomes: of the followers."""
        for scored in self.scored:
            for place, future in enumerate(scored.waiting):
                deliver(future, Answer(scored.decision, repeated=place > 0), fault)
        for taken, outcome in zip(self.followers, outcomes, strict=True):
            deliver(taken.future, outcome, fault)

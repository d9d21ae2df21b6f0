"""What decides when something is missing: state, model or time."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.clock import duration_us
from weighbridge.declare.actions import ACTIONS
from weighbridge.declare.fields import refuse

MISSING_STATE, MISSING_MODEL, MISSING_TIME = "state", "model", "deadline"
MISSING_CANARY = "canary"  # it could not score, or not in time, and the champion decided instead
EVENT_ONLY, RULES, OTHERWISE, TEST = "event_only", "rules", "otherwise", "test"  # routes of degraded answers


@dataclass(frozen=True)
class Fallback:
    """How an answer is found when the whole model cannot give it; every such answer says so.

    Without the histories of its keys, an event meets the bundle's event-only model, if `event_only` is set. Without any
    model, or once it has waited and been worked on for longer than `deadline`, the rules decide. Where no rule that
    holds has an action, the outcome is `otherwise`, or what an `at_least` asks for if that is harder. What a canary
    cannot score, or takes longer for than `deadline`, the champion decides.
    """

    deadline: str = "1s"
    event_only: bool = True
    otherwise: str = "review"

    def __post_init__(self) -> None:
        if self.otherwise not in ACTIONS:
            raise refuse("Fallback", f"otherwise={self.otherwise!r} is no action", f"use one of {ACTIONS}")
        try:
            positive = self.deadline_us > 0
        except ValueError as fault:
            raise refuse("Fallback", f"deadline: {fault}", "write it as '100ms'") from None
        if not positive:
            raise refuse("Fallback", "deadline is 0", "give the answer some time")

    @property
    def deadline_us(self) -> int:
        """The deadline in microseconds."""
        return duration_us(self.deadline)

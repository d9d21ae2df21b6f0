"""When a model is trained again without being asked."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import check_duration, refuse

SEVERITIES = ("moderate", "severe", "critical")
NEVER = "never"


@dataclass(frozen=True)
class Retrain:
    """What asks for a retrain, and how often one may be.

    `every`: the schedule, counted from the last retrain. `severity`: drift from which on `watch` asks for it, as it
    does for a loss of recall; "never" leaves both out. `matured`: so many positive labels settled since production was
    trained; None leaves it out. Triggers within `cooldown` of the last retrain are passed over; a retrain that somebody
    asks for by hand is not, but it also never runs beside another one.
    """

    every: str | None = "7d"
    severity: str = "severe"
    matured: int | None = None
    cooldown: str = "24h"

    def __post_init__(self) -> None:
        for option in ("every", "cooldown"):
            text = getattr(self, option)
            if text is not None:
                check_duration("Retrain", option, text)
        if self.severity not in (*SEVERITIES, NEVER):
            raise refuse("Retrain", f"severity={self.severity!r} is unknown", f"use one of {(*SEVERITIES, NEVER)}")
        if self.matured is not None and self.matured < 1:
            raise refuse("Retrain", f"matured={self.matured} counts no label", "give 1 or more, or leave it out")

    @property
    def cooldown_us(self) -> int:
        """How long after the beginning of a retrain its successor may begin, microseconds."""
        return check_duration("Retrain", "cooldown", self.cooldown)

    @property
    def every_us(self) -> int | None:
        """The time between two scheduled retrains, microseconds; None without a schedule."""
        return None if self.every is None else check_duration("Retrain", "every", self.every)

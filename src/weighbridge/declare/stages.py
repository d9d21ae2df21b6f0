"""The stages of the loop as data: what runs after what, and when."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import refuse

VERBS = ("simulate", "ingest", "build", "train", "gate", "promote", "rollout", "watch")


@dataclass(frozen=True)
class Stage:
    """One verb of the loop, the stages it needs first, and its schedule (cron, UTC; None: on demand).

    `rollout` in place of `promote` takes the newest bundle into production step by step.
    """

    verb: str
    after: tuple[str, ...] = ()
    schedule: str | None = None

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise refuse(f"stage {self.verb}", "this verb is unknown", f"use one of {VERBS}")


def standard_stages(
    *, data: str = "0 2 * * *", training: str = "0 3 * * 0", watch: str = "0 * * * *"
) -> tuple[Stage, ...]:
    """Return data daily at 02:00, training on Sunday at 03:00, watch every hour."""
    return (
        Stage("simulate", schedule=data),
        Stage("ingest", ("simulate",), data),
        Stage("build", ("ingest",), training),
        Stage("train", ("build",), training),
        Stage("gate", ("train",), training),
        Stage("promote", ("gate",), training),
        Stage("watch", ("promote",), watch),
    )

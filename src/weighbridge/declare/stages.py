"""The stages of the loop as data: what runs after what, when, on which files, and how often it is tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from weighbridge.declare.fields import check_duration, refuse

VERBS = (
    "simulate", "ingest", "freshness", "build", "validate", "train", "gate", "promote", "rollout", "watch", "retrain",
)  # fmt: skip
ON_DEMAND = ("simulate", "retrain")  # run when they are named, and by a schedule, never by a plain `weigh run`
CRON = re.compile(r"(\S+ ){4}\S+")
CRON_PART = re.compile(r"(\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?")
CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))  # minute, hour, day, month, weekday from Sunday
EVENTS, LABELS = "data/raw/{case}_events.parquet", "data/raw/{case}_labels.parquet"


@dataclass(frozen=True)
class Stage:
    """One verb of the loop and the stages it needs first.

    Stages of one `pipeline` share its `schedule` (cron, UTC; None: on demand). `reads` and `writes` are files of the
    project besides the home, `{case}` standing for the use case's name; `ingest` reads events and labels.
    A scheduler tries a stage that failed `retries` more times, ends it after `timeout`, and waits for somebody's
    approval first where `approve` says so. `rollout` in place of `promote` takes the newest bundle into production step
    by step; `retrain` does something only when the use case's `Retrain` asks for it; `freshness` fails when a declared
    source, or the log, is older than its `fresh`.
    """

    verb: str
    after: Sequence[str] = ()
    schedule: str | None = None
    pipeline: str = "loop"
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    retries: int = 0
    timeout: str = "2h"
    approve: bool = False

    def __post_init__(self) -> None:
        place = f"stage {self.verb}"
        if self.verb not in VERBS:
            raise refuse(place, "this verb is unknown", f"use one of {VERBS}")
        for name in ("after", "reads", "writes"):
            if isinstance(getattr(self, name), str):
                raise refuse(place, f"{name}= is one text", "give a list")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.schedule is not None and not _is_cron(self.schedule):
            raise refuse(place, f"schedule={self.schedule!r} is no cron line", "give five fields, such as '0 2 * * *'")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.pipeline):
            raise refuse(place, f"pipeline={self.pipeline!r} is no name", "use small letters, such as 'training'")
        for path in (*self.reads, *self.writes):
            if not re.fullmatch(r"[\w{}][\w{}.=-]*(/[\w{}][\w{}.=-]*)*", path) or path.replace("{case}", "").count("{"):
                raise refuse(place, f"{path!r} is no path within the project", "give one such as 'data/raw/{case}.csv'")
        if not 0 <= self.retries <= 10:
            raise refuse(place, f"retries={self.retries} is out of range", "give 0 to 10")
        if not check_duration(place, "timeout", self.timeout):
            raise refuse(place, "timeout= is no time at all", "give a duration such as '2h'")

    @property
    def timeout_us(self) -> int:
        """How long one attempt may take, microseconds."""
        return check_duration(f"stage {self.verb}", "timeout", self.timeout)

    def of(self, case: str) -> Stage:
        """Return the stage with a use case's name in its paths."""
        reads, writes = ([path.replace("{case}", case) for path in paths] for paths in (self.reads, self.writes))
        return replace(self, reads=reads, writes=writes)


def _is_cron(schedule: str) -> bool:
    """Return whether this is a cron line of five fields, each within its bounds."""
    return CRON.fullmatch(schedule) is not None and all(
        _within(part, *bounds)
        for field, bounds in zip(schedule.split(" "), CRON_FIELDS, strict=True)
        for part in field.split(",")
    )


def _within(part: str, least: int, most: int) -> bool:
    found = CRON_PART.fullmatch(part)
    if found is None:
        return False
    first, last = int(found[2] or least), int(found[3] or found[2] or most)
    return least <= first <= last <= most and 1 <= int(found[4] or 1) <= most


def fitting(place: str, stages: Sequence[Stage], *, simulated: bool) -> tuple[Stage, ...]:
    """Return a use case's stages, without `simulate` where nothing is simulated.

    Raises DeclarationError for a verb that stands twice or before what it needs, and for a pipeline of two schedules.
    """
    before: set[str] = set()
    schedules: dict[str, str | None] = {}
    for stage in stages:
        missing = [verb for verb in stage.after if verb not in before]
        if missing:
            raise refuse(place, f"stage {stage.verb} comes before {missing[0]}", "list stages in their order")
        if stage.verb in before:
            raise refuse(place, f"stage {stage.verb} stands twice", "keep one of them")
        if schedules.setdefault(stage.pipeline, stage.schedule) != stage.schedule:
            raise refuse(place, f"pipeline {stage.pipeline} has two schedules", "give it one, or divide it")
        before.add(stage.verb)
    for stage in stages:
        if stage.pipeline in before and stage.pipeline != stage.verb:
            raise refuse(place, f"pipeline {stage.pipeline} is called like a stage and holds others", "rename it")
    if simulated:
        return tuple(stages)
    kept = (stage for stage in stages if stage.verb != "simulate")
    return tuple(replace(stage, after=[verb for verb in stage.after if verb != "simulate"]) for stage in kept)


def standard_stages(
    *,
    data: str = "0 2 * * *",
    training: str = "0 3 * * 0",
    watch: str = "0 * * * *",
    reads: Sequence[str] = (EVENTS, LABELS),
) -> tuple[Stage, ...]:
    """Return data daily at 02:00, training on Sunday at 03:00, watch every hour, which retrains when that is due.

    `reads`: the file of events that `ingest` takes, and the one of labels if they stand apart.
    """
    return (
        Stage("simulate", (), data, "data", writes=[EVENTS, LABELS], timeout="30min"),
        Stage("ingest", ["simulate"], data, "data", reads=reads, retries=2),
        Stage("build", ["ingest"], training, "training", retries=1),
        Stage("validate", ["build"], training, "training", timeout="30min"),
        Stage("train", ["validate"], training, "training", retries=1, timeout="6h"),
        Stage("gate", ["train"], training, "training", timeout="30min"),
        Stage("promote", ["gate"], training, "training", timeout="10min"),
        Stage("watch", ["promote"], watch, "watch", retries=1, timeout="30min"),
        Stage("retrain", ["watch"], None, "retrain", timeout="8h"),
    )


def nightly_stages(*, at: str = "0 1 * * *") -> tuple[Stage, ...]:
    """Return the whole loop once a night, ingest to promote and then watch, as one pipeline."""
    nightly = (replace(stage, schedule=at, pipeline="nightly") for stage in standard_stages())
    return tuple(stage for stage in nightly if stage.verb != "retrain")

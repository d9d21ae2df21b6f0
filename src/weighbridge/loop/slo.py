"""Tells how the service kept its declared objectives over their window, from what its doors recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from weighbridge.clock import Clock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.objectives import AVAILABILITY, FEATURE_LAG, LATENCY, Objectives
from weighbridge.loop.report import Report, Run, write_report
from weighbridge.ports import Stores

TABLE = "service_levels"  # a row a piece of the window: `begun_us` and the counts
PIECES = 1_440
ENOUGH = 100  # below, a share says little
MET, MISSED, IMMATURE = "met", "missed", "immature"


class Counts(NamedTuple):
    """What was asked of a service and what became of it.

    `answered` and `unanswered` count events to decide, `timed` the answers whose time was taken and `slow` those of
    them beyond the objective, `new` the decisions that were no repetition and `stale` those of them from a state too
    far behind.
    """

    answered: int = 0
    unanswered: int = 0
    timed: int = 0
    slow: int = 0
    new: int = 0
    stale: int = 0

    def plus(self, other: Sequence[int]) -> Counts:
        """Return the sum of both."""
        return Counts(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))


Pieces = Mapping[int, Counts]  # by the time at which each begins, microseconds UTC


def piece_us(objectives: Objectives) -> int:
    """Return the length of a piece of the window, microseconds."""
    return objectives.last_us // PIECES


def recorded(objectives: Objectives, stores: Stores) -> dict[int, Counts]:
    """Return what was recorded, in pieces of the declared window; those of another length fall into where they began.

    Raises InputError when the table is damaged.
    """
    table, length = stores.tables.get(TABLE), piece_us(objectives)
    found: dict[int, Counts] = {}
    for row in () if table is None else table.to_pylist():
        begun_us = row["begun_us"] // length * length
        found[begun_us] = found.get(begun_us, Counts()).plus([row[name] for name in Counts._fields])
    return found


def record(stores: Stores, pieces: Pieces) -> None:
    """Replace what is recorded. Raises StoreFailure."""
    columns = {"begun_us": list(pieces)} | {
        name: [counts[place] for counts in pieces.values()] for place, name in enumerate(Counts._fields)
    }
    stores.tables.put(TABLE, pa.table({name: pa.array(column, pa.int64()) for name, column in columns.items()}))


def within(objectives: Objectives, pieces: Pieces, now_us: int) -> dict[int, Counts]:
    """Return the pieces of the window that ends at a moment, microseconds UTC."""
    since_us = now_us - objectives.last_us
    return {begun_us: counts for begun_us, counts in pieces.items() if since_us < begun_us <= now_us}


def total(pieces: Pieces) -> Counts:
    """Return the sum of pieces."""
    return Counts(*map(sum, zip(*pieces.values(), strict=True))) if pieces else Counts()


def judged(objectives: Objectives, counts: Counts) -> list[dict[str, Any]]:
    """Return of each declared objective its figure, bound and verdict.

    `figure` is the share of good ones, None where nothing was counted; "met" when it is the bound or more, "missed"
    when it is less, "immature" below 100 counted. `budget_left` is the part of the bad ones allowed that is left, 1
    when there was none, below 0 when the objective is missed.
    """
    shares = {
        LATENCY: (counts.slow, counts.timed),
        AVAILABILITY: (counts.unanswered, counts.answered + counts.unanswered),
        FEATURE_LAG: (counts.stale, counts.new),
    }
    found = []
    for name, bound in objectives.bounds.items():
        bad, of = shares[name]
        figure = (of - bad) / of if of else None
        verdict = IMMATURE if figure is None or of < ENOUGH else MET if figure >= bound else MISSED
        left = 1 - bad / (of * (1 - bound)) if of else None
        found.append({
            "objective": name, "title": objectives.title(name), "figure": figure, "bound": bound, "verdict": verdict,
            "bad": bad, "of": of, "budget_left": left,
        })  # fmt: skip
    return found


def kept(case: UseCase, stores: Stores, now_us: int) -> list[dict[str, Any]]:
    """Return `judged` of what was recorded in the window that ends at a moment, microseconds UTC."""
    return judged(case.objectives, total(within(case.objectives, recorded(case.objectives, stores), now_us)))


def slo(case: UseCase, stores: Stores, clock: Clock) -> Report:
    """Write reports/slo.json: of each declared objective its figure over the window, its bound and its verdict.

    The figures are what the doors of this home recorded, a few seconds behind a server that runs.
    """
    run, now_us = Run("slo", stores, clock), clock.now_us()
    found = kept(case, stores, now_us)
    missed = [each["objective"] for each in found if each["verdict"] == MISSED]
    figures = {"at": us_to_iso(now_us), "last": case.objectives.last, "objectives": found, "missed": missed}
    path = write_report(stores.reports, "slo", {"use_case": case.name, **figures})
    met = sum(each["verdict"] == MET for each in found)
    sentence = f"{met} of {len(found)} objectives met over the last {case.objectives.last}"
    for verdict in (MISSED, IMMATURE):
        names = [each["objective"] for each in found if each["verdict"] == verdict]
        sentence += f"; {verdict}: {', '.join(names)}" if names else ""
    if not found:
        sentence = "no objectives are declared; add UseCase(objectives=Objectives(...))"
    return run.finish(sentence, {**figures, "report": str(path)})


def said(one: Mapping[str, Any]) -> str:
    """Return an objective that was judged, in words."""
    if one["figure"] is None:
        return f"{one['objective']} nothing was asked yet"
    few = f", of {one['of']:,} only" if one["verdict"] == IMMATURE else ""
    return f"{one['objective']} {one['verdict']}: {one['figure']:.5g} of at least {one['bound']:.5g}{few}"

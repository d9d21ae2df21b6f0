"""What decisions came to, and what others would have: counts, money and rates, with intervals of the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.resample import interval, resampled, sums_by
from weighbridge.loop.training.evaluate import costs_of
from weighbridge.score.ruling import APPROVE, DECLINE, REVIEW

RESAMPLES = 400
SUMS = ("approve", "review", "decline", "caught", "missed", "good_declined", "good_reviewed", "caught_money",
        "missed_money", "cost", "expected_cost")  # fmt: skip
RATES: Mapping[str, tuple[str, tuple[str, ...]]] = {  # a figure, and the sum of those it is a share of
    "recall": ("caught", ("caught", "missed")),
    "precision": ("caught", ("caught", "good_declined", "good_reviewed")),
}


@dataclass(frozen=True)
class Rows:
    """Decided events to count. live, trial: int64[n], places in ACTIONS; y: int64[n]; the others float64[n].

    weight: for how many events a row speaks in what needs its label; probability: as recorded when it was decided,
    NaN for none; amount: of money. entity: int64[n], rows of one are resampled together.
    """

    live: Ints
    trial: Ints
    y: Ints
    weight: Floats
    probability: Floats
    amount: Floats
    entity: Ints

    def part(self, chosen: Bools) -> Rows:
        """Return chosen rows."""
        return Rows(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def sums(case: UseCase, rows: Rows, action: Ints) -> Floats:
    """Return what each row adds to `SUMS`, float64[n, sums], under these actions: int64[n], places in ACTIONS.

    Costs are in major units. Expected cost goes by the recorded probability: of every row that has one, whether or not
    its label is known.
    """
    missed_cost, wrong_cost, review_cost = costs_of(case)
    approved, reviewed, declined = (action == code for code in (APPROVE, REVIEW, DECLINE))
    bad, good = rows.weight * (rows.y == 1), rows.weight * (rows.y == 0)
    p, some = np.nan_to_num(rows.probability), ~np.isnan(rows.probability)
    lost = bad * rows.amount * approved
    cost = missed_cost * lost + wrong_cost * good * declined + review_cost * rows.weight * reviewed
    expected = missed_cost * p * rows.amount * approved + wrong_cost * (1 - p) * declined + review_cost * reviewed
    return np.stack(
        [approved, reviewed, declined, bad * ~approved, bad * approved, good * declined, good * reviewed,
         bad * rows.amount * ~approved, lost, cost, some * expected],
        axis=1,
    ).astype(np.float64)  # fmt: skip


def tally(case: UseCase, rows: Rows, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return every figure live, tried, and the difference of the two, each with its 95 % interval.

    Intervals come from resampled entities, seeded by the use case's training; None where a figure is undefined.
    """
    _, entity = np.unique(rows.entity, return_inverse=True)
    groups = int(entity.max(initial=-1)) + 1
    both = np.concatenate([sums(case, rows, rows.live), sums(case, rows, rows.trial)], axis=1)
    grouped = sums_by(entity, groups, both)
    drawn, whole = resampled(grouped, resamples, case.training.seed), grouped.sum(axis=0)[None, :]
    found = {}
    for name in (*SUMS, *RATES):
        live, trial = _figure(name, 0), _figure(name, len(SUMS))
        told = {"live": live, "trial": trial, "difference": _less(trial, live)}
        found[name] = {column: _told(figure, whole, drawn) for column, figure in told.items()}
    return found


def _less(one: Callable[[Floats], Floats], other: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda totals: one(totals) - other(totals)


def _figure(name: str, offset: int) -> Callable[[Floats], Floats]:
    if name not in RATES:
        return lambda totals: totals[:, offset + SUMS.index(name)]
    part, of = RATES[name]
    places = [offset + SUMS.index(each) for each in of]
    return lambda totals: totals[:, offset + SUMS.index(part)] / totals[:, places].sum(axis=1)


def _told(figure: Callable[[Floats], Floats], whole: Floats, drawn: Floats) -> dict[str, float | None]:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(figure(whole)[0])
    low, high = interval(figure, drawn)
    return {
        name: each if np.isfinite(each) else None
        for name, each in zip(("value", "low", "high"), (value, low, high), strict=True)
    }

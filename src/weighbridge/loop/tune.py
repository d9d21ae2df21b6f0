"""What other thresholds would have cost on a bundle's validation period. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from weighbridge.clock import us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats
from weighbridge.kernel.columns import ints
from weighbridge.kernel.thresholds import Ladder
from weighbridge.loop.training.evaluate import Rows, costs_of, days_of, ladder_of
from weighbridge.loop.training.validated import validation_name
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle

STEPS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MOST_POINTS = 400  # of a drawn curve


@dataclass(frozen=True)
class Point:
    """A pair of thresholds and what it does on the validation period. Money is in major units a day.

    `caught` positives are declined or reviewed, `missed` ones approved; `wrong_declines` are declined negatives,
    `reviewed_negatives` those that a review clears.
    """

    review_at: float
    decline_at: float
    reviews_per_day: float
    busiest_day: int
    declines_per_day: float
    caught: int
    missed: int
    wrong_declines: int
    reviewed_negatives: int
    missed_money: float
    cost: float


@dataclass(frozen=True)
class Curve:
    """Costs a day over one threshold, the other being the best for it within the review capacity."""

    at: Sequence[float]
    cost: Sequence[float]


@dataclass(frozen=True)
class Tuned:
    """Costs of thresholds on a bundle's validation period: `in_force` are its own, `best` those of least cost now."""

    bundle: str
    model: str
    rows: int
    positives: int
    days: int
    first_day: str
    last_day: str
    capacity_per_day: int
    capacity_on: str
    approve_all: float
    in_force: Point
    best: Point
    steps: Sequence[Point]
    by_review_at: Curve
    by_decline_at: Curve


def tune(case: UseCase, stores: Stores, bundle: Bundle) -> Tuned:
    """Return what thresholds would have cost on a bundle's validation period, by the costs declared now.

    The probabilities are those the winner gave while training; rules and lists have no part in it. Raises InputError
    when the period is not in this home any more.
    """
    rows, probability, day_us = _validated(case, stores, bundle)
    found = ladder_of(case, rows, probability)
    best = tuple(float(found.at[step]) for step in reversed(found.best()))
    limits = bundle.thresholds
    return Tuned(
        bundle=bundle.id,
        model=str(bundle.facts["model"]),
        rows=len(rows),
        positives=int(rows.y.sum()),
        days=rows.days,
        first_day=us_to_iso(day_us[0])[:10],
        last_day=us_to_iso(day_us[1])[:10],
        capacity_per_day=case.policy.review_capacity_per_day,
        capacity_on=case.policy.capacity_on,
        approve_all=costs_of(case)[0] * float(rows.amount[rows.y == 1].sum()) / rows.days,
        in_force=_point(case, rows, probability, limits.review_at, limits.decline_at),
        best=_point(case, rows, probability, *best),
        steps=[_point(case, rows, probability, *pair) for pair in _pairs(found)],
        by_review_at=by_review_at(found, rows.days),
        by_decline_at=by_decline_at(found, rows.days),
    )


def _validated(case: UseCase, stores: Stores, bundle: Bundle) -> tuple[Rows, Floats, tuple[int, int]]:
    said = stores.tables.get(validation_name(bundle.id))
    if said is None or not len(said):
        raise InputError(f"the validation of bundle {bundle.version} is not in this home; train again")
    events = stores.log.events(int(said["seq"][0].as_py()) - 1, int(said["seq"][-1].as_py()))
    places = pc.index_in(said["seq"], value_set=events["seq"].combine_chunks())
    if places.null_count:
        raise InputError(f"the log forgot {places.null_count:,} events of that validation; train again")
    events = events.take(places)
    amount = np.ones(len(said))
    name = case.policy.costs.amount
    if name is not None:
        amount = ints(pc.fill_null(events[name], 0)) / case.events.field(name, "Costs").scale
    event_us = ints(events["event_us"])
    day, rows_per_day = days_of(case, ints(events["seq"]), event_us)
    nothing = np.empty((len(said), 0), dtype=np.float32)
    rows = Rows(nothing, ints(said["y"]), day, np.zeros_like(day), amount, rows_per_day)
    probability = np.asarray(said["probability"].to_numpy(), dtype=np.float64)
    return rows, probability, (int(event_us.min()), int(event_us.max()))


def _point(case: UseCase, rows: Rows, probability: Floats, review_at: float, decline_at: float) -> Point:
    missed_cost, wrong_cost, review_cost = costs_of(case)
    declined, approved = probability >= decline_at, probability < review_at
    reviewed, positive = ~declined & ~approved, rows.y == 1
    on_day = np.bincount(rows.day[reviewed] - rows.day.min(), minlength=1)
    wrong = int((declined & ~positive).sum())
    missed_money = missed_cost * float(rows.amount[approved & positive].sum())
    return Point(
        review_at=float(review_at),
        decline_at=float(decline_at),
        reviews_per_day=float(reviewed.sum() / rows.days),
        busiest_day=int(on_day.max()),
        declines_per_day=float(declined.sum() / rows.days),
        caught=int((positive & ~approved).sum()),
        missed=int((positive & approved).sum()),
        wrong_declines=wrong,
        reviewed_negatives=int((reviewed & ~positive).sum()),
        missed_money=missed_money / rows.days,
        cost=(missed_money + wrong_cost * wrong + review_cost * int(reviewed.sum())) / rows.days,
    )


def _pairs(found: Ladder) -> Iterator[tuple[float, float]]:
    """Yield readable thresholds of review, each with the best one of decline within the capacity."""
    first, _ = found.given_flagged()
    before = -1
    for review_at in STEPS:
        flagged = int(np.searchsorted(-found.at, -review_at, side="right")) - 1
        if flagged != before:
            declined = int(first[flagged] + np.argmin(found.decline[first[flagged] : flagged + 1]))
            yield review_at, max(review_at, float(found.at[declined]))
        before = flagged


def by_review_at(found: Ladder, days: int) -> Curve:
    """Return the costs a day over the threshold of review, each with the best one of decline."""
    _, least = found.given_flagged()
    return _curve(found, (found.review + least) / days)


def by_decline_at(found: Ladder, days: int) -> Curve:
    """Return the costs a day over the threshold of decline, each with the best one of review."""
    _, least = found.given_declined()
    return _curve(found, (found.decline + least) / days)


def _curve(found: Ladder, cost: Floats) -> Curve:
    """Thin a curve to what can be drawn, evenly over the number of rows above; the step of least cost stays."""
    picked = np.unique(np.r_[np.geomspace(1, len(cost), MOST_POINTS).astype(np.int64) - 1, np.argmin(cost)])
    return Curve(found.at[picked].tolist(), cost[picked].tolist())

"""All metrics of a score on one set of rows, with intervals, the same for every candidate and gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from weighbridge.clock import DAY_US
from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Key
from weighbridge.declare.gates import LOWER_IS_BETTER
from weighbridge.declare.policy import EVERY_DAY
from weighbridge.declare.training import STRATIFIED
from weighbridge.kernel import metrics
from weighbridge.kernel.arrays import MISSING, Floats, Ints, Vectors
from weighbridge.kernel.replay import Columns
from weighbridge.kernel.split import parts
from weighbridge.kernel.thresholds import Ladder, ladder
from weighbridge.score.scorer import Thresholds


@dataclass(frozen=True)
class Rows:
    """Labelled rows to evaluate on: vectors float32[n, f], y int64[n], and what metrics need of the events.

    `day`: int64[n], blocks to resample and halve by; `rows_per_day` is declared where they are no days.
    """

    vectors: Vectors
    y: Ints
    day: Ints
    key: Ints
    amount: Floats
    rows_per_day: int | None = None

    def __len__(self) -> int:
        return len(self.y)

    def at(self, places: Ints) -> Rows:
        """Return the rows at these places, int64[m]."""
        day, key, amount = self.day[places], self.key[places], self.amount[places]
        return Rows(self.vectors[places], self.y[places], day, key, amount, self.rows_per_day)

    @property
    def days(self) -> int:
        """How many days the rows span, or make where time says nothing."""
        if self.rows_per_day is not None:
            return max(1, round(len(self) / self.rows_per_day))
        return int(self.day.max() - self.day.min()) + 1 if len(self.day) else 0


def rows_of(case: UseCase, columns: Columns, vectors: Vectors, labels: Ints, chosen: Ints) -> Rows:
    """Return the rows with these numbers, int64[m], which may come more than once.

    The key of card precision is the contract's first `Key`, the amount that of `Costs`.
    """
    payload = case.events.payload
    keys = [place for place, field in enumerate(payload) if isinstance(field, Key)]
    amount = np.ones(len(chosen))
    if case.policy.costs.amount is not None:
        place = [f.name for f in payload].index(case.policy.costs.amount)
        stored = columns.values[chosen, place]
        amount = np.where(stored == MISSING, 0, stored) / payload[place].scale
    day, rows_per_day = days_of(case, columns.seq[chosen], columns.event_us[chosen])
    key = columns.values[chosen, keys[0]] if keys else np.arange(len(chosen))
    return Rows(vectors[chosen], labels[chosen], day, key, amount, rows_per_day)


def days_of(case: UseCase, seq: Ints, event_us: Ints) -> tuple[Ints, int | None]:
    """Return the day of each row, int64[n], or its part by hash and the declared rows of a day."""
    if case.training.split == STRATIFIED:
        return parts(seq, case.training.seed), case.training.rows_per_day
    return event_us // DAY_US, None


def costs_of(case: UseCase) -> tuple[float, float, float]:
    """Return (missed, wrong_decline, review) in major units."""
    costs = case.policy.costs
    return costs.missed, costs.wrong_decline, costs.review


def figures(case: UseCase, rows: Rows, probability: Floats, thresholds: Thresholds) -> dict[str, float]:
    """Return every metric of a probability on rows."""
    return {
        name: metric(np.arange(len(rows))) for name, metric in _metrics(case, rows, probability, thresholds).items()
    }


def figure(case: UseCase, rows: Rows, probability: Floats, thresholds: Thresholds, name: str) -> float:
    """Return one metric of a probability on rows."""
    return _metrics(case, rows, probability, thresholds)[name](np.arange(len(rows)))


def with_interval(
    case: UseCase, rows: Rows, probability: Floats, thresholds: Thresholds, name: str
) -> tuple[float, float, float]:
    """Return a metric with its 95 % interval."""
    metric = _metrics(case, rows, probability, thresholds)[name]
    low, high = metrics.interval(metric, rows.day, case.training.bootstraps, case.training.seed)
    return metric(np.arange(len(rows))), low, high


def difference(
    case: UseCase, rows: Rows, name: str, ours: tuple[Floats, Thresholds], theirs: tuple[Floats, Thresholds]
) -> tuple[float, float, float]:
    """Return by how much one score is better than another on the same rows, with its 95 % interval."""
    left, right = (_metrics(case, rows, *side)[name] for side in (ours, theirs))
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    low, high = metrics.interval(
        lambda i: sign * (left(i) - right(i)), rows.day, case.training.bootstraps, case.training.seed
    )
    everything = np.arange(len(rows))
    return sign * (left(everything) - right(everything)), low, high


def _metrics(case: UseCase, rows: Rows, p: Floats, thresholds: Thresholds) -> Mapping[str, Callable[[Ints], float]]:
    y, amount, k = rows.y, rows.amount, case.training.k_per_day
    review, decline, costs = thresholds.review_at, thresholds.decline_at, costs_of(case)
    return {
        "average_precision": lambda i: metrics.average_precision(y[i], p[i]),
        "roc_auc": lambda i: metrics.roc_auc(y[i], p[i]),
        "recall_at_precision_90": lambda i: metrics.recall_at_precision(y[i], p[i], 0.9),
        "f1": lambda i: metrics.f1(y[i], p[i]),
        "card_precision_at_k": lambda i: metrics.card_precision_at_k(y[i], p[i], rows.day[i], rows.key[i], k),
        "brier": lambda i: metrics.brier(y[i], p[i]),
        "ece": lambda i: metrics.ece(y[i], p[i]),
        "net_cost": lambda i: metrics.net_cost(y[i], p[i], amount[i], review, decline, costs),
    }


def choose_thresholds(case: UseCase, rows: Rows, probability: Floats) -> Thresholds:
    """Return the declared thresholds, or of all pairs that of the least net cost within the review capacity."""
    policy = case.policy
    if policy.review_at is not None and policy.decline_at is not None:
        return Thresholds(policy.review_at, policy.decline_at, policy.bands)
    found = ladder_of(case, rows, probability)
    declined, flagged = found.best()
    return Thresholds(float(found.at[flagged]), float(found.at[declined]), policy.bands)


def ladder_of(case: UseCase, rows: Rows, probability: Floats) -> Ladder:
    """Return every pair of thresholds within the review capacity, on an average day or on every day, as declared."""
    policy, capacity = case.policy, case.policy.review_capacity_per_day
    if policy.capacity_on == EVERY_DAY:
        return ladder(rows.y, probability, rows.amount, costs_of(case), capacity, rows.day)
    return ladder(rows.y, probability, rows.amount, costs_of(case), capacity * rows.days)


def known(value: float, interval: tuple[float, float]) -> dict[str, Any]:
    """Return a figure as `value` and its `interval`, None where they are undefined, so that they can be stored."""
    ends = list(interval) if np.isfinite(interval).all() else None
    return {"value": value if np.isfinite(value) else None, "interval": ends}


def summary(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with NaN as None, so that they can be stored as JSON."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in values.items()}

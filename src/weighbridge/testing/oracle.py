"""The naive oracle: rule 2 as nested loops over plain records, independent of every kernel.

Slow on purpose. Sums are Python integers; each mean, deviation and ratio is one float formula on them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.case import UseCase
from weighbridge.declare.conditions import Condition
from weighbridge.declare.features import Feature, RowFeature
from weighbridge.declare.fields import Category
from weighbridge.declare.rollups import Rollup
from weighbridge.testing.rolled import COMPARISONS, ChildRow, Owner, Row, rolled

PRESENT: dict[str, Callable[[list[float]], float]] = {  # of the operands that are defined
    "is_missing": lambda x: float(not x),
    "mean_of": lambda x: reduce(operator.add, x) / len(x) if x else math.nan,
    "least_of": lambda x: min(x, default=math.nan),
    "most_of": lambda x: max(x, default=math.nan),
}


@dataclass(frozen=True)
class Event:
    """One event of the log: `values` are stored values by field name (None: missing), `sent` child rows by table."""

    seq: int
    event_us: int
    id: str
    values: Mapping[str, int | str | None]
    sent: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelRecord:
    """One label record of the log: about an event id, 0 or 1."""

    seq: int
    event_id: str
    value: int


class Oracle:
    """Computes vectors straight from the declaration and the whole log."""

    def __init__(
        self, case: UseCase, events: Sequence[Event], labels: Sequence[LabelRecord], rows: Sequence[ChildRow] = ()
    ) -> None:
        self.case, self.rows = case, rows
        self.events = sorted(events, key=lambda e: e.seq)
        self.labels = sorted(labels, key=lambda r: r.seq)
        self.scales = {f.name: f.scale for f in case.events.payload}
        self.codes = {f.name: f.one_of for f in case.events.payload if isinstance(f, Category)}

    def vector(self, decision: Event) -> npt.NDArray[np.float32]:
        """Return the vector of the decision about an event, float32[features]."""
        return np.array([self.feature(f, decision) for f in self.case.vector], dtype=np.float32)

    def vectors(self) -> npt.NDArray[np.float32]:
        """Return the vectors of all events in the order of arrival, float32[n, features]."""
        return np.array([self.vector(e) for e in self.events], dtype=np.float32).reshape(-1, len(self.case.vector))

    def feature(self, feature: Feature, d: Event) -> float:
        """Return one feature of one decision."""
        if isinstance(feature, Rollup):
            return rolled(feature, Owner(d.seq, d.event_us, d.sent, d.values), self.rows)
        return self._aggregate(feature, d) if isinstance(feature, Aggregate) else self._row(feature, d)

    def window(self, a: Aggregate, d: Event) -> list[Event]:
        """Return the events an aggregate sees, by event time, ties by arrival."""
        seen = [
            e
            for e in self.events
            if e.seq < d.seq
            and e.values[a.key] == d.values[a.key]
            and d.event_us - a.last_us < e.event_us <= d.event_us - a.until_us
            and all(self._holds(c, e) for c in a.where)
            and (a.field is None or e.values[a.field] is not None)
        ]
        return sorted(seen, key=lambda e: (e.event_us, e.seq))

    def known_label(self, e: Event, d: Event) -> int | None:
        """Return what the newest label record about `e` that arrived before `d` says."""
        values = [r.value for r in self.labels if r.event_id == e.id and r.seq < d.seq]
        return values[-1] if values else None

    def _holds(self, condition: Condition, e: Event) -> bool:
        value = e.values[condition.field]
        if value is None:
            return False
        bound = condition.value
        if not isinstance(bound, str):
            bound = round(bound * self.scales[condition.field])
        return bool(COMPARISONS[condition.operator](value, bound))

    def _aggregate(self, a: Aggregate, d: Event) -> float:
        window = self.window(a, d)
        if a.of_labels:
            return self._of_labels(a, window, d)
        if a.kind == "count":
            return float(len(window))
        if a.kind == "since_last":
            return float(d.event_us - window[-1].event_us) / 1e6 if window else math.nan
        assert a.field is not None
        found = [e.values[a.field] for e in window]
        if a.kind == "distinct":
            return float(len(set(found)))
        if a.kind == "seen_before":
            mine = d.values[a.field]
            return math.nan if mine is None else float(mine in found)
        return self._of_numbers(a, [v for v in found if isinstance(v, int)])

    def _of_numbers(self, a: Aggregate, x: list[int]) -> float:
        assert a.field is not None
        scale, n = float(self.scales[a.field]), len(x)
        if a.kind == "sum":
            return float(sum(x)) / scale
        if n == 0:
            return math.nan
        if a.kind == "mean":
            return float(sum(x)) / (float(n) * scale)
        if a.kind in ("min", "max"):
            return float(min(x) if a.kind == "min" else max(x)) / scale
        if a.kind == "quantile":
            x.sort()
            rank = float(n - 1) * float(a.measure)
            below = math.floor(rank)
            above = min(below + 1, n - 1)
            return (float(x[below]) + (rank - float(below)) * float(x[above] - x[below])) / scale
        if n < 2:
            return math.nan
        high, low = divmod(n * sum(v * v for v in x) - sum(x) ** 2, 2**64)
        return math.sqrt((float(high) * 2.0**64 + float(low)) / float(n * (n - 1))) / scale

    def _of_labels(self, a: Aggregate, window: list[Event], d: Event) -> float:
        known = [(e, label) for e in window if (label := self.known_label(e, d)) is not None]
        positives = sum(label for _, label in known)
        if a.kind == "label_rate":
            return float(positives) / float(len(known)) if known else math.nan
        if a.kind == "label_count":
            return float(positives if a.measure == "positive" else len(known))
        streak: list[Event] = []
        for event, label in reversed(known):
            if label == 0:
                break
            streak.append(event)
        if a.measure == "length":
            return float(len(streak))
        return float(d.event_us - streak[-1].event_us) / 1e6 if streak else math.nan

    def _operand(self, operand: str | Feature, d: Event) -> float:
        if not isinstance(operand, str):
            return self.feature(operand, d)
        stored = d.values[operand]
        if stored is None:
            return math.nan
        return float(self.codes[operand].index(stored)) if isinstance(stored, str) else stored / self.scales[operand]

    def _row(self, f: RowFeature, d: Event) -> float:
        if not f.operands:
            return self._calendar(f, d)
        if f.kind == "is_missing" and isinstance(f.operands[0], str):
            return float(d.values[f.operands[0]] is None)
        x = [self._operand(o, d) for o in f.operands]
        if f.kind in PRESENT:
            return PRESENT[f.kind]([v for v in x if not math.isnan(v)])
        if any(map(math.isnan, x)):
            return math.nan
        p = f.parameters
        formulas = {
            "value": lambda: x[0],
            "log": lambda: math.log(1.0 + x[0]) if x[0] > -1 else math.nan,
            "is_round": lambda: float(x[0] / p[0] == math.floor(x[0] / p[0])),
            "bucket": lambda: float(sum(x[0] >= edge for edge in p)),
            "zscore": lambda: (x[0] - x[1]) / x[2] if x[2] else math.nan,
            "ratio": lambda: x[0] / x[1] if x[1] else math.nan,
            "difference": lambda: x[0] - x[1],
        }
        return formulas[f.kind]()

    def _calendar(self, f: RowFeature, d: Event) -> float:
        moment = datetime.fromtimestamp(d.event_us // 1_000_000, UTC).astimezone(ZoneInfo(f.zone))
        hour, weekday = moment.hour, moment.weekday()
        if f.kind == "hour_of_day":
            return float(hour)
        if f.kind == "day_of_week":
            return float(weekday)
        if f.kind == "is_weekend":
            return float(weekday >= 5)
        inside = f.parameters[0] <= hour < f.parameters[1]
        return float(inside and not (f.kind == "is_business_hours" and weekday >= 5))

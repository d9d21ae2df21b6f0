"""What a history can be asked: aggregates of an entity's events in a window that ends at the decision.

The window of the decision about event d is `d - last < event time <= d - until`, over events that arrived before d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.clock import duration_text
from weighbridge.declare.conditions import Condition, check_condition
from weighbridge.declare.fields import INT64_MAX, Category, Field, Text, check_duration, refuse

if TYPE_CHECKING:
    from weighbridge.declare.contract import Contract

KINDS = {  # kind: what its field must be
    "count": "nothing", "sum": "number", "mean": "number", "std": "number", "min": "number", "max": "number",
    "quantile": "number", "distinct": "value", "since_last": "nothing", "seen_before": "value",
    "label_count": "nothing", "label_rate": "nothing", "label_streak": "nothing",
}  # fmt: skip


@dataclass(frozen=True)
class Aggregate:
    """One aggregate over one window of one entity; made by the methods of `Entity`.

    `measure` refines a kind: the quantile's level, which labelled events a label count counts, whether a
    streak's length or age is meant.
    """

    key: str
    kind: str
    field: str | None
    last_us: int
    until_us: int
    where: tuple[Condition, ...]
    measure: str
    name: str

    @property
    def of_labels(self) -> bool:
        """Whether the aggregate looks at labels."""
        return self.kind.startswith("label_")


@dataclass(frozen=True)
class Entity:
    """The histories of one key field. Each method returns one `Aggregate`, or one for each window in `last`."""

    contract: Contract = field(repr=False)
    key: str

    @property
    def name(self) -> str:
        """The key's name without a trailing `_id`."""
        return self.key.removesuffix("_id").lower()

    def count(self, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Number of events."""
        return self._make("count", None, last, until, where, name)

    def sum(self, field: str, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Sum of a number; 0 over an empty window."""
        return self._make("sum", field, last, until, where, name)

    def mean(self, field: str, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Mean of a number; undefined over an empty window."""
        return self._make("mean", field, last, until, where, name)

    def std(self, field: str, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Sample standard deviation (ddof = 1); undefined below two events."""
        return self._make("std", field, last, until, where, name)

    def min(self, field: str, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Smallest value of a number; undefined over an empty window."""
        return self._make("min", field, last, until, where, name)

    def max(self, field: str, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Largest value of a number; undefined over an empty window."""
        return self._make("max", field, last, until, where, name)

    def quantile(
        self, field: str, q: float, *, last: Last, until: str = "0s", where: Where = (), name: str = ""
    ) -> Made:
        """Quantile of a number, type 7 of Hyndman and Fan (1996); undefined over an empty window."""
        if not 0 <= q <= 1:
            raise refuse(f"{self.name}.quantile({field!r})", f"q={q} is no level", "choose q between 0 and 1")
        return self._make("quantile", field, last, until, where, name, repr(float(q)))

    def distinct(self, field: str, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Number of different values of a field."""
        return self._make("distinct", field, last, until, where, name)

    def since_last(self, *, within: str, where: Where = (), name: str = "") -> Aggregate:
        """Seconds since the newest earlier event; undefined where there is none `within` the window."""
        return self._one("since_last", None, within, "0s", where, name)

    def seen_before(self, field: str, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """1 when an event of the window has the current event's value of `field`, else 0."""
        return self._make("seen_before", field, last, until, where, name)

    def label_count(
        self, *, last: Last, until: str = "0s", where: Where = (), of: str = "labelled", name: str = ""
    ) -> Made:
        """Number of events whose label had arrived (`of="labelled"`) or had arrived positive (`of="positive"`)."""
        self._check_measure("label_count", of, ("labelled", "positive"))
        return self._make("label_count", None, last, until, where, name, of)

    def label_rate(self, *, last: Last, until: str = "0s", where: Where = (), name: str = "") -> Made:
        """Positives among the events whose label had arrived; undefined where there is none."""
        return self._make("label_rate", None, last, until, where, name)

    def label_streak(
        self, *, last: Last, until: str = "0s", where: Where = (), of: str = "length", name: str = ""
    ) -> Made:
        """The run of positives that ends at the newest labelled event.

        Its length, or its age: seconds from the run's first event to the decision (undefined without a run).
        """
        self._check_measure("label_streak", of, ("length", "age"))
        return self._make("label_streak", None, last, until, where, name, of)

    def _check_measure(self, kind: str, of: str, allowed: tuple[str, ...]) -> None:
        if of not in allowed:
            raise refuse(f"{self.name}.{kind}", f"of={of!r} is unknown", f"use one of {allowed}")

    def _make(
        self, kind: str, field: str | None, last: Last, until: str, where: Where, name: str, measure: str = ""
    ) -> Made:
        if isinstance(last, str):
            return self._one(kind, field, last, until, where, name, measure)
        if name and len(last) > 1:
            raise refuse(f"{self.name}.{kind}", "one name= for several windows", "drop name= or give one window")
        return tuple(self._one(kind, field, window, until, where, name, measure) for window in last)

    def _one(
        self, kind: str, field: str | None, last: str, until: str, where: Where, name: str, measure: str = ""
    ) -> Aggregate:
        place = f"{self.name}.{kind}({field!r})" if field else f"{self.name}.{kind}()"
        last_us, until_us = check_duration(place, "last", last), check_duration(place, "until", until)
        if until_us >= last_us:
            raise refuse(place, f"the window last={last!r} until={until!r} is empty", "make until= shorter than last=")
        conditions = (where,) if isinstance(where, Condition) else tuple(where)
        for condition in conditions:
            check_condition(place, self.contract.field(condition.field, place), condition)
        if field is not None:
            self._check_field(place, kind, self.contract.field(field, place))
        parts = [self.name, field or "", kind, measure, duration_text(last_us)]
        parts += [f"until_{duration_text(until_us)}"] if until_us else []
        parts += [f"where_{c.text}" for c in conditions]
        automatic = "_".join(p for p in parts if p)
        return Aggregate(self.key, kind, field, last_us, until_us, conditions, measure, name or automatic)

    def _check_field(self, place: str, kind: str, field: Field) -> None:
        if KINDS[kind] == "value":
            if not (field.numeric or isinstance(field, Text | Category)):
                raise refuse(place, f"{field.name} is a {type(field).__name__}", "use a field of the event's payload")
            return
        if not field.numeric:
            raise refuse(place, f"{field.name} is a {type(field).__name__}", "use a Money, Number or Integer field")
        if kind not in ("sum", "mean", "std", "quantile"):
            return
        if field.magnitude is None:
            raise refuse(
                place, f"{field.name} has no bounds, so its {kind} could overflow", "declare at_least and at_most"
            )
        if kind == "quantile":
            if 2 * field.magnitude > INT64_MAX:
                raise refuse(place, "the distance of two values can overflow 64 bits", "lower the bounds or decimals")
            return
        power = 2 if kind == "std" else 1
        if self.contract.events_per_key * field.magnitude**power > INT64_MAX:
            raise refuse(place, "its sum can overflow 64 bits", "lower events_per_key, the bounds or the decimals")


Last = str | Sequence[str]
Where = Condition | Sequence[Condition]
Made = Aggregate | tuple[Aggregate, ...]

"""What an aggregate's value says: one method for each kind; None is a value that is undefined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.conditions import OPERATORS, Condition
from weighbridge.declare.fields import Field
from weighbridge.declare.sentences.words import amount, counted, lasting, percent, plain, plural, span, words

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase

COMPARED = dict(zip(OPERATORS, ("", "other than ", "of at least ", "of at most ", "above ", "below "), strict=True))
AMOUNTS = ("sum", "mean", "std", "min", "max", "quantile")
Value = float | None


@dataclass(frozen=True)
class History:
    """The sentences of one aggregate."""

    case: UseCase
    aggregate: Aggregate

    def sentence(self, value: Value) -> str:
        """Return the sentence of a value."""
        return cast(Callable[[Value], str], getattr(self, self.aggregate.kind))(value)

    def shown(self, value: float) -> str:
        """Return the value alone."""
        kind = self.aggregate.kind
        if kind in AMOUNTS:
            return amount(value, self._field)
        if kind == "since_last" or self.aggregate.measure == "age":
            return lasting(value)
        return percent(value) if kind == "label_rate" else plain(value)

    @property
    def phrase(self) -> str:
        """What the aggregate is, as a part of another sentence."""
        return f"{self.who}'s {self._what} {self._over}"

    @property
    def who(self) -> str:
        """The entity."""
        return f"this {words(self.aggregate.key)}"

    @property
    def usual(self) -> str:
        """The entity's usual amount, where this is a mean."""
        return f"{self.who}'s usual {self._over}"

    def count(self, value: Value) -> str:
        """So many events."""
        return f"{counted(value or 0, f'earlier {self._event}')} {self._of}"

    def sum(self, value: Value) -> str:
        """A total."""
        return f"{self.who}'s {self._what} {self._over} is {self.shown(value or 0)}"

    def mean(self, value: Value) -> str:
        """An amount, undefined without an event."""
        return self._none if value is None else f"{self.phrase} is {self.shown(value)}"

    min = max = quantile = mean

    def std(self, value: Value) -> str:
        """An amount, undefined below two events."""
        fewer = f"fewer than two earlier {plural(self._event)} {self._of}"
        return fewer if value is None else f"{self.phrase} is {self.shown(value)}"

    def distinct(self, value: Value) -> str:
        """So many values."""
        what = words(self._field.name)
        return f"{counted(value, f'different {what}') if value else f'no {what}'} {self._of}"

    def since_last(self, value: Value) -> str:
        """A time."""
        within = f"within {span(self.aggregate.last_us, one='1 ')}"
        if value is None:
            return f"no earlier {self._event} of {self.who}{self._where} {within}"
        return f"{lasting(value)} since the last {self._event} of {self.who}{self._where}"

    def seen_before(self, value: Value) -> str:
        """Whether; undefined where the event has no value."""
        what = words(self._field.name)
        if value is None:
            return f"this {self._event} has no {what}"
        if value:
            return f"{self.who} was seen with this {what}{self._where} {self._when}"
        if self.aggregate.until_us:
            return f"{self.who} was not seen with this {what}{self._where} {self._when}"
        within = span(self.aggregate.last_us, one="1 ")
        return f"first time {self.who} is seen with this {what}{self._where} within {within}"

    def label_count(self, value: Value) -> str:
        """So many labelled events."""
        one = "were" if value and value > 1 else "was"
        state = f"{one} {self._bad}" if self.aggregate.measure == "positive" else f"{one} labelled"
        return f"{counted(value or 0, f'earlier {self._event}')} {self._of} {state}"

    def label_rate(self, value: Value) -> str:
        """A share of the labelled events."""
        labelled = f"labelled {self._event} {self._of}"
        if value is None:
            return f"no {labelled}"
        return f"{percent(value)} of the labelled {plural(self._event)} {self._of} were {self._bad}"

    def label_streak(self, value: Value) -> str:
        """A run that ends at the newest labelled event, or its age."""
        newest = f"the newest labelled {self._event} {self._of}"
        if self.aggregate.measure == "age" and value is not None:
            return f"a run of {self._bad} that lasts to {newest} began {lasting(value)} before"
        if not value:
            return f"{newest} was not {self._bad}, or there is none"
        many = f"the {value:,.0f} newest labelled {plural(self._event)} {self._of} were all {self._bad}"
        return f"{newest} was {self._bad}" if value == 1 else many

    @property
    def _event(self) -> str:
        return words(self.case.events.name)

    @property
    def _field(self) -> Field:
        assert self.aggregate.field is not None
        return self.case.events.field(self.aggregate.field, self.aggregate.name)

    @property
    def _bad(self) -> str:
        """How a positive label reads: `is_fraud` as "fraud"."""
        name = self.case.label.name
        return words(name.removeprefix("is_")) if name.startswith("is_") else f"{words(name)} 1"

    @property
    def _what(self) -> str:
        kind = self.aggregate.kind
        if kind not in AMOUNTS:
            return {"count": f"number of {plural(self._event)}", "distinct": "number of different values",
                    "since_last": f"time since the last {self._event}", "label_count": "number of labels",
                    "label_rate": f"rate of {self._bad}", "label_streak": f"run of {self._bad}"}.get(
                        kind, f"{words(kind)}") + self._where  # fmt: skip
        level = float(self.aggregate.measure or 0)
        names = {"sum": "total", "mean": "mean", "std": "standard deviation of", "min": "smallest", "max": "largest",
                 "quantile": "median" if level == 0.5 else f"{percent(level)} quantile of"}  # fmt: skip
        return f"{names[kind]} {words(self._field.name)}{self._where}"

    @property
    def _none(self) -> str:
        known = f" with {words(self._field.name)}" if self._field.optional else ""
        return f"{self.phrase} is unknown: there was no {self._event}{known}"

    @property
    def _of(self) -> str:
        return f"of {self.who}{self._where} {self._when}"

    @property
    def _when(self) -> str:
        last, until = self.aggregate.last_us, self.aggregate.until_us
        if until:
            return f"between {span(last, one='1 ')} and {span(until, one='1 ')} before"
        return f"in the last {span(last)}"

    @property
    def _over(self) -> str:
        return self._when if self.aggregate.until_us else f"of the last {span(self.aggregate.last_us)}"

    @property
    def _where(self) -> str:
        told = " and ".join(map(self._condition, self.aggregate.where))
        return f" with {told}" if told else ""

    def _condition(self, condition: Condition) -> str:
        field = self.case.events.field(condition.field, self.aggregate.name)
        if field.pii != "none":
            return f"a certain {words(field.name)}"
        value = condition.value if isinstance(condition.value, str) else plain(condition.value)
        return f"{words(field.name)} {COMPARED[condition.operator]}{value}"

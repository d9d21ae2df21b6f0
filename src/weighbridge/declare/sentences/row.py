"""What a row feature's value says: one method for each kind; None is a value that is undefined."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weighbridge.declare.aggregates import Aggregate
from weighbridge.declare.features import Feature, RowFeature
from weighbridge.declare.fields import Category
from weighbridge.declare.rollups import Rollup
from weighbridge.declare.sentences.history import History, Value
from weighbridge.declare.sentences.rolled import Rolled
from weighbridge.declare.sentences.words import amount, plain, words

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ALIKE = 0.05  # deviations that read as 0.0
LARGEST_LOG = 100.0  # far beyond those of 64 bits


@dataclass(frozen=True)
class Row:
    """The sentences of one row feature."""

    case: UseCase
    feature: RowFeature

    def sentence(self, value: Value) -> str:
        """Return the sentence of a value."""
        return cast(Callable[[Value], str], getattr(self, self.feature.kind))(value)

    def shown(self, value: float) -> str:
        """Return the value alone."""
        kind = self.feature.kind
        if self.feature.encoding:
            return self._category(value)
        if kind == "hour_of_day":
            return f"{value:02.0f}:00"
        if kind == "day_of_week":
            return DAYS[int(value) % len(DAYS)]
        return self._amount(value) if kind in ("value", "difference") else plain(value)

    @property
    def phrase(self) -> str:
        """What the feature is, as a part of another sentence."""
        return words(self.feature.name)

    def value(self, value: Value) -> str:
        """A number or a category."""
        if value is None:
            return f"{self._first} is missing"
        return f"{self._first} is {self.shown(value)}"

    def log(self, value: Value) -> str:
        """The number that the logarithm was taken of; float32 keeps some six of its digits."""
        if value is None:
            return f"{self._first} is missing, or too small for a logarithm"
        number = math.expm1(min(value, LARGEST_LOG))
        text = self._amount(round(number, 2)) if abs(number) < 10_000 else f"about {plain(float(f'{number:.3g}'))}"
        return f"{self._first} is {text}"

    def is_round(self, value: Value) -> str:
        """Whether a multiple."""
        step = self.feature.parameters[0]
        what = "a whole number" if step == 1 else f"a multiple of {plain(step)}"
        return f"{self._first} is missing" if value is None else f"{self._first} is {'' if value else 'not '}{what}"

    def bucket(self, value: Value) -> str:
        """Between which edges."""
        if value is None:
            return f"{self._first} is missing"
        edges, place = [plain(e) for e in self.feature.parameters], min(int(value), len(self.feature.parameters))
        if place <= 0:
            return f"{self._first} is below {edges[0]}"
        least = f"{self._first} is {edges[place - 1]} or more"
        return least if place == len(edges) else f"{least}, below {edges[place]}"

    def zscore(self, value: Value) -> str:
        """How far from the usual."""
        mean = self.feature.operands[1]
        usual = History(self.case, mean).usual if isinstance(mean, Aggregate) else self._phrase(1)
        if value is None:
            return f"{self._first} cannot be compared with {usual}: too little is known, or it never varies"
        if abs(value) < ALIKE:
            return f"{self._first} is at {usual}"
        return f"{self._first} is {abs(value):,.1f} deviations {'above' if value > 0 else 'below'} {usual}"

    def ratio(self, value: Value) -> str:
        """How many times another."""
        if value is None:
            return f"{self._first} cannot be compared with {self._phrase(1)}, which is 0 or unknown"
        return f"{self._first} is {plain(round(value, 1) if abs(value) >= 1 else value)} times {self._phrase(1)}"

    def difference(self, value: Value) -> str:
        """How much more than another."""
        if value is None:
            return f"{self._first} cannot be compared with {self._phrase(1)}: one of them is unknown"
        if value == 0:
            return f"{self._first} equals {self._phrase(1)}"
        return f"{self._first} is {self._amount(abs(value))} {'above' if value > 0 else 'below'} {self._phrase(1)}"

    def is_missing(self, value: Value) -> str:
        """Whether."""
        return f"{self._first} is {'missing' if value else 'there'}"

    def mean_of(self, value: Value) -> str:
        """Of those that are there."""
        return self._several("mean", value)

    def least_of(self, value: Value) -> str:
        """Of those that are there."""
        return self._several("least", value)

    def most_of(self, value: Value) -> str:
        """Of those that are there."""
        return self._several("largest", value)

    def _several(self, which: str, value: Value) -> str:
        *first, last = (self._phrase(place) for place in range(len(self.feature.operands)))
        of = f"{', '.join(first)} and {last}"
        return f"{of} are all missing" if value is None else f"the {which} of {of} is {self._amount(value)}"

    def hour_of_day(self, value: Value) -> str:
        """An hour."""
        hour = int(value or 0)
        return f"{self._event} came between {hour:02}:00 and {hour + 1:02}:00 {self.feature.zone}"

    def day_of_week(self, value: Value) -> str:
        """A weekday."""
        return f"{self._event} came on a {DAYS[int(value or 0) % len(DAYS)]} ({self.feature.zone})"

    def is_weekend(self, value: Value) -> str:
        """Whether."""
        return f"{self._event} came {'at the weekend' if value else 'from Monday to Friday'} ({self.feature.zone})"

    def is_business_hours(self, value: Value) -> str:
        """Whether."""
        return f"{self._event} came {'in' if value else 'outside'} business hours ({self._hours(' to ')})"

    def is_between_hours(self, value: Value) -> str:
        """Whether."""
        return f"{self._event} came {'' if value else 'not '}between {self._hours(' and ')}"

    @property
    def _event(self) -> str:
        return f"the {words(self.case.events.name)}"

    def _hours(self, between: str) -> str:
        return f"{between.join(f'{int(hour):02}:00' for hour in self.feature.parameters)} {self.feature.zone}"

    @property
    def _first(self) -> str:
        return self._phrase(0)

    def _phrase(self, place: int) -> str:
        operand = self.feature.operands[place]
        if isinstance(operand, str):
            return words(operand)
        return told_by(self.case, operand).phrase

    def _amount(self, value: float) -> str:
        """Return a number in the unit of the first operand."""
        operand = self.feature.operands[0]
        if isinstance(operand, str):
            return amount(value, self.case.events.field(operand, self.feature.name))
        return plain(value) if isinstance(operand, RowFeature) else told_by(self.case, operand).shown(value)

    def _category(self, code: float) -> str:
        operand = self.feature.operands[0]
        assert isinstance(operand, str)
        field = self.case.events.field(operand, self.feature.name)
        assert isinstance(field, Category)
        return field.one_of[int(code)] if 0 <= code < len(field.one_of) else "unknown"


def told_by(case: UseCase, feature: Feature) -> History | Rolled | Row:
    """Return the sentences of a feature."""
    if isinstance(feature, Aggregate):
        return History(case, feature)
    return Rolled(case, feature) if isinstance(feature, Rollup) else Row(case, feature)

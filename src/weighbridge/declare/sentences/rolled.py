"""What a rollup's value says: one method for each kind; None is a value that is undefined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weighbridge.declare.fields import Category, Field
from weighbridge.declare.rollups import OF_NUMBERS, Rollup
from weighbridge.declare.sentences.history import COMPARED, Value
from weighbridge.declare.sentences.words import amount, counted, percent, plain, plural, span, words

if TYPE_CHECKING:
    from weighbridge.declare.case import UseCase

NAMES = {"sum": "total", "mean": "mean", "std": "standard deviation of", "min": "smallest", "max": "largest"}


@dataclass(frozen=True)
class Rolled:
    """The sentences of one rollup."""

    case: UseCase
    rollup: Rollup

    def sentence(self, value: Value) -> str:
        """Return the sentence of a value."""
        return cast(Callable[[Value], str], getattr(self, self.rollup.kind))(value)

    def shown(self, value: float) -> str:
        """Return the value alone."""
        kind = self.rollup.kind
        if kind in OF_NUMBERS or kind == "latest":
            found = self._field
            if isinstance(found, Category):
                return found.one_of[int(value)] if 0 <= value < len(found.one_of) else "unknown"
            return amount(value, found)
        return percent(value) if kind == "share" else plain(value)

    @property
    def phrase(self) -> str:
        """What the rollup is, as a part of another sentence."""
        kind, of = self.rollup.kind, f"of this {self._owner}'s {self._rows}"
        if kind in ("count", "share"):
            return f"the {'number' if kind == 'count' else 'share'} {of}"
        what = words(self._field.name)
        if kind == "distinct":
            return f"the number of different {what} {of}"
        return f"the {NAMES.get(kind, 'latest')} {what} {of}"

    def count(self, value: Value) -> str:
        """So many rows."""
        return f"{counted(value or 0, self._row)} of this {self._owner}{self._which}"

    def sum(self, value: Value) -> str:
        """An amount."""
        if value is None:
            return f"{self.phrase} is unknown: there is none with a value"
        return f"{self.phrase} is {self.shown(value)}"

    mean = min = max = latest = sum

    def std(self, value: Value) -> str:
        """An amount, undefined below two values."""
        fewer = f"{self.phrase} is unknown: there are fewer than two"
        return fewer if value is None else f"{self.phrase} is {self.shown(value)}"

    def distinct(self, value: Value) -> str:
        """So many values."""
        what = words(self._field.name)
        return f"{counted(value or 0, f'different {what}')} among this {self._owner}'s {self._rows}"

    def share(self, value: Value) -> str:
        """A part of the rows."""
        if value is None:
            return f"this {self._owner} has no {self._row}{self._window}"
        every = f"this {self._owner}'s {plural(self._row)}{self._window}"
        return f"{percent(value)} of {every} have {self._conditions}"

    @property
    def _owner(self) -> str:
        return words(self.case.events.name)

    @property
    def _row(self) -> str:
        return f"{words(self.rollup.table)} row"

    @property
    def _field(self) -> Field:
        assert self.rollup.field is not None
        return self.rollup.child.field(self.rollup.field, self.rollup.name)

    @property
    def _rows(self) -> str:
        return f"{plural(self._row)}{self._which}"

    @property
    def _which(self) -> str:
        return (f" with {self._conditions}" if self.rollup.where else "") + self._window

    @property
    def _window(self) -> str:
        last, until = self.rollup.last_us, self.rollup.until_us
        if last is None:
            return f" more than {span(until, one='1 ')} before" if until else ""
        if until:
            return f" between {span(last, one='1 ')} and {span(until, one='1 ')} before"
        return f" in the last {span(last)}"

    @property
    def _conditions(self) -> str:
        told = []
        for condition in self.rollup.where:
            field = self.rollup.child.field(condition.field, self.rollup.name)
            value = condition.value if isinstance(condition.value, str) else plain(condition.value)
            certain = f"a certain {words(field.name)}"
            told.append(
                certain if field.pii != "none" else f"{words(field.name)} {COMPARED[condition.operator]}{value}"
            )
        return " and ".join(told)

"""What the child rows of an event can be asked: aggregates of those that meet conditions and lie in a window.

All rows of the event in one table count, those stored or those sent with it; a missing value takes part in nothing
but a count of rows.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weighbridge.clock import DAY_US, duration_text
from weighbridge.declare.conditions import Condition, check_condition, stored_operand
from weighbridge.declare.fields import INT64_MAX, Field, Integer, Text, Time, check_duration, refuse

if TYPE_CHECKING:
    from weighbridge.declare.children import Child

INT128_MAX = 2**127 - 1
SUMMED = ("sum", "mean", "std")
OF_NUMBERS = (*SUMMED, "min", "max")


@dataclass(frozen=True)
class Rollup:
    """One aggregate of an event's child rows; made by the methods of `Child`.

    The window is `event - last < row <= event - until`, by the rows' `on`: a field of whole days relative to the event,
    or the time of the rows. `last_us` None sets no lower bound, `on` None no window.
    """

    child: Child = field(repr=False, compare=False)
    table: str
    kind: str
    field: str | None
    order: str | None
    on: str | None
    last_us: int | None
    until_us: int
    where: tuple[Condition, ...]
    name: str


class Asked(ABC):
    """A table of child rows that can be asked. Every method returns one `Rollup`, or one for each window in `last`."""

    name: str
    most_rows: int

    @abstractmethod
    def field(self, name: str, where: str) -> Field:
        """Return a field by name; refuses an unknown one, naming the place that asked."""

    @property
    @abstractmethod
    def time(self) -> Time | None:
        """The field that tells when a row happened, where there is one."""

    def count(
        self, *, where: Where = (), last: Last = None, until: str = "0d", on: str | None = None, name: str = ""
    ) -> Rolled:
        """Number of rows."""
        return self._make("count", None, where, last, until, on, name)

    def sum(
        self, field: str, *, where: Where = (), last: Last = None, until: str = "0d", on: str | None = None,
        name: str = "",
    ) -> Rolled:  # fmt: skip
        """Sum of a number; 0 without a row."""
        return self._make("sum", field, where, last, until, on, name)

    def mean(
        self, field: str, *, where: Where = (), last: Last = None, until: str = "0d", on: str | None = None,
        name: str = "",
    ) -> Rolled:  # fmt: skip
        """Mean of a number; undefined without a value."""
        return self._make("mean", field, where, last, until, on, name)

    def std(
        self, field: str, *, where: Where = (), last: Last = None, until: str = "0d", on: str | None = None,
        name: str = "",
    ) -> Rolled:  # fmt: skip
        """Sample standard deviation (ddof = 1); undefined below two values."""
        return self._make("std", field, where, last, until, on, name)

    def min(
        self, field: str, *, where: Where = (), last: Last = None, until: str = "0d", on: str | None = None,
        name: str = "",
    ) -> Rolled:  # fmt: skip
        """Smallest value of a number; undefined without a value."""
        return self._make("min", field, where, last, until, on, name)

    def max(
        self, field: str, *, where: Where = (), last: Last = None, until: str = "0d", on: str | None = None,
        name: str = "",
    ) -> Rolled:  # fmt: skip
        """Largest value of a number; undefined without a value."""
        return self._make("max", field, where, last, until, on, name)

    def distinct(
        self, field: str, *, where: Where = (), last: Last = None, until: str = "0d", on: str | None = None,
        name: str = "",
    ) -> Rolled:  # fmt: skip
        """Number of different values of a field; 0 without a value."""
        return self._make("distinct", field, where, last, until, on, name)

    def share(
        self, *, where: Where, last: Last = None, until: str = "0d", on: str | None = None, name: str = ""
    ) -> Rolled:
        """Part of the rows of the window that meets the conditions; undefined without a row."""
        if not _conditions(where):
            raise refuse(f"{self.name}.share()", "it has no condition, so it is always 1", "give where=")
        return self._make("share", None, where, last, until, on, name)

    def latest(
        self, field: str, *, order: str, where: Where = (), last: Last = None, until: str = "0d",
        on: str | None = None, name: str = "",
    ) -> Rolled:  # fmt: skip
        """Value of a number, or code of a category, in the row whose `order` is the largest; undefined without one.

        Rows that lack one of the two do not count; of rows that are equally late the largest value is taken.
        """
        return self._make("latest", field, where, last, until, on, name, order)

    def _make(
        self, kind: str, field: str | None, where: Where, last: Last, until: str, on: str | None, name: str,
        order: str | None = None,
    ) -> Rolled:  # fmt: skip
        if last is None or isinstance(last, str):
            return self._one(kind, field, where, last, until, on, name, order)
        if name and len(last) > 1:
            raise refuse(f"{self.name}.{kind}", "one name= for several windows", "drop name= or give one window")
        return tuple(self._one(kind, field, where, window, until, on, name, order) for window in last)

    def _one(
        self, kind: str, field: str | None, where: Where, last: str | None, until: str, on: str | None, name: str,
        order: str | None,
    ) -> Rollup:  # fmt: skip
        place = f"{self.name}.{kind}({field!r})" if field else f"{self.name}.{kind}()"
        last_us = None if last is None else check_duration(place, "last", last)
        until_us = check_duration(place, "until", until)
        if last_us is not None and until_us >= last_us:
            raise refuse(place, f"the window last={last!r} until={until!r} is empty", "make until= shorter than last=")
        on = self._window_field(place, last_us, until_us, on)
        conditions = _conditions(where)
        for condition in conditions:
            _check_where(place, self.field(condition.field, place), condition)
        if field is not None:
            self._check_field(place, kind, self.field(field, place))
        if order is not None and not self.field(order, place).numeric:
            raise refuse(place, f"order={order!r} is no number", "order by a number, such as a day")
        parts = [self.name, field or "", kind, duration_text(last_us) if last_us is not None else ""]
        parts += [f"until_{duration_text(until_us)}"] if until_us else []
        parts += [f"where_{c.text}" for c in conditions]
        automatic = re.sub(r"[^A-Za-z0-9_]+", "_", "_".join(p for p in parts if p).replace("-", "minus_"))
        return Rollup(
            self,  # type: ignore[arg-type]
            self.name, kind, field, order, on, last_us, until_us, conditions, name or automatic,
        )  # fmt: skip

    def _window_field(self, place: str, last_us: int | None, until_us: int, on: str | None) -> str | None:
        """Return the field that a window goes by, None where there is no window."""
        if on is None and last_us is None and until_us == 0:
            return None
        if on is None:
            if self.time is None:
                raise refuse(place, "a window needs to know when a row happened", "give on= a field of days, or a Time")
            return self.time.name
        found = self.field(on, place)
        if isinstance(found, Time):
            return on
        if not isinstance(found, Integer):
            raise refuse(place, f"on={on!r} is a {type(found).__name__}", "name an Integer field of days, or the Time")
        if (last_us or 0) % DAY_US or until_us % DAY_US:
            raise refuse(place, f"{on} holds whole days", "give last= and until= in days")
        return on

    def _check_field(self, place: str, kind: str, found: Field) -> None:
        if kind == "distinct":
            if isinstance(found, Time):
                raise refuse(place, f"{found.name} is a Time", "count a number, a key or a category")
            return
        if isinstance(found, Time | Text) or (kind in OF_NUMBERS and not found.numeric):
            raise refuse(place, f"{found.name} is a {type(found).__name__}", "use a Money, Number or Integer field")
        if kind not in SUMMED:
            return
        if found.magnitude is None:
            raise refuse(
                place, f"{found.name} has no bounds, so its {kind} could overflow", "declare at_least and at_most"
            )
        most = self.most_rows * found.magnitude
        if most > INT64_MAX or (kind == "std" and most**2 > INT128_MAX):
            raise refuse(place, "its sum can overflow", "lower most_rows, the bounds or the decimals")


def _check_where(place: str, found: Field, condition: Condition) -> None:
    """Refuse a condition that no stored row can meet as it reads."""
    check_condition(place, found, condition)
    at = f"{place}, where= on {found.name}"
    if isinstance(found, Time):
        raise refuse(at, "it is the time of the rows", "give last= or until=")
    if found.pii == "pseudonymised":
        raise refuse(at, "only its pseudonyms are stored", "use a field that is not pseudonymised")
    if not isinstance(condition.value, str):
        stored_operand(at, found, condition.value)


def _conditions(where: Where) -> tuple[Condition, ...]:
    return (where,) if isinstance(where, Condition) else tuple(where)


Last = str | Sequence[str] | None
Where = Condition | Sequence[Condition]
Rolled = Rollup | tuple[Rollup, ...]

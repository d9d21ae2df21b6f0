"""The types a contract's field can have, and the rules each one sets, in the units that are stored.

Stored values: numbers are integers (`Money` in minor units, `Number` times ten to its decimals),
times are microseconds UTC, the rest is text. Integers make every window exact.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from weighbridge.clock import DAY_US, duration_us
from weighbridge.declare.field import Field, Rule, refuse
from weighbridge.identity import ULID_PATTERN

__all__ = [
    "INT64_MAX", "WHOLE", "Category", "Field", "Id", "Integer", "Key", "Money", "Number", "Numeric", "Rule", "Text",
    "Time", "check_duration", "refuse",
]  # fmt: skip
INT64_MAX = 2**63 - 1
LONGEST_US = 50_000_000 * DAY_US  # what can be added to any time within 64 bits
WHOLE = "-?(0|[1-9][0-9]*)"


@dataclass(frozen=True)
class Text(Field):
    """Free text, optionally of a pattern (a whole-match regular expression).

    `whole=True`: what is written is a whole number, such as the number of a loan; JSON may then give it as a number.
    """

    pattern: str | None = None
    longest: int = 256
    whole: bool = False

    free_text: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            re.compile(self.pattern or "")
        except re.error as fault:
            raise refuse(
                f"field {self.name}", f"its pattern is not a regular expression ({fault})", "mend it"
            ) from None
        if self.whole and self.pattern:
            raise refuse(f"field {self.name}", "whole=True and pattern= are both given", "keep one of them")

    def rules(self) -> tuple[Rule, ...]:
        """Length first, then what it must look like."""
        pattern: tuple[Rule, ...] = (("pattern", self.pattern),) if self.pattern else ()
        whole: tuple[Rule, ...] = (("whole", WHOLE),) if self.whole else ()
        return (("not_empty", 1), ("longest", self.longest), *pattern, *whole)


@dataclass(frozen=True)
class Id(Text):
    """What names an event: unique for ever, the idempotency key. `ulid=True` asks for a ULID."""

    ulid: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pii != "none" or self.optional:
            raise refuse(f"field {self.name}", "an Id is what labels and retries name", "drop pii= and optional=")
        if self.ulid and (self.pattern or self.whole):
            raise refuse(f"field {self.name}", "ulid=True and another form are both given", "keep one of them")

    def rules(self) -> tuple[Rule, ...]:
        """As text; a ULID is 26 characters of Crockford's base 32 (github.com/ulid/spec)."""
        return (("pattern", ULID_PATTERN),) if self.ulid else super().rules()


@dataclass(frozen=True)
class Key(Text):
    """What groups events into histories: a card, a merchant, a user."""


@dataclass(frozen=True)
class Time(Field):
    """When the event happened, ISO-8601 with an offset.

    More than `future` ahead of its arrival or more than `late` behind it, it is refused.
    `arrived` names the column of a history file that tells when each row arrived.
    """

    future: str = "1min"
    late: str = "10min"
    arrived: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("future", "late"):
            check_duration(f"field {self.name}", option, getattr(self, option))
        if self.optional:
            raise refuse(f"field {self.name}", "an event time cannot be optional", "drop optional=True")


@dataclass(frozen=True)
class Numeric(Field):
    """A number between `at_least` and `at_most`; with `cap=True` what lies beyond is capped, not refused.

    `means_missing`: numbers by which a source says that there is none, such as 365243; they are stored as missing.
    """

    at_least: float | None = None
    at_most: float | None = None
    cap: bool = False
    means_missing: Sequence[float] = ()

    numeric: ClassVar[bool] = True
    json_type: ClassVar[str] = "number"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "means_missing", tuple(self.means_missing))
        bounds = [b for b in (self.at_least, self.at_most) if b is not None]
        if not all(_finite(number) for number in (*bounds, *self.means_missing)):
            raise refuse(
                f"field {self.name}", "a bound is not a finite number", "write its bounds and means_missing= as numbers"
            )
        check_missing(self, self.means_missing)
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise refuse(f"field {self.name}", f"at_least={bounds[0]} is above at_most={bounds[1]}", "swap them")
        if self.cap and not bounds:
            raise refuse(f"field {self.name}", "cap=True has no bound to cap at", "give at_least= or at_most=")
        if self.magnitude is not None and self.magnitude > INT64_MAX:
            raise refuse(f"field {self.name}", "its bounds overflow 64 bits", "use fewer decimals or nearer bounds")

    @cached_property
    def missing(self) -> frozenset[int | str]:
        """As stored integers."""
        return frozenset(round(number * self.scale) for number in self.means_missing)

    def stored_bounds(self) -> tuple[int | None, int | None]:
        """Return the bounds as stored integers."""
        low, high = (None if b is None else round(b * self.scale) for b in (self.at_least, self.at_most))
        return low, high

    def rules(self) -> tuple[Rule, ...]:
        """Lower bound, then upper bound; none when values are capped instead."""
        if self.cap:
            return ()
        named = zip(("at_least", "at_most"), self.stored_bounds(), strict=True)
        return tuple((name, bound) for name, bound in named if bound is not None)

    @property
    def magnitude(self) -> int | None:
        """The larger of the two bounds in stored units."""
        low, high = self.stored_bounds()
        return None if low is None or high is None else max(abs(low), abs(high))


@dataclass(frozen=True)
class Money(Numeric):
    """An amount of money, exact in minor units; more decimals than declared are refused."""

    decimals: int = 2

    @property
    def scale(self) -> int:
        """Minor units per major unit."""
        return int(10**self.decimals)


@dataclass(frozen=True)
class Number(Numeric):
    """A real number, rounded half to even at a declared number of decimals."""

    decimals: int = 6

    @property
    def scale(self) -> int:
        """Stored integer per unit."""
        return int(10**self.decimals)


@dataclass(frozen=True)
class Integer(Numeric):
    """A whole number."""

    json_type: ClassVar[str] = "integer"


@dataclass(frozen=True)
class Category(Field):
    """One of a closed list of texts; its code is its place in the list.

    `other` names the one that stands for every value that is not listed; without it such a value is refused.
    `means_missing`: texts by which a source says that there is none, such as "XNA"; they are stored as missing.
    """

    one_of: Sequence[str] = ()
    other: str | None = None
    means_missing: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("one_of", "means_missing"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.one_of or len(set(self.one_of)) != len(self.one_of):
            raise refuse(f"field {self.name}", "one_of= is empty or names a value twice", "list each value once")
        if self.other is not None and self.other not in self.one_of:
            raise refuse(f"field {self.name}", f"other={self.other!r} is not in one_of", "list it there too")
        both = sorted(set(self.means_missing) & set(self.one_of))
        if both:
            raise refuse(
                f"field {self.name}", f"{both[0]!r} is a value and means missing", "keep it in one of the lists"
            )
        check_missing(self, self.means_missing)

    @cached_property
    def missing(self) -> frozenset[int | str]:
        """As they are written."""
        return frozenset(self.means_missing)

    def rules(self) -> tuple[Rule, ...]:
        """Membership, where no value stands for the rest."""
        return (("one_of", self.one_of),) if self.other is None else ()


def check_missing(field: Field, means_missing: Sequence[object]) -> None:
    """Refuse values that mean missing on a field that must be there."""
    if means_missing and not field.optional:
        raise refuse(f"field {field.name}", "means_missing= says it may be missing", "add optional=True")


def _finite(number: object) -> bool:
    return not isinstance(number, bool) and isinstance(number, int | float) and math.isfinite(number)


def check_duration(where: str, option: str, text: str) -> int:
    """Return a declared duration in microseconds, or refuse it with its place."""
    try:
        us = duration_us(text)
    except ValueError as fault:
        raise refuse(where, f"{option}={fault}", "mend it") from None
    if us > LONGEST_US:
        raise refuse(where, f"{option}={text!r} is too long", "choose at most 50000000d")
    return us

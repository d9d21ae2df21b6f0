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

from weighbridge.clock import duration_us
from weighbridge.errors import DeclarationError
from weighbridge.identity import ULID_PATTERN

PII_CLASSES = ("none", "pseudonymised")
INT64_MAX = 2**63 - 1
Rule = tuple[str, object]


def refuse(where: str, what: str, fix: str) -> DeclarationError:
    """Return the error of a wrong declaration: one sentence with place, fault and fix."""
    return DeclarationError(f"{where}: {what}; {fix}")


@dataclass(frozen=True)
class Field:
    """One named field of an event.

    `column` names it in files when it is called otherwise there. `pii="pseudonymised"` replaces the value
    by a keyed pseudonym at the door, before anything is logged or stored.
    """

    name: str
    column: str | None = None
    optional: bool = False
    pii: str = "none"

    numeric: ClassVar[bool] = False
    json_type: ClassVar[str] = "string"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.name):
            raise refuse(f"field {self.name!r}", "this is not a name", "use letters, digits and underscores")
        if self.pii not in PII_CLASSES:
            raise refuse(f"field {self.name}", f"pii={self.pii!r} is no PII class", f"use one of {PII_CLASSES}")
        if self.pii == "pseudonymised" and not isinstance(self, Id | Key | Text):
            raise refuse(f"field {self.name}", "only text can be pseudonymised", "drop pii= or make it a Key or Text")

    @property
    def source(self) -> str:
        """The column that holds this field in a file."""
        return self.column or self.name

    @property
    def scale(self) -> int:
        """Stored integer per unit: 100 for money in cents, 1 for whole numbers."""
        return 1

    def rules(self) -> tuple[Rule, ...]:
        """Return (rule, bound) pairs on the stored value, in the order they are checked."""
        return ()

    @cached_property
    def checks(self) -> tuple[Rule, ...]:
        """The rules, worked out once."""
        return self.rules()

    @property
    def magnitude(self) -> int | None:
        """The largest absolute stored value, or None where the declaration sets no bound."""
        return None


@dataclass(frozen=True)
class Text(Field):
    """Free text, optionally of a pattern (a whole-match regular expression)."""

    pattern: str | None = None
    longest: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            re.compile(self.pattern or "")
        except re.error as fault:
            raise refuse(
                f"field {self.name}", f"its pattern is not a regular expression ({fault})", "mend it"
            ) from None

    def rules(self) -> tuple[Rule, ...]:
        """Length first, then the pattern."""
        pattern: tuple[Rule, ...] = (("pattern", self.pattern),) if self.pattern else ()
        return (("not_empty", 1), ("longest", self.longest), *pattern)


@dataclass(frozen=True)
class Id(Text):
    """What names an event: unique for ever, the idempotency key. `ulid=True` asks for a ULID."""

    ulid: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pii != "none" or self.optional:
            raise refuse(f"field {self.name}", "an Id is what labels and retries name", "drop pii= and optional=")
        if self.ulid and self.pattern:
            raise refuse(f"field {self.name}", "ulid=True and pattern= are both given", "keep one of them")

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
    """A number between `at_least` and `at_most`; with `cap=True` what lies beyond is capped, not refused."""

    at_least: float | None = None
    at_most: float | None = None
    cap: bool = False

    numeric: ClassVar[bool] = True
    json_type: ClassVar[str] = "number"

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds = [b for b in (self.at_least, self.at_most) if b is not None]
        if any(isinstance(b, bool) or not isinstance(b, int | float) or not math.isfinite(b) for b in bounds):
            raise refuse(
                f"field {self.name}", "a bound is not a finite number", "write at_least= and at_most= as numbers"
            )
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise refuse(f"field {self.name}", f"at_least={bounds[0]} is above at_most={bounds[1]}", "swap them")
        if self.cap and not bounds:
            raise refuse(f"field {self.name}", "cap=True has no bound to cap at", "give at_least= or at_most=")
        if self.magnitude is not None and self.magnitude > INT64_MAX:
            raise refuse(f"field {self.name}", "its bounds overflow 64 bits", "use fewer decimals or nearer bounds")

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
    """One of a closed list of texts; its code is its place in the list."""

    one_of: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "one_of", tuple(self.one_of))
        if not self.one_of or len(set(self.one_of)) != len(self.one_of):
            raise refuse(f"field {self.name}", "one_of= is empty or names a value twice", "list each value once")

    def rules(self) -> tuple[Rule, ...]:
        """Membership."""
        return (("one_of", self.one_of),)


def check_duration(where: str, option: str, text: str) -> int:
    """Return a declared duration in microseconds, or refuse it with its place."""
    try:
        return duration_us(text)
    except ValueError as fault:
        raise refuse(where, f"{option}={fault}", "mend it") from None

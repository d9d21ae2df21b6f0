"""Nouns, durations and numbers as people read them."""

from __future__ import annotations

import math

from weighbridge.clock import DAY_US, SECOND_US, duration_text
from weighbridge.declare.fields import Field, Money

UNITS = ((DAY_US, "day"), (3_600 * SECOND_US, "hour"), (60 * SECOND_US, "minute"), (SECOND_US, "second"))
SIGNIFICANT = 4  # digits of a number that has no declared decimals
FEW, MANY = 1e-9, 1e15  # numbers beyond are written with an exponent


def words(name: str) -> str:
    """Return a field's name as words.

    >>> words("merchant_id"), words("merchant_category")
    ('merchant', 'merchant category')
    """
    return name.removesuffix("_id").replace("_", " ")


def plural(noun: str) -> str:
    """Return a noun's plural.

    >>> plural("card"), plural("country"), plural("day"), plural("address")
    ('cards', 'countries', 'days', 'addresses')
    """
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def counted(number: float, noun: str) -> str:
    """Return so many of a noun.

    >>> counted(1, "card"), counted(1200, "card"), counted(0, "card")
    ('1 card', '1,200 cards', 'no card')
    """
    if number == 0:
        return f"no {noun}"
    return f"1 {noun}" if number == 1 else f"{number:,.0f} {plural(noun)}"


def span(us: int, *, one: str = "") -> str:
    """Return a declared duration; `one` stands before a single unit.

    >>> span(3_600_000_000), span(3_600_000_000, one="1 "), span(DAY_US), span(30 * DAY_US)
    ('hour', '1 hour', '24 hours', '30 days')
    """
    if us == DAY_US:
        return "24 hours"
    for size, unit in UNITS:
        if us and us % size == 0:
            return f"{one}{unit}" if us == size else f"{us // size:,} {unit}s"
    return duration_text(us)


def lasting(seconds: float) -> str:
    """Return a measured duration, rounded.

    >>> lasting(0), lasting(60), lasting(5_400), lasting(3 * 86_400)
    ('0 seconds', '60 seconds', '90 minutes', '3 days')
    """
    for limit, size, unit in ((100, 1, "second"), (6_000, 60, "minute"), (172_800, 3_600, "hour")):
        if seconds < limit:
            return _rounded(seconds / size, unit)
    return _rounded(seconds / 86_400, "day")


def _rounded(number: float, unit: str) -> str:
    digits = 1 if number < 10 and unit in ("hour", "day") else 0
    text = f"{number:,.{digits}f}".removesuffix(".0")
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"


def plain(number: float) -> str:
    """Return a number with at most `SIGNIFICANT` digits that count.

    >>> plain(8.3049), plain(12.0), plain(1234567.0), plain(-0.00012345)
    ('8.305', '12', '1,234,567', '-0.0001234')
    """
    if number == 0:
        return "0"
    if not FEW <= abs(number) < MANY:
        return f"{number:.{SIGNIFICANT - 1}g}"
    digits = max(0, SIGNIFICANT - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text


def amount(number: float, field: Field) -> str:
    """Return a field's number: money with its decimals."""
    return f"{number:,.{field.decimals}f}" if isinstance(field, Money) else plain(number)


def percent(share: float) -> str:
    """Return a share.

    >>> percent(0.032), percent(1.0)
    ('3.2%', '100%')
    """
    return f"{plain(round(100 * share, 1))}%"

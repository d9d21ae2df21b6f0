"""The one table of contract rules: what breaks each rule, for a stored value and for a column of them alike.

Bounds are tested with the same expression on an int and on int64 arrays; text rules on one text, which the column
path asks once for each different text. `Field.rules()` says which rules a field has, and their bounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from weighbridge.clock import duration_us, iso_to_us
from weighbridge.declare.fields import INT64_MAX, Category, Field, Integer, Money, Numeric, Text, Time
from weighbridge.errors import Rejected

EARLIEST_US, LATEST_US = (iso_to_us(f"{year}-01-01T00:00:00Z") for year in (1900, 2200))

BROKEN: dict[str, Callable[[Any, Any], Any]] = {
    "at_least": lambda value, bound: value < bound,
    "at_most": lambda value, bound: value > bound,
    "future": lambda ahead_us, bound: ahead_us > bound,
    "late": lambda ahead_us, bound: ahead_us < -bound,
    "not_empty": lambda value, bound: len(value) < bound,
    "longest": lambda value, bound: len(value) > bound,
    "pattern": lambda value, pattern: re.fullmatch(pattern, value) is None,
    "whole": lambda value, pattern: re.fullmatch(pattern, value) is None,
    "one_of": lambda value, values: value not in values,
}
SENTENCES = {
    "at_least": "it must be at least {}",
    "at_most": "it must be at most {}",
    "future": "it lies more than {} ahead of its arrival",
    "late": "it came more than {} after it happened",
    "not_empty": "it must not be empty",
    "longest": "it must have at most {} characters",
    "pattern": "it must match {}",
    "whole": "it must be a whole number",
    "one_of": "it must be one of {}",
    "required": "it is required",
    "columns": "it must have {} columns, as the header has",
    "quotes": "a quotation mark in it opens and does not close",
    "utf8": "it must be UTF-8 text",
    "known": "the contract has no such field",
    "type": "it must be {}",
    "finite": "it must be a finite number",
    "decimals": "it must have at most {} decimals",
    "fits": "it does not fit 64 bits",
    "time": "{}",
    "unique": "another event with other content has this id",
    "unique_row": "another row has this key",
    "owner": "it must name the event that the row is sent with",
    "most_rows": "it must have at most {} rows",
    "duplicate": "this event is already stored",
    "event": "no event has this id",
    "arrived": "it arrives after the present of the clock",
}


def reject(field: str, rule: str, bound: object = "") -> Rejected:
    """Return the rejection of a field by a rule; the sentence never holds the value."""
    return Rejected(field, rule, SENTENCES[rule].format(bound))


def unknown(name: str) -> Rejected:
    """Return the rejection of a member that is not declared; what is no name is not told: it may be a value."""
    return reject(name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name) else "a member", "known")


def shown(field: Field, rule: str, bound: object) -> object:
    """Return a rule's bound as its author wrote it: major units, a plain list."""
    if isinstance(field, Numeric) and isinstance(bound, int):
        return getattr(field, rule)
    return ", ".join(bound) if isinstance(bound, tuple) else bound


def stored_value(field: Field, value: object) -> int | str | None:
    """Return a present value as it is stored, None where it means missing; raises Rejected for the first broken rule.

    A category's value that is not listed is stored as the declared other one.
    """
    if isinstance(field, Numeric):
        stored: Any = stored_number(field, value)
    elif isinstance(value, str) and isinstance(field, Text | Category):
        stored = value
    elif isinstance(field, Text) and field.whole and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > INT64_MAX:
            raise reject(field.name, "fits")
        stored = str(value)
    else:
        raise reject(field.name, "type", f"text, not {json_type(value)}")
    if stored in field.missing:
        return None
    if isinstance(field, Category) and field.other is not None and stored not in field.one_of:
        return field.other
    if isinstance(field, Numeric) and field.cap:
        return capped(field, stored)
    for rule, bound in field.checks:
        if BROKEN[rule](stored, bound):
            raise reject(field.name, rule, shown(field, rule, bound))
    return stored


def stored_number(field: Numeric, value: object) -> int:
    """Return a number times its scale as an integer, half to even; raises Rejected for anything but a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise reject(field.name, "type", f"a number, not {json_type(value)}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise reject(field.name, "finite")
        scaled = value * field.scale
        if not math.isfinite(scaled):
            raise reject(field.name, "fits")
        stored = round(scaled)
        if isinstance(field, Integer) and stored != scaled:
            raise reject(field.name, "type", "a whole number")
        if isinstance(field, Money) and abs(scaled - stored) > 1e-6 * max(1.0, abs(scaled) * 1e-6):
            raise reject(field.name, "decimals", field.decimals)
    else:
        stored = value * field.scale
    if abs(stored) > INT64_MAX:
        raise reject(field.name, "fits")
    return stored


def capped(field: Numeric, stored: int) -> int:
    """Return a stored number within the declared bounds."""
    low, high = field.stored_bounds()
    stored = stored if low is None else max(stored, low)
    return stored if high is None else min(stored, high)


def stored_time(field: Time, value: object, *, naive_is_utc: bool = False) -> int:
    """Return ISO-8601 text as microseconds UTC; raises Rejected for anything else."""
    if not isinstance(value, str):
        raise reject(field.name, "type", f"ISO-8601 text, not {json_type(value)}")
    for text in (value, value + "+00:00") if naive_is_utc else (value,):
        try:
            at_us = iso_to_us(text)
        except (ValueError, OverflowError) as fault:
            why = _time_fault(fault, naive_is_utc)
            continue
        if EARLIEST_US <= at_us < LATEST_US:
            return at_us
        raise reject(field.name, "time", "it must lie between the years 1900 and 2200")
    raise reject(field.name, "time", why)


@cache
def time_rules(field: Time) -> tuple[tuple[str, int, str], ...]:
    """Return (rule, bound in microseconds, bound as written) on how far an event lies ahead of its arrival."""
    return ("future", duration_us(field.future), field.future), ("late", duration_us(field.late), field.late)


def json_type(value: object) -> str:
    """Return the JSON name of a value's type, for messages."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _time_fault(fault: Exception, naive_is_utc: bool) -> str:
    return (
        str(fault)
        if "offset" in str(fault) and not naive_is_utc
        else "it must be ISO-8601, such as 2026-03-01T12:00:00Z"
    )

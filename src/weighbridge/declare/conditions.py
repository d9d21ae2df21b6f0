"""Conditions on the fields of an event or a child row: `card.count(last="7d", where=above("amount", 100))`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from weighbridge.declare.fields import INT64_MAX, Category, Field, refuse

OPERATORS = ("==", "!=", ">=", "<=", ">", "<")


@dataclass(frozen=True)
class Condition:
    """`field operator value`, in the units of the declaration. A missing value meets no condition."""

    field: str
    operator: str
    value: str | float

    @property
    def text(self) -> str:
        """How the condition reads inside a feature's name."""
        words = dict(zip(OPERATORS, ("is", "not", "from", "to", "above", "below"), strict=True))
        return f"{self.field}_{words[self.operator]}_{self.value}"


def equal(field: str, value: str | float) -> Condition:
    """Events whose field has this value."""
    return Condition(field, "==", value)


def differs(field: str, value: str | float) -> Condition:
    """Events whose field has another value."""
    return Condition(field, "!=", value)


def at_least(field: str, value: float) -> Condition:
    """Events whose number is this or more."""
    return Condition(field, ">=", value)


def at_most(field: str, value: float) -> Condition:
    """Events whose number is this or less."""
    return Condition(field, "<=", value)


def above(field: str, value: float) -> Condition:
    """Events whose number is more than this."""
    return Condition(field, ">", value)


def below(field: str, value: float) -> Condition:
    """Events whose number is less than this."""
    return Condition(field, "<", value)


def check_condition(place: str, field: Field, condition: Condition) -> None:
    """Refuse a condition that does not fit the field it names."""
    if field.numeric != (not isinstance(condition.value, str)) or isinstance(condition.value, bool):
        raise refuse(place, f"where= compares {field.name} with {condition.value!r}", "compare with its own type")
    if not field.numeric and condition.operator not in ("==", "!="):
        raise refuse(place, f"where= orders the text field {field.name}", "use equal() or differs()")
    if not isinstance(condition.value, str) and not math.isfinite(condition.value):
        raise refuse(place, f"where= compares {field.name} with {condition.value}", "compare with a finite number")
    if not isinstance(condition.value, str) and abs(Decimal(repr(condition.value)) * field.scale) > INT64_MAX:
        raise refuse(place, f"where= compares {field.name} with {condition.value}", "compare with what fits 64 bits")
    if isinstance(field, Category) and condition.value not in field.one_of:
        raise refuse(place, f"where= names {condition.value!r}, not a {field.name}", f"use one of {field.one_of}")


def stored_operand(place: str, field: Field, value: float) -> int:
    """Return a condition's number as the stored integer it is compared with; refuses more decimals than the field's."""
    scaled = Decimal(repr(value)) * field.scale
    if scaled != scaled.to_integral_value():
        raise refuse(place, f"{value} has more decimals than the field", "round it to the field's")
    return int(scaled)

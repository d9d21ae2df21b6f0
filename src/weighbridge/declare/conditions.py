"""Conditions on an event's own fields, for `where=`: `card.count(last="7d", where=above("amount", 100))`."""

from __future__ import annotations

from dataclasses import dataclass

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

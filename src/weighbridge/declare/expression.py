"""What a rule's condition consists of once it is read.

A condition speaks of an event's fields and features and of `probability`, the model's. It has numbers, texts, + - * /,
comparisons, `in`, and, or, not, parentheses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

PROBABILITY = "probability"


@dataclass(frozen=True)
class Constant:
    """A number or a text as it is written."""

    value: float | str


@dataclass(frozen=True)
class Operand:
    """A name that a condition may use: the event's field or feature at a place, or the model's probability.

    A number's value is the stored one divided by `scale`. A text's `one_of` lists its values where they are declared.
    """

    name: str
    source: str
    place: int = 0
    scale: int = 1
    text: bool = False
    one_of: tuple[str, ...] = ()
    pseudonymised: bool = False


@dataclass(frozen=True)
class Arithmetic:
    """`left operator right` of two numbers."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True)
class Comparison:
    """`left operator right` of two numbers, or two texts."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True)
class Membership:
    """Whether a value is one of those written here, or of those on a list; `negated` for `not in`."""

    left: Value
    values: tuple[float | str, ...]
    list_name: str | None
    negated: bool


@dataclass(frozen=True)
class Joined:
    """Conditions joined by `and` (`every`) or by `or`."""

    every: bool
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Inverse:
    """`not` of a condition."""

    part: Condition


Value = Constant | Operand | Arithmetic
Condition = Comparison | Membership | Joined | Inverse


def calculate(operator: str, left: float, right: float) -> float:
    """Return the result of an operator; NaN where it divides by zero."""
    if operator == "/":
        return left / right if right else math.nan
    return left + right if operator == "+" else left - right if operator == "-" else left * right


def named(part: Condition | Value) -> Iterator[Operand]:
    """Yield what a condition names, from left to right."""
    match part:
        case Operand():
            yield part
        case Comparison(left=left, right=right) | Arithmetic(left=left, right=right):
            yield from named(left)
            yield from named(right)
        case Membership(left=left):
            yield from named(left)
        case Inverse(part=inner):
            yield from named(inner)
        case Joined(parts=parts):
            for inner in parts:
                yield from named(inner)

"""A rule's condition as a closure over an event: names are places, nothing is looked up by name.

What is missing is NaN among numbers and None among texts. A comparison with it is false, also under `!=` and `not in`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any

from weighbridge.declare.expression import (
    Arithmetic,
    Comparison,
    Condition,
    Constant,
    Inverse,
    Joined,
    Membership,
    Operand,
    Value,
)
from weighbridge.records import Stored

# of an event: its stored values, its features, the model's probability, its arrival in microseconds UTC
Holds = Callable[[Sequence[Stored], Sequence[float], float, int], bool]
Reads = Callable[[Sequence[Stored], Sequence[float], float, int], Any]
Entries = Mapping[str, Mapping[str, int]]  # of every list: the values on it, and until when


def holds(condition: Condition, entries: Entries) -> Holds:
    """Return a condition as a closure; what `entries` say may change, the mappings may not be replaced."""
    match condition:
        case Comparison(operator=operator, left=left, right=right):
            return _compared(operator, left, right)
        case Membership():
            return _member(condition, entries)
        case Inverse(part=part):
            inner = holds(part, entries)
            return lambda v, f, p, t: not inner(v, f, p, t)
        case Joined(every=every, parts=parts):
            return _joined([holds(part, entries) for part in parts], every=every)


def _joined(parts: Sequence[Holds], *, every: bool) -> Holds:
    first, *rest = parts
    if not rest:
        return first
    other = _joined(rest, every=every)
    if every:
        return lambda v, f, p, t: first(v, f, p, t) and other(v, f, p, t)
    return lambda v, f, p, t: first(v, f, p, t) or other(v, f, p, t)


def _compared(operator: str, left: Value, right: Value) -> Holds:
    a, b = _reads(left), _reads(right)
    if any(isinstance(side, Operand) and side.text for side in (left, right)):
        return _texts_compared(a, b, equal=operator == "==")
    if isinstance(right, Constant):
        return _against(operator, a, float(right.value))
    made: dict[str, Holds] = {
        "==": lambda v, f, p, t: a(v, f, p, t) == b(v, f, p, t),
        "!=": lambda v, f, p, t: (x := a(v, f, p, t)) < (y := b(v, f, p, t)) or x > y,
        "<": lambda v, f, p, t: a(v, f, p, t) < b(v, f, p, t),
        "<=": lambda v, f, p, t: a(v, f, p, t) <= b(v, f, p, t),
        ">": lambda v, f, p, t: a(v, f, p, t) > b(v, f, p, t),
        ">=": lambda v, f, p, t: a(v, f, p, t) >= b(v, f, p, t),
    }
    return made[operator]


def _against(operator: str, a: Reads, c: float) -> Holds:
    """Return the comparison of a number with a constant."""
    made: dict[str, Holds] = {
        "==": lambda v, f, p, t: a(v, f, p, t) == c,
        "!=": lambda v, f, p, t: (x := a(v, f, p, t)) < c or x > c,
        "<": lambda v, f, p, t: a(v, f, p, t) < c,
        "<=": lambda v, f, p, t: a(v, f, p, t) <= c,
        ">": lambda v, f, p, t: a(v, f, p, t) > c,
        ">=": lambda v, f, p, t: a(v, f, p, t) >= c,
    }
    return made[operator]


def _texts_compared(a: Reads, b: Reads, *, equal: bool) -> Holds:
    def compared(v: Sequence[Stored], f: Sequence[float], p: float, t: int) -> bool:
        x, y = a(v, f, p, t), b(v, f, p, t)
        return x is not None and y is not None and (x == y) is equal

    return compared


def _member(membership: Membership, entries: Entries) -> Holds:
    read, negated = _reads(membership.left), membership.negated
    if membership.list_name is not None:
        until = entries[membership.list_name].get

        def listed(v: Sequence[Stored], f: Sequence[float], p: float, t: int) -> bool:
            x = read(v, f, p, t)
            return x is not None and (until(x, t) > t) is not negated

        return listed
    values = frozenset(membership.values)

    def member(v: Sequence[Stored], f: Sequence[float], p: float, t: int) -> bool:
        x = read(v, f, p, t)
        return x is not None and x == x and (x in values) is not negated

    return member


def _reads(value: Value) -> Reads:
    match value:
        case Constant(value=constant):
            return lambda v, f, p, t: constant
        case Operand(source="feature", place=place):
            return lambda v, f, p, t: f[place]
        case Operand(source="probability"):
            return lambda v, f, p, t: p
        case Operand(text=True, place=place):
            return lambda v, f, p, t: v[place]
        case Operand(place=place, scale=scale):
            return lambda v, f, p, t: nan if (x := v[place]) is None else x / scale  # type: ignore[operator]
        case Arithmetic(operator=operator, left=left, right=right):
            return _calculated(operator, _reads(left), _reads(right))


def _calculated(operator: str, a: Reads, b: Reads) -> Reads:
    made: dict[str, Reads] = {
        "+": lambda v, f, p, t: a(v, f, p, t) + b(v, f, p, t),
        "-": lambda v, f, p, t: a(v, f, p, t) - b(v, f, p, t),
        "*": lambda v, f, p, t: a(v, f, p, t) * b(v, f, p, t),
        "/": lambda v, f, p, t: a(v, f, p, t) / y if (y := b(v, f, p, t)) else nan,
    }
    return made[operator]

"""What a field is and which rules it sets, in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category, Field, Id, Integer, Key, Money, Number, Numeric, Text, Time

KINDS = {
    Id: "id", Key: "key", Text: "text", Time: "time", Money: "money", Number: "number", Integer: "whole number",
    Category: "category",
}  # fmt: skip


def tables(case: UseCase) -> Mapping[str, Sequence[Field]]:
    """Return the fields of every table of a use case: its events, called by their contract, and its child rows."""
    return {case.events.name: case.events.fields} | {child.name: child.fields for child in case.children}


def kind(field: Field) -> str:
    """Return what a field is."""
    return KINDS[type(field)]


def rules(field: Field) -> list[str]:
    """Return the rules of a field, each in a few words."""
    return list(_rules(field))


def _rules(field: Field) -> Iterator[str]:
    if isinstance(field, Time):
        yield f"ISO-8601 with an offset, at most {field.future} ahead of its arrival, {field.late} behind it"
    elif isinstance(field, Id) and field.ulid:
        yield "a ULID: 26 characters of Crockford's base 32"
    elif isinstance(field, Text):
        yield f"1 to {field.longest} characters"
        if field.pattern:
            yield f"matches {field.pattern}"
        if field.whole:
            yield "a whole number as text"
    elif isinstance(field, Category):
        yield f"one of {', '.join(field.one_of)}" + (f"; another counts as {field.other}" if field.other else "")
    elif isinstance(field, Numeric):
        yield from _bounds(field)
    missing = getattr(field, "means_missing", ())
    if missing:
        yield f"{', '.join(map(str, missing))} mean that it is missing"


def _bounds(field: Numeric) -> Iterator[str]:
    for words, bound in (("at least", field.at_least), ("at most", field.at_most)):
        if bound is not None:
            yield f"{words} {bound:,}" + (", capped" if field.cap else "")
    if isinstance(field, Money | Number):
        yield f"at most {field.decimals} decimals" if isinstance(field, Money) else f"{field.decimals} decimals kept"

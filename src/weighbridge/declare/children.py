"""The tables of rows that belong to an event, or to a row of another such table: loans, instalments, balances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from weighbridge.declare.fields import INT64_MAX, Field, Id, Integer, Key, Number, Numeric, Time, refuse
from weighbridge.declare.rollups import Asked

if TYPE_CHECKING:
    from weighbridge.declare.contract import Contract

MOST_ROWS = 10_000
RESERVED = ("key", "row", "seq", "place", "owner", "put", "until")  # columns beside those of the fields
RESERVED_NAMES = ("seq", "place", "event_us")  # columns beside those of the tables


@dataclass(frozen=True)
class Minus:
    """A number of every row that is the difference of two others, exact; missing where one of them is."""

    name: str
    left: str
    right: str


def minus(left: str, right: str, *, name: str) -> Minus:
    """Return `left - right` of two numbers of a child row, as a field for its rollups."""
    return Minus(name, left, right)


@dataclass(frozen=True)
class Child(Asked):
    """A named, closed list of fields whose rows belong to an event, or, with `of`, to a row of another child.

    `by`: the Key that names the owner, an Id or a Key of the event's contract; `to` names that field where it is called
    otherwise there. With `of` it names the `unique` Key of the parent's rows. `unique`: the field or fields that name a
    row among those of its owner; a newer row takes the place of an older one. Without it each file adds its rows.
    `derived` are differences of numbers that rollups may use. `most_rows` bounds the rows of one event; it is
    enforced when they are read, and is what makes every sum provably free of overflow.
    """

    name: str
    fields: Sequence[Field]
    by: str
    of: Child | None = None
    to: str | None = None
    unique: str | Sequence[str] | None = None
    derived: Sequence[Minus] = ()
    most_rows: int = MOST_ROWS

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "derived", tuple(self.derived))
        if self.unique is not None and not isinstance(self.unique, str):
            object.__setattr__(self, "unique", self.unique[0] if len(self.unique) == 1 else tuple(self.unique))
        if not self.name.isidentifier():
            raise refuse(f"child {self.name!r}", "its name is no identifier", "use letters, digits and underscores")
        if self.name.casefold() in RESERVED_NAMES:
            raise refuse(self._place, "its name is one of the store's", "rename it")
        self._check_names()
        if any(isinstance(f, Id) for f in self.fields):
            raise refuse(self._place, "it has an Id, which only events have", "make it a Key, and name it in unique=")
        if sum(isinstance(f, Time) for f in self.fields) > 1:
            raise refuse(self._place, "it has several Time fields", "declare one, or none")
        if not 1 <= self.most_rows <= 2**31:
            raise refuse(self._place, "most_rows is out of range", "choose 1 to 2147483648")
        self._check_keys()
        for made in self.derived:
            self._difference(made)

    def _check_names(self) -> None:
        """Refuse what the store cannot tell apart: it takes names that differ in case alone for one."""
        names = [f.name for f in self.fields] + [d.name for d in self.derived]
        folded = [name.casefold() for name in names]
        twice = sorted(n for n in names if folded.count(n.casefold()) > 1)
        if twice:
            but = "" if twice[0] in twice[1:] else ", but for upper and lower case"
            raise refuse(self._place, f"field {twice[-1]} stands twice{but}", "rename one of them with column=")
        taken = sorted(n for n in names if n.casefold() in RESERVED)
        if taken:
            raise refuse(self._place, f"field {taken[0]} is a name of the store's", "rename it with column=")

    def _check_keys(self) -> None:
        found = self.field(self.by, f"{self._place}, by=")
        if not isinstance(found, Key) or found.optional:
            raise refuse(self._place, f"by={self.by!r} is no Key that every row has", "name a Key, not optional")
        if self.unique is not None and len(set(self.key)) != max(len(self.key), 1):
            raise refuse(self._place, f"unique={self.unique!r} names no field, or one twice", "name each field once")
        for name in self.key:
            found = self.field(name, f"{self._place}, unique=")
            if found.optional or name not in self.names:
                fix = "name declared fields that are not optional"
                raise refuse(self._place, f"unique={name!r} is no field that every row has", fix)
        if self.of is not None and self.of.row_key is None:
            fix = f"declare unique= on {self.of.name}, one Key"
            raise refuse(self._place, f"no Key names a row of {self.of.name}", fix)
        if self.of is not None and self.to is not None and self.to != self.of.row_key:
            raise refuse(self._place, f"to={self.to!r} does not name a row of {self.of.name}", "leave to= out")

    @property
    def _place(self) -> str:
        return f"child {self.name}"

    @cached_property
    def time(self) -> Time | None:
        """The field that tells when a row happened, where there is one: rows that happened later do not count."""
        return next((f for f in self.fields if isinstance(f, Time)), None)

    @property
    def unbounded(self) -> Child:
        """The table with the default bound of rows, which is no part of what is stored."""
        return replace(self, most_rows=MOST_ROWS, of=self.of and self.of.unbounded)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The fields that, together, name a row among those of its owner; none where nothing does."""
        if self.unique is None:
            return ()
        return (self.unique,) if isinstance(self.unique, str) else tuple(self.unique)

    @cached_property
    def row_key(self) -> str | None:
        """The one Key that names a row, which rows of another child can belong to; None where there is none."""
        return next((f.name for f in self.fields if isinstance(f, Key) and self.key == (f.name,)), None)

    @cached_property
    def owner(self) -> str:
        """The field of the event, or of the parent's rows, that `by` names."""
        return str(self.of.row_key) if self.of is not None else self.to or self.by

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all declared fields, those of files and requests."""
        return frozenset(f.name for f in self.fields)

    @cached_property
    def known(self) -> dict[str, Field]:
        """Every field that a rollup may use, declared and derived, by name."""
        return {f.name: f for f in (*self.fields, *map(self._difference, self.derived))}

    def field(self, name: str, where: str) -> Field:
        """Return a field, declared or derived, by name; refuses an unknown one, naming the place that asked."""
        for found in self.fields:
            if found.name == name:
                return found
        for made in self.derived:
            if made.name == name:
                return self._difference(made)
        known = ", ".join([f.name for f in self.fields] + [d.name for d in self.derived])
        raise refuse(where, f"child {self.name} has no field {name!r}", f"use one of {known}")

    def _difference(self, made: Minus) -> Field:
        """Return what a derived field is: the finer decimals of the two, and the bounds that follow from theirs."""
        place, sides = f"{self._place}, {made.name}", []
        for name in (made.left, made.right):
            found = next((f for f in self.fields if f.name == name), None)
            if not isinstance(found, Numeric):
                raise refuse(place, f"{name!r} is no number of its rows", "subtract two numbers that are declared")
            if found.magnitude is None:
                raise refuse(place, f"{name} has no bounds, so a difference can overflow", "declare both bounds")
            sides.append(found)
        left, right = sides
        scale = max(left.scale, right.scale)
        if sum((side.magnitude or 0) * (scale // side.scale) for side in sides) > INT64_MAX:
            raise refuse(place, "the difference can overflow 64 bits", "use fewer decimals or nearer bounds")
        low, high = _least(left) - _most(right), _most(left) - _least(right)
        optional = left.optional or right.optional
        if scale == 1:
            return Integer(made.name, optional=optional, at_least=low, at_most=high)
        return Number(made.name, optional=optional, at_least=low, at_most=high, decimals=len(str(scale)) - 1)


def _least(field: Numeric) -> float:
    return 0.0 if field.at_least is None else field.at_least


def _most(field: Numeric) -> float:
    return 0.0 if field.at_most is None else field.at_most


def check_children(place: str, events: Contract, children: Sequence[Child]) -> None:
    """Refuse child tables that do not belong to an event's contract, or stand before their parent."""
    before: list[Child] = []
    for child in children:
        where = f"{place}, child {child.name}"
        taken = {name.casefold() for name in (*events.names, *(c.name for c in before))}
        if child.name.casefold() in taken:
            raise refuse(where, "its name is taken by a field or another child, upper or lower case", "rename it")
        if child.of is not None and child.of not in before:
            raise refuse(where, f"its parent {child.of.name} is not listed before it", "list the parent first")
        owner = child.of.field(child.owner, where) if child.of else events.field(child.owner, where)
        if not isinstance(owner, Id | Key):
            raise refuse(where, f"{child.owner} is a {type(owner).__name__}", "give to= an Id or a Key of the event")
        if owner.pii != child.field(child.by, where).pii:
            raise refuse(where, f"{child.by} and {child.owner} differ in pii=", "pseudonymise both, or none")
        before.append(child)

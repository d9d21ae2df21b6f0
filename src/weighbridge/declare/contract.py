"""The data contract of one kind of event: its fields, their types and bounds, and how late they may come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from weighbridge.clock import duration_us
from weighbridge.declare.aggregates import Entity
from weighbridge.declare.fields import Field, Id, Key, Time, refuse

if TYPE_CHECKING:
    from weighbridge.declare.children import Child

RESERVED = ("row", "seq", "event_id", "event_us", "arrived_us", "sent")
ARRIVED = Time("arrived")  # a moment that a file tells and no contract declares


@dataclass(frozen=True)
class Contract:
    """A named, closed list of fields with exactly one `Id` and at most one `Time`.

    Without a `Time` an event happens when it arrives.
    `events_per_key` bounds how many retained events one key may have; it is enforced when state is built and
    served, and it is what makes every sum provably free of overflow. `children` are set by the use case.
    """

    name: str
    fields: Sequence[Field]
    events_per_key: int = 1_000_000
    children: Sequence[Child] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        names = [f.name for f in self.fields]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise refuse(f"contract {self.name}", f"field {twice[0]} stands twice", "rename one of them")
        ids, times = (sum(isinstance(f, kind) for f in self.fields) for kind in (Id, Time))
        if ids != 1:
            raise refuse(f"contract {self.name}", f"it has {ids} Id fields", "declare exactly one")
        if times > 1:
            raise refuse(f"contract {self.name}", f"it has {times} Time fields", "declare one, or none")
        taken = {n for n in names if n in RESERVED} - {self.id.name}
        if taken:
            raise refuse(
                f"contract {self.name}", f"field {min(taken)} is a name of the log's", "rename it with column="
            )
        if not 1 <= self.events_per_key <= 2**31:
            raise refuse(f"contract {self.name}", "events_per_key is out of range", "choose 1 to 2147483648")

    @cached_property
    def id(self) -> Id:
        """The field that names an event."""
        return next(f for f in self.fields if isinstance(f, Id))

    @cached_property
    def time(self) -> Time | None:
        """The field that tells when an event happened; None where its arrival does."""
        return next((f for f in self.fields if isinstance(f, Time)), None)

    @cached_property
    def late_us(self) -> int:
        """How long after it happened an event may arrive, microseconds."""
        return duration_us(self.time.late) if self.time else 0

    @cached_property
    def future_us(self) -> int:
        """How long before it happened an event may arrive, microseconds."""
        return duration_us(self.time.future) if self.time else 0

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all fields."""
        return frozenset(f.name for f in self.fields)

    @cached_property
    def members(self) -> frozenset[str]:
        """What a raw event may have: fields, and lists of child rows."""
        return self.names | {child.name for child in self.children}

    @cached_property
    def payload(self) -> tuple[Field, ...]:
        """Every field but the id and the time, in order."""
        return tuple(f for f in self.fields if not isinstance(f, Id | Time))

    def field(self, name: str, where: str) -> Field:
        """Return a field by name; refuses an unknown one, naming the place that asked."""
        for found in self.fields:
            if found.name == name:
                return found
        known = ", ".join(f.name for f in self.fields)
        raise refuse(where, f"contract {self.name} has no field {name!r}", f"use one of {known}")

    def by(self, key: str) -> Entity:
        """Return the entity whose history is grouped by a `Key` field."""
        field = self.field(key, f"{self.name}.by({key!r})")
        if not isinstance(field, Key):
            raise refuse(f"{self.name}.by({key!r})", f"{key} is a {type(field).__name__}", "group by a Key field")
        return Entity(self, key)

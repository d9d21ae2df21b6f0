"""A seeded world to try a use case on: who acts, how, and which patterns go wrong when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weighbridge.declare.fields import check_duration, refuse

CHANGES = ("times", "between", "choice", "fresh", "any")


@dataclass(frozen=True)
class Change:
    """What a pattern does to a field of an event.

    `times` multiplies a number by a factor, `between` draws it anew, `choice` takes one of `values`, `fresh`
    takes a category that is not the actor's habit, or any place alike, `any` draws from the whole population, popular
    values more often.
    """

    field: str
    how: str
    low: float = 0.0
    high: float = 0.0
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.how not in CHANGES:
            raise refuse(f"change of {self.field}", f"how={self.how!r} is unknown", f"use one of {CHANGES}")
        if self.low > self.high:
            raise refuse(f"change of {self.field}", "low is above high", "swap them")
        if (self.how == "choice") != bool(self.values):
            raise refuse(f"change of {self.field}", "a choice, and only a choice, has values", "use choice()")


def times(field: str, low: float, high: float) -> Change:
    """Multiply a number by a factor drawn between low and high."""
    return Change(field, "times", low, high)


def between(field: str, low: float, high: float) -> Change:
    """Draw a number between low and high."""
    return Change(field, "between", low, high)


def choice(field: str, values: Sequence[float]) -> Change:
    """Take one of some numbers."""
    return Change(field, "choice", values=tuple(values))


def fresh(field: str) -> Change:
    """Take a category that is not the actor's habit, or any place, however unpopular."""
    return Change(field, "fresh")


def anywhere(field: str) -> Change:
    """Draw from the whole population, popular values more often, instead of the actor's own habits."""
    return Change(field, "any")


@dataclass(frozen=True)
class Pattern:
    """One way things go wrong, in episodes at one victim of the field `at`.

    An episode at the actor adds `events` (low, high) events with `gap` between them on average. With `spreads`, the
    victim is a place: for that long a share `taints` of the events that pass through it goes wrong instead.
    `share` is the pattern's part of all positive events while it is active; `starts` is the fraction of the simulated
    time from which on it exists.
    """

    name: str
    at: str
    share: float
    changes: Sequence[Change] = ()
    events: tuple[int, int] = (1, 1)
    gap: str = "5min"
    spreads: str | None = None
    taints: float = 0.5
    starts: float = 0.0

    def __post_init__(self) -> None:
        place = f"pattern {self.name}"
        object.__setattr__(self, "changes", tuple(self.changes))
        check_duration(place, "gap", self.gap)
        if self.spreads is not None:
            check_duration(place, "spreads", self.spreads)
        if not self.share > 0 or not 0 <= self.starts < 1 or not 0 < self.taints <= 1:
            raise refuse(
                place, "share, starts or taints is out of range", "use share > 0, 0 <= starts < 1, 0 < taints <= 1"
            )
        if not 1 <= self.events[0] <= self.events[1]:
            raise refuse(place, f"events={self.events} is no range", "give (low, high) with 1 <= low <= high")


@dataclass(frozen=True)
class Simulation:
    """The world: `actor` is the key field whose members act; every other key field is a place they visit.

    `names` says how the members of a key field are called, such as {"user_id": "user-{}"}, with their number for {};
    the others are c000001 (actors) or m000001 (places). `place_fields` are the categories that belong to a place and
    not to the actor. `events` over `days`; `rate` is the share of positive events before any late-starting pattern;
    labels of positives arrive after an exponential delay of mean `delay` (never later than the label matures),
    negatives when it matures.
    """

    actor: str
    actors: int
    amount: str
    patterns: Sequence[Pattern]
    places: int = 1
    place_fields: Sequence[str] = ()
    days: int = 80
    events: int = 48_000
    rate: float = 0.01
    delay: str = "36h"
    late_share: float = 0.01
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "patterns", tuple(self.patterns))
        object.__setattr__(self, "place_fields", tuple(self.place_fields))
        check_duration("Simulation", "delay", self.delay)
        for name, form in self.names.items():
            if form.count("{}") != 1:
                raise refuse(f"Simulation, names of {name}", f"{form!r} has no single {{}}", 'write such as "user-{}"')
        if min(self.actors, self.places, self.days, self.events) < 1:
            raise refuse("Simulation", "it has no actors, places, days or events", "give 1 or more of each")
        if not 0 < self.rate < 0.5 or not 0 <= self.late_share < 1:
            raise refuse("Simulation", "rate or late_share is out of range", "use 0 < rate < 0.5, 0 <= late_share < 1")
        if not any(pattern.starts == 0 for pattern in self.patterns):
            raise refuse("Simulation", "no pattern is active from the start", "give one pattern starts=0")

    def called(self, name: str, number: int) -> str:
        """Return what a member of a key field is called."""
        if name in self.names:
            return self.names[name].replace("{}", str(number))
        return f"{'c' if name == self.actor else 'm'}{number:06d}"

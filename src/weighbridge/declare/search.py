"""Which parameters of a model are searched for, where, and for how long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weighbridge.declare.fields import check_duration, refuse

Value = float | str | bool


@dataclass(frozen=True)
class Range:
    """Every number from `low` to `high`, whole ones where both ends are whole; `log`: by ratio, not by difference."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        place = f"Range({self.low!r}, {self.high!r})"
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise refuse(place, "it holds no range of numbers", "give a lower and a higher finite number")
        if self.log and self.low <= 0:
            raise refuse(place, "log=True begins at 0 or below", "begin above 0, or leave log= out")

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return all(isinstance(end, int) and not isinstance(end, bool) for end in (self.low, self.high))

    def holds(self, value: object) -> bool:
        """Return whether a value is one of those meant."""
        number = isinstance(value, int) if self.whole else isinstance(value, int | float)
        return number and not isinstance(value, bool) and self.low <= value <= self.high  # type: ignore[operator]


Space = tuple[tuple[str, Range | tuple[Value, ...]], ...]


@dataclass(frozen=True)
class Search:
    """A search for a model's parameters on `folds` of the training rows, later ones judging earlier ones.

    `trials`: how many sets of parameters are tried, the declared ones first. `timeout`: after so long no further trial
    begins; a search that it cuts short depends on the machine, any other has one result per `seed`. `space`: a Range or
    a list of choices by parameter; None is the family's own, without what the model declares itself.
    """

    trials: int = 40
    timeout: str | None = None
    folds: int = 3
    seed: int = 7
    space: Mapping[str, Range | Sequence[Value]] | Space | None = None

    def __post_init__(self) -> None:
        if self.trials < 1 or self.folds < 1:
            raise refuse("Search", "trials= or folds= is less than 1", "give 1 or more")
        if self.timeout is not None:
            check_duration("Search", "timeout", self.timeout)
        if self.space is None:
            return
        pairs = self.space.items() if isinstance(self.space, Mapping) else self.space
        for name, of in pairs:
            if not isinstance(of, Range | list | tuple):
                raise refuse("Search", f"{name}={of!r} is no range", "give Range(low, high), or a list of choices")
        kept = {name: of if isinstance(of, Range) else tuple(of) for name, of in pairs}
        if not kept:
            raise refuse("Search", "space= is empty", "name a parameter, or leave it out for the family's own")
        for name, of in kept.items():
            if not isinstance(of, Range) and len(set(of)) < 2:
                raise refuse("Search", f"{name} has fewer than two choices", "list two, or declare it at the model")
        object.__setattr__(self, "space", tuple(sorted(kept.items())))

    @property
    def ranges(self) -> dict[str, Range | tuple[Value, ...]]:
        """The space by parameter; empty where it is the family's own."""
        return dict(self.space or ())  # type: ignore[arg-type]

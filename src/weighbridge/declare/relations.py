"""A seeded world of events and their child tables, whose structure is known: what each column depends on is declared.

A Gaussian copula: every event has hidden factors, standard normal numbers. Behind each value stands a standard normal
number too, a weighted sum of factors and of chance, which its column turns into a value. Weights are correlations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from statistics import NormalDist
from typing import Any

from weighbridge.declare.fields import refuse

NORMAL, LOGNORMAL, AMONG, STEPS = "normal", "lognormal", "among", "steps"


@dataclass(frozen=True)
class Shape:
    """How a standard normal number becomes a value; made by `normal`, `lognormal`, `among`, `flag` and `steps`.

    `bounds` keep numbers within; `values` and `limits` are those of `among`: the number below the first limit means the
    first value, and so on.
    """

    kind: str
    centre: float = 0.0
    spread: float = 0.0
    bounds: tuple[float | None, float | None] = (None, None)
    values: tuple[str | float, ...] = ()
    limits: tuple[float, ...] = ()


def normal(mean: float, spread: float, *, at_least: float | None = None, at_most: float | None = None) -> Shape:
    """A number around a mean, with this standard deviation."""
    return Shape(NORMAL, mean, spread, _bounds(at_least, at_most, spread))


def lognormal(median: float, spread: float, *, at_least: float | None = None, at_most: float | None = None) -> Shape:
    """A number around a median, whose logarithm has this standard deviation."""
    if not median > 0:
        raise refuse("lognormal()", f"median={median} is not above 0", "give the median of the numbers")
    return Shape(LOGNORMAL, math.log(median), spread, _bounds(at_least, at_most, spread))


def among(shares: Mapping[Any, float]) -> Shape:
    """One of some values by their shares; those further down the list go with larger numbers behind them."""
    total = sum(shares.values())
    if not shares or min(shares.values()) <= 0:
        raise refuse("among()", "a share is not above 0", "give each value a share above 0")
    cumulated = [sum(list(shares.values())[: place + 1]) / total for place in range(len(shares) - 1)]
    limits = tuple(NormalDist().inv_cdf(min(share, 1 - 1e-12)) for share in cumulated)
    return Shape(AMONG, values=tuple(shares), limits=limits)


def flag(share: float) -> Shape:
    """1 with this share, else 0."""
    if not 0 < share < 1:
        raise refuse("flag()", f"share={share} is no share", "choose 0 to 1")
    return among({0: 1 - share, 1: share})


def steps(first: float, step: float) -> Shape:
    """A number that goes on by a step from row to row of the same owner: months, instalments."""
    return Shape(STEPS, first, step)


def _bounds(at_least: float | None, at_most: float | None, spread: float) -> tuple[float | None, float | None]:
    if spread < 0 or (at_least is not None and at_most is not None and at_least > at_most):
        raise refuse("a simulated number", "its spread is below 0 or its bounds are crossed", "mend them")
    return at_least, at_most


@dataclass(frozen=True)
class Drawn:
    """How one column is made: `of` are the weights of the hidden factors behind it, by name.

    `plus` and `times` name an earlier number of the same row that is added to the value, or that multiplies it.
    `missing` is the share of rows without a value, `unknown` that of rows with the field's own sign for missing.
    """

    field: str
    shape: Shape
    of: Mapping[str, float] = default(default_factory=dict)
    plus: str | None = None
    times: str | None = None
    missing: float = 0.0
    unknown: float = 0.0

    def __post_init__(self) -> None:
        where = f"simulated {self.field}"
        check_weights(where, self.of)
        if not (0 <= self.missing < 1 and 0 <= self.unknown < 1):
            raise refuse(where, "missing or unknown is no share", "choose 0 to 1")
        if self.shape.kind == STEPS and self.of:
            raise refuse(where, "steps depend on nothing", "take of= out")


def drawn(
    field: str, shape: Shape, *, plus: str | None = None, times: str | None = None, missing: float = 0.0,
    unknown: float = 0.0, **of: float,
) -> Drawn:  # fmt: skip
    """Return how a column is made; further arguments are the weights of factors: `standing=-0.4`."""
    return Drawn(field, shape, of, plus, times, missing, unknown)


@dataclass(frozen=True)
class Rows:
    """The rows of a child table: a number drawn for each owner, an event or, with `under`, a row of another table.

    A share `none` of the owners has no row. Key fields that are called like the key of an owner, or of an owner's
    owner, hold that; columns that are not drawn stay empty.
    """

    table: str
    number: Shape
    columns: Sequence[Drawn]
    under: str | None = None
    of: Mapping[str, float] = default(default_factory=dict)
    none: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        check_weights(f"rows of {self.table}", self.of)
        if self.number.kind not in (NORMAL, LOGNORMAL) or not 0 <= self.none < 1:
            raise refuse(f"rows of {self.table}", "their number is no number", "use normal() or lognormal(), none < 1")


@dataclass(frozen=True)
class Relations:
    """The world: hidden `factors`, the event's own `columns`, its `tables`, and what makes the label.

    `risk` are the weights of the factors behind the label, `rate` the share of positives. `first_id` is the number of
    the first event. What is best possible from all factors follows: their weights leave 1 - sum of squares to chance.
    """

    factors: Sequence[str]
    columns: Sequence[Drawn]
    tables: Sequence[Rows]
    risk: Mapping[str, float]
    rate: float = 0.08
    events: int = 10_000
    first_id: int = 100_001

    def __post_init__(self) -> None:
        for name in ("factors", "columns", "tables"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_weights("risk", self.risk)
        if not 0 < self.rate < 1 or self.events < 1:
            raise refuse("Relations", "rate or events is out of range", "use 0 < rate < 1, and 1 event or more")
        before: set[str] = set()
        for rows in self.tables:
            if rows.under is not None and rows.under not in before:
                raise refuse(f"rows of {rows.table}", f"{rows.under} is not listed before it", "list it first")
            before.add(rows.table)
        columns = [*self.columns, *(column for rows in self.tables for column in rows.columns)]
        weights = [self.risk, *(column.of for column in columns), *(rows.of for rows in self.tables)]
        asked = {name for of in weights for name in of}
        unknown = sorted(asked - set(self.factors))
        if unknown:
            raise refuse("Relations", f"{unknown[0]!r} is no factor", f"use one of {', '.join(self.factors)}")


def check_weights(where: str, of: Mapping[str, float]) -> None:
    """Refuse weights whose squares sum to more than 1: they are correlations with independent factors."""
    if sum(weight * weight for weight in of.values()) > 1 + 1e-9:
        raise refuse(where, "the squares of its weights sum to more than 1", "make them smaller")

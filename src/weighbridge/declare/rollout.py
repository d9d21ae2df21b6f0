"""How a new bundle comes to decide: who meets it first, step by step, and what it may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from weighbridge.declare.contract import Contract
from weighbridge.declare.fields import Category, Key, Text, Time, check_duration, refuse

MIB = 1 << 20


@dataclass(frozen=True)
class Step:
    """One step: a share of the traffic, and what it needs before the next; share 0 is a shadow, which decides nothing.

    `decisions`: so many of the bundle, for a shadow so many pairs with what was decided. `lasts`: the least time.
    """

    share: float
    decisions: int = 500
    lasts: str = "1h"

    def __post_init__(self) -> None:
        place = f"Step({self.share:g})"
        if not 0 <= self.share <= 1:
            raise refuse(place, "its share is not a part of the traffic", "give 0 (a shadow) to 1")
        if self.decisions < 1:
            raise refuse(place, f"decisions={self.decisions} shows nothing", "ask for 1 or more")
        check_duration(place, "lasts", self.lasts)

    @property
    def lasts_us(self) -> int:
        """The least time of the step, microseconds."""
        return check_duration("Step", "lasts", self.lasts)


@dataclass(frozen=True)
class Guardrails:
    """How far a canary may be from the champion; beyond it for sure, it is taken out. All bounds are parts of 1.

    `errors`: events that it could not score. `slower`: by how much more of its decisions took longer than `slow` than
    of the champion's at the same time. The others compare both bundles on the same events: `score`, their mean
    probability; `declines`, what their thresholds decline; `flags`, what they review or decline, in either direction;
    `recall`, by how much fewer of the matured positives it flags that neither declines, so that both know the label.
    """

    errors: float = 0.01
    slow: str = "50ms"
    slower: float = 0.02
    score: float = 0.05
    declines: float = 0.02
    flags: float = 0.05
    recall: float = 0.10

    def __post_init__(self) -> None:
        for field in fields(self):
            bound = getattr(self, field.name)
            if field.name != "slow" and not 0 < bound < 1:
                raise refuse(
                    "Guardrails", f"{field.name}={bound!r} is not a part of 1", "give a bound above 0, below 1"
                )
        if self.slow_us == 0:
            raise refuse("Guardrails", "slow is 0", "give the time after which a decision is slow")

    @property
    def slow_us(self) -> int:
        """The time after which a decision is slow, microseconds."""
        return check_duration("Guardrails", "slow", self.slow)


@dataclass(frozen=True)
class Rollout:
    """What a canary goes by, the way of a new bundle into production, and the bounds of a bundle.

    `sticky`: the field whose value meets one model only for as long as a canary lasts, by default the contract's first
    `Key`, without one its `Id`. A bundle of more than `largest_mb` MiB is refused before it is read, one whose median
    probe takes longer than `slowest_ms` before it decides. `steps` rise in their share, and production follows the last
    one. Guardrails are looked at `every` so often; `alpha` bounds the chance that any of them ever takes out a bundle
    which keeps to its bounds, over the whole rollout and however often one looks, as far as events are independent:
    where few busy keys make up a canary it is larger. What is not in production after `longest` is taken out, so that
    nothing waits for ever.
    """

    sticky: str | None = None
    slowest_ms: float = 20.0
    largest_mb: float = 256.0
    steps: Sequence[Step] = (Step(0.0, decisions=1_000), Step(0.01), Step(0.10), Step(0.50))
    every: str = "1min"
    longest: str = "28d"
    alpha: float = 0.01
    guardrails: Guardrails = Guardrails()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if not self.slowest_ms > 0 or not self.largest_mb > 0:
            raise refuse("Rollout", "slowest_ms or largest_mb is not above 0", "give bounds that a bundle can keep")
        shares = [step.share for step in self.steps]
        if not shares or shares != sorted(set(shares)):
            raise refuse(
                "Rollout", f"the shares of its steps, {shares}, do not rise", "give each a larger one, from 0 on"
            )
        if shares == [0.0]:
            raise refuse("Rollout", "its only step is a shadow", "add a step with a share of the traffic")
        if not 0 < self.alpha <= 0.2:
            raise refuse("Rollout", f"alpha={self.alpha!r} is no error rate", "give one above 0 and up to 0.2, as 0.01")
        if self.longest_us < sum(step.lasts_us for step in self.steps):
            raise refuse("Rollout", f"longest={self.longest!r} is shorter than its steps", "give it more time")
        if self.every_us < 1_000_000:
            raise refuse("Rollout", f"every={self.every!r} is too often", "give 1s or more")

    @property
    def every_us(self) -> int:
        """The time between two looks at the guardrails, microseconds."""
        return check_duration("Rollout", "every", self.every)

    @property
    def longest_us(self) -> int:
        """The longest time from the first step to production, microseconds."""
        return check_duration("Rollout", "longest", self.longest)

    @property
    def largest_bytes(self) -> int:
        """The most bytes a bundle may have."""
        return int(self.largest_mb * MIB)

    def sticks_to(self, contract: Contract) -> str:
        """Return the name of the field that a canary goes by; refuses one that is no text."""
        if self.sticky is None:
            return next((f.name for f in contract.payload if isinstance(f, Key)), contract.id.name)
        field = contract.field(self.sticky, "Rollout")
        if isinstance(field, Time) or not isinstance(field, Text | Category):
            raise refuse("Rollout", f"sticky={self.sticky!r} is a {type(field).__name__}", "name a Key")
        return field.name

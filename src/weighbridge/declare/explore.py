"""How much of what would be declined is let through, to learn what becomes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from weighbridge.declare.fields import refuse


@dataclass(frozen=True)
class Explore:
    """A share of would-be declines is let through, so that their labels arrive too.

    Only what the thresholds decline is explored: never what a rule or a list decides, never a degraded answer. An event
    that is let through gets the mildest action that the rules allow. `spend_per_day` bounds the amounts let through on
    a day (UTC, of arrival), in the units of the field that `Costs(amount=...)` names; without one, each event counts 1.
    `largest` leaves out events above an amount. Chance is a hash of the event's id and `seed`, keyed by
    a secret of the home.
    """

    share: float
    spend_per_day: float
    largest: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise refuse("Explore", f"share={self.share} is no share of would-be declines", "choose above 0, up to 1")
        for name, amount in (("spend_per_day", self.spend_per_day), ("largest", self.largest)):
            if amount is not None and not (amount > 0 and math.isfinite(amount)):
                raise refuse("Explore", f"{name}={amount} lets nothing through", "give an amount above 0")

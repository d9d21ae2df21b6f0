"""From a probability to an action, and what each outcome costs."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.fields import refuse


@dataclass(frozen=True)
class Costs:
    """Costs in major units of money.

    A missed positive costs `missed` times its `amount` field (or `missed` itself without one); declining a
    good event costs `wrong_decline`; a review costs `review` and finds the truth.
    """

    amount: str | None = None
    missed: float = 1.0
    wrong_decline: float = 10.0
    review: float = 3.0

    def __post_init__(self) -> None:
        if min(self.missed, self.wrong_decline, self.review) < 0:
            raise refuse("Costs", "a cost is negative", "give costs of 0 or more")


@dataclass(frozen=True)
class Policy:
    """How scores become actions.

    `review_at` and `decline_at` are probabilities; where they are left out, training chooses the pair with the
    least net cost on the validation set, with at most `review_capacity_per_day` reviews on an average day.
    `bands` are the lower bounds of the risk levels, in rising order.
    """

    costs: Costs = Costs()
    review_at: float | None = None
    decline_at: float | None = None
    review_capacity_per_day: int = 100
    bands: tuple[tuple[str, float], ...] = (("low", 0.0), ("medium", 0.05), ("high", 0.3), ("critical", 0.7))

    def __post_init__(self) -> None:
        object.__setattr__(self, "bands", tuple(tuple(band) for band in self.bands))
        floors = [floor for _, floor in self.bands]
        if not floors or floors[0] != 0 or floors != sorted(set(floors)) or floors[-1] > 1:
            raise refuse("Policy", f"the bands {self.bands} do not rise from 0", "start at 0 and list rising floors")
        for name, at in (("review_at", self.review_at), ("decline_at", self.decline_at)):
            if at is not None and not 0 <= at <= 1:
                raise refuse("Policy", f"{name}={at} is no probability", "choose 0 to 1")
        if (self.review_at is None) != (self.decline_at is None):
            raise refuse("Policy", "only one of review_at and decline_at is given", "give both or neither")
        if self.review_at is not None and self.decline_at is not None and self.review_at > self.decline_at:
            raise refuse("Policy", "review_at is above decline_at", "swap them")
        if self.review_capacity_per_day < 0:
            raise refuse("Policy", "review_capacity_per_day is negative", "give 0 or more")

"""From a probability to an action, and what each outcome costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weighbridge.declare.actions import ACTIONS
from weighbridge.declare.contract import Contract
from weighbridge.declare.explore import Explore
from weighbridge.declare.expression import PROBABILITY, Condition, Operand
from weighbridge.declare.fallback import Fallback
from weighbridge.declare.fields import Category, Id, Text, refuse
from weighbridge.declare.reader import parsed, read_condition

AVERAGE_DAY, EVERY_DAY = "average_day", "every_day"


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
class ListOf:
    """A list of values of a field, such as blocked cards. What is on it is edited while it serves.

    It holds at most `most` values at a time.
    """

    name: str
    field: str
    most: int = 100_000

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise refuse(f"list {self.name!r}", "this is not a name", "use letters, digits and underscores")
        if self.most < 1:
            raise refuse(f"list {self.name}", "most= is below 1", "give 1 or more")


@dataclass(frozen=True)
class Rule:
    """What happens when a condition holds: `action` decides, `at_least` makes the outcome no milder than that.

    `when` is a text such as "amount > 1000 and card_id not in trusted_cards", in units of the declaration. `reason`
    says it to people.
    """

    name: str
    when: str
    action: str | None = None
    at_least: str | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise refuse(f"rule {self.name!r}", "its name is not an identifier", "use letters, digits and underscores")
        if (self.action is None) == (self.at_least is None):
            raise refuse(self.place, "it has none or both of action= and at_least=", "give one of them")
        if (self.action or self.at_least) not in ACTIONS or self.at_least == ACTIONS[0]:
            known = ACTIONS if self.at_least is None else ACTIONS[1:]
            raise refuse(self.place, f"{self.action or self.at_least!r} is no action", f"use {' or '.join(known)}")
        parsed(self.place, self.when)

    @property
    def place(self) -> str:
        """Where a fault in it is."""
        return f"rule {self.name}"


@dataclass(frozen=True)
class Policy:
    """How scores become actions.

    `rules` are read from the first to the last: the first that holds and has an `action` decides, else the thresholds
    do; an `at_least` that was met on the way is kept. `lists` are what conditions may ask for with `in`.

    `review_at` and `decline_at` are probabilities; where they are left out, training chooses the pair with the
    least net cost on the validation set, with at most `review_capacity_per_day` reviews on an average day, or on each
    day with `capacity_on="every_day"`. `bands` are the lower bounds of the risk levels, in rising order. `fallback`
    tells what decides when state, model or time is missing, `explore` how much of what the thresholds decline is let
    through.
    """

    costs: Costs = Costs()
    review_at: float | None = None
    decline_at: float | None = None
    review_capacity_per_day: int = 100
    bands: tuple[tuple[str, float], ...] = (("low", 0.0), ("medium", 0.05), ("high", 0.3), ("critical", 0.7))
    capacity_on: str = AVERAGE_DAY
    rules: Sequence[Rule] = ()
    lists: Sequence[ListOf] = ()
    fallback: Fallback = Fallback()
    explore: Explore | None = None

    def __post_init__(self) -> None:
        for name in ("rules", "lists"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            names = [part.name for part in getattr(self, name)]
            if len(set(names)) < len(names):
                raise refuse("Policy", f"two {name} are called {max(names, key=names.count)}", "rename one of them")
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
        if self.capacity_on not in (AVERAGE_DAY, EVERY_DAY):
            raise refuse(
                "Policy", f"capacity_on={self.capacity_on!r} is unknown", f"use {AVERAGE_DAY!r} or {EVERY_DAY!r}"
            )

    def conditions(self, contract: Contract, feature_names: Sequence[str]) -> tuple[Condition, ...]:
        """Return what each rule asks for, by the names of a contract and a vector; refuses what has no meaning."""
        names = operands(contract, feature_names)
        for each in self.lists:
            field = contract.field(each.field, f"list {each.name}")
            if each.name in names:
                raise refuse(f"list {each.name}", "a field or a feature has its name", "rename it")
            if not isinstance(field, Text | Category) or isinstance(field, Id):
                raise refuse(f"list {each.name}", f"{each.field} is a {type(field).__name__}", "list values of a Key")
        lists = {each.name: each.field for each in self.lists}
        return tuple(read_condition(rule.place, rule.when, names, lists) for rule in self.rules)


def operands(contract: Contract, feature_names: Sequence[str]) -> Mapping[str, Operand]:
    """Return the names that conditions may use; a field goes before a feature of the same name."""
    names = {PROBABILITY: Operand(PROBABILITY, PROBABILITY)}
    names |= {name: Operand(name, "feature", place) for place, name in enumerate(feature_names)}
    for place, field in enumerate(contract.payload):
        one_of = field.one_of if isinstance(field, Category) else ()
        secret = field.pii == "pseudonymised"
        names[field.name] = Operand(
            field.name, "field", place, field.scale, not field.numeric, tuple(one_of), pseudonymised=secret
        )
    return names

"""Which bundle an event meets: a function of the route of the time and of the event alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from weighbridge.declare.contract import Contract
from weighbridge.identity import Draws
from weighbridge.ports import EventLog
from weighbridge.records import CANARY, PRODUCTION, SHADOW, EventRecord
from weighbridge.score.bundle import Bundle

__all__ = ["CANARY", "CHAMPION", "PRODUCTION", "ROUTE", "SHADOW", "Arms", "Route", "Stuck", "arms_noted"]

CHAMPION = "champion"
ROUTE = "route"  # the kind of note that tells which bundles decide from its place on


class Stuck:
    """Finds in an event what a canary goes by, a field's value or the event's id, and by it the arm."""

    def __init__(self, contract: Contract, sticky: str, draws: Draws) -> None:
        places = {field.name: place for place, field in enumerate(contract.payload)}
        self._place, self._draws = places.get(sticky), draws

    def arm(self, arms: Arms, event: EventRecord) -> str | None:
        """Return which arm an event meets: the champion where it has no value. None as of `Arms.arm`."""
        found = event.event_id if self._place is None else event.values[self._place]
        return arms.arm(None if found is None else str(found), self._draws)


@dataclass(frozen=True)
class Arms:
    """The ids of the bundles of a route, as the log notes them. `share` of the values of `sticky` meet the canary.

    `key` is the id of the key that draws them; None: a plain hash does.
    """

    champion: str | None = None
    canary: str | None = None
    share: float | None = None
    shadow: str | None = None
    sticky: str = ""
    key: str | None = None

    def arm(self, text: str | None, draws: Draws) -> str | None:
        """Return which arm a value of the sticky field meets, None where that takes another key than this home's.

        A function of the value and of the canary: nobody changes sides while it lasts, and raising its share only adds.
        """
        if self.canary is None or text is None:
            return CHAMPION
        drawn = draws.falls_on(f"{self.canary} {text}", self.share or 0.0, self.key)
        return None if drawn is None else CANARY if drawn else CHAMPION

    def bundle(self, arm: str) -> str | None:
        """Return the id of the bundle of an arm."""
        return self.canary if arm == CANARY else self.champion

    def body(self) -> dict[str, Any]:
        """Return it as JSON members."""
        return asdict(self)


@dataclass(frozen=True)
class Route:
    """The bundles that decide now, ready to; immutable, so that every event meets one route whole."""

    arms: Arms = Arms()
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    stuck: Stuck | None = None

    @property
    def champion(self) -> Bundle | None:
        """The bundle in production."""
        return self.bundles.get(self.arms.champion or "")

    @property
    def shadow(self) -> Bundle | None:
        """The bundle that scores beside, without deciding."""
        return self.bundles.get(self.arms.shadow or "")

    def choose(self, event: EventRecord) -> tuple[Bundle | None, str]:
        """Return the bundle that decides on an event, None where there is none, and its arm."""
        arm = self.stuck.arm(self.arms, event) if self.stuck and self.arms.canary else None
        arm = arm or CHAMPION
        return self.bundles.get(self.arms.bundle(arm) or ""), arm


def arms_noted(log: EventLog) -> Iterator[tuple[int, Arms]]:
    """Yield (seq, arms) of every change of the route, by seq: it holds for decisions behind it."""
    for seq, _, body in log.notes(ROUTE):
        yield seq, Arms(**body)

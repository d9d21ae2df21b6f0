"""Which bundle an event meets: a function of the route of the time and of the event alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from weighbridge.declare.contract import Contract
from weighbridge.ports import EventLog
from weighbridge.records import CANARY, PRODUCTION, SHADOW, EventRecord
from weighbridge.score.bundle import Bundle

__all__ = ["CANARY", "CHAMPION", "PRODUCTION", "ROUTE", "SHADOW", "Arms", "Route", "Stuck", "arms_noted"]

CHAMPION = "champion"
ROUTE = "route"  # the kind of note that tells which bundles decide from its place on


class Stuck:
    """Finds in an event the text that a canary goes by: a field's value, or the event's id."""

    def __init__(self, contract: Contract, sticky: str) -> None:
        places = {field.name: place for place, field in enumerate(contract.payload)}
        self._place = places.get(sticky)

    def of(self, event: EventRecord) -> str | None:
        """Return the text, None where the event does not have it."""
        found = event.event_id if self._place is None else event.values[self._place]
        return None if found is None else str(found)


@dataclass(frozen=True)
class Arms:
    """The ids of the bundles of a route, as the log notes them. `share` of the values of `sticky` meet the canary."""

    champion: str | None = None
    canary: str | None = None
    share: float | None = None
    shadow: str | None = None
    sticky: str = ""

    def arm(self, text: str | None) -> str:
        """Return which arm a value of the sticky field meets.

        A function of the value and of the canary: nobody changes sides while it lasts, and raising its share only adds.
        """
        if self.canary is None or text is None:
            return CHAMPION
        drawn = int.from_bytes(hashlib.sha256(f"{self.canary} {text}".encode()).digest()[:8], "big")
        return CANARY if drawn < (self.share or 0.0) * 2**64 else CHAMPION

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
        arm = CHAMPION if self.stuck is None or self.arms.canary is None else self.arms.arm(self.stuck.of(event))
        return self.bundles.get(self.arms.bundle(arm) or ""), arm


def arms_noted(log: EventLog) -> Iterator[tuple[int, Arms]]:
    """Yield (seq, arms) of every change of the route, by seq: it holds for decisions behind it."""
    for seq, _, body in log.notes(ROUTE):
        yield seq, Arms(**body)

"""How a new bundle comes to decide: who meets it first, and what it may take."""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.declare.contract import Contract
from weighbridge.declare.fields import Category, Key, Text, Time, refuse

MIB = 1 << 20


@dataclass(frozen=True)
class Rollout:
    """What a canary goes by, and the bounds of a bundle.

    `sticky`: the field whose value meets one model only for as long as a canary lasts, by default the contract's first
    `Key`, without one its `Id`. A bundle of more than `largest_mb` MiB is refused before it is read, one whose median
    probe takes longer than `slowest_ms` before it decides.
    """

    sticky: str | None = None
    slowest_ms: float = 20.0
    largest_mb: float = 256.0

    def __post_init__(self) -> None:
        if not self.slowest_ms > 0 or not self.largest_mb > 0:
            raise refuse("Rollout", "slowest_ms or largest_mb is not above 0", "give bounds that a bundle can keep")

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

"""Whether chance lets an event through: by the key of the home, or as the log has it where another key decided."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pyarrow.compute as pc

from weighbridge.declare.actions import DECLINE
from weighbridge.ports import Stores

AT_ONCE = 16_384  # places of the log that are read at once


class Draw:
    """Draws as a place of the log does: by the key that its note of the policy names.

    Without a note, or behind one that explores nothing, that is the home's own key. `key_id` None is the plain hash of
    a log that was written before homes had such a key. `elsewhere`: this home does not have the key. Then what the log
    says was let through by the same share and seed was drawn, and what it does not tell of the home's own key draws.
    """

    def __init__(self, stores: Stores, note: Mapping[str, Any] | None = None) -> None:
        self._stores, explore = stores, (note or {}).get("explore")
        own = stores.draws.key_id
        self.key_id: str | None = explore.get("key") if explore else own
        self.elsewhere = self.key_id not in (None, own)
        self._told = (explore["share"], explore["seed"]) if explore else None

    def falls_on(self, event_id: str, share: float, seed: int) -> bool:
        """Return whether a share falls on an event."""
        if self.elsewhere and (share, seed) == self._told and event_id in self._recorded:
            return self._recorded[event_id]
        text, draws = f"explore {seed} {event_id}", self._stores.draws
        return bool(draws.falls_on(text, share, draws.key_id if self.elsewhere else self.key_id))

    @cached_property
    def _recorded(self) -> dict[str, bool]:
        """Which would-be declines of the log were let through, by the event's id."""
        log, found = self._stores.log, dict[str, bool]()
        for first in range(0, log.head().seq, AT_ONCE):
            asked = log.decisions(first, first + AT_ONCE)
            asked = asked.filter(pc.greater(asked["propensity"], 0))
            through = pc.not_equal(asked["action"], DECLINE).to_pylist()
            found.update(zip(asked["event_id"].to_pylist(), through, strict=True))
        return found

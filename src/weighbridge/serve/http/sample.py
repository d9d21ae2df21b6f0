"""Events that anybody may try: simulated ones, made to happen now."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

from weighbridge.clock import us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.identity import ulid_at
from weighbridge.loop.simulate import simulate
from weighbridge.serve.http.problem import Problem

EVENTS = 500  # of the simulated world


class Samples:
    """Simulated events one after the other, each under a new id and with the present as its time."""

    def __init__(self, case: UseCase) -> None:
        self._case, self._rows, self._number = case, list[dict[str, Any]](), count()

    def next(self, now_us: int) -> dict[str, Any]:
        """Return a raw event. Raises Problem 404 when the use case declares no simulation."""
        contract = self._case.events
        if not self._rows:
            try:
                world = simulate(self._case, seed=1, start_us=0, events=EVENTS)
            except InputError as fault:
                raise Problem(404, str(fault)) from None
            self._rows = world.events.to_pylist()
        number = next(self._number)
        row = self._rows[number % len(self._rows)]
        found = {field.name: row[field.source] for field in contract.fields}
        entropy = hashlib.sha256(f"{now_us} {number}".encode()).digest()
        found[contract.id.name] = ulid_at(now_us, entropy)
        return found if contract.time is None else {**found, contract.time.name: us_to_iso(now_us)}

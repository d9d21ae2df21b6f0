"""The naive oracle against some of what was decided in a day."""

from __future__ import annotations

import random
from collections.abc import Collection

import numpy as np
import pyarrow as pa

from weighbridge.declare.case import UseCase
from weighbridge.ports import Log
from weighbridge.records import DecisionRecord
from weighbridge.testing.oracle import Event, LabelRecord, Oracle
from weighbridge.testing.world.book import Body, check

SAMPLED = 2


def against_the_oracle(
    case: UseCase, log: Log, answered: Collection[tuple[Body | None, DecisionRecord]], rng: random.Random
) -> None:
    """Compare the bits of some vectors with the oracle's. Raises Broken."""
    whole = sorted((d for _, d in answered if not d.degraded), key=lambda d: d.event_id)
    events = {e.id: e for e in _events(case, log.events())}
    labels = [LabelRecord(*row) for row in zip(*(log.labels()[n].to_pylist() for n in ("seq", "event_id", "value")),
                                                strict=True)]  # fmt: skip
    oracle = Oracle(case, list(events.values()), labels)
    for decision in rng.sample(whole, min(SAMPLED, len(whole))):
        expected = oracle.vector(events[decision.event_id])
        found = np.frombuffer(decision.vector, dtype="<f4")
        different = np.flatnonzero(expected.view(np.uint32) != found.view(np.uint32))
        names = [case.feature_names[place] for place in different]
        check(not names, f"the vector of {decision.event_id} is not the oracle's: {names}")


def _events(case: UseCase, table: pa.Table) -> list[Event]:
    names = [field.name for field in case.events.payload]
    return [
        Event(row["seq"], row["event_us"], row["event_id"], {name: row[name] for name in names})
        for row in table.to_pylist()
    ]

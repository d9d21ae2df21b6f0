"""One card's long stream of events, labels and corrections, and what each path makes of it."""

from __future__ import annotations

import random

import numpy as np

from tests.strategies import START_US
from tests.test_parity import OfOneDecision
from weighbridge.clock import DAY_US
from weighbridge.kernel.plan import compile_plan
from weighbridge.records import LabelRecord as LabelArrival
from weighbridge.stores.state import MemoryState
from weighbridge.testing.oracle import Event, LabelRecord
from weighbridge.testing.samples import differing, record_of, sample_case

CASE = sample_case()
HOUR_US = DAY_US // 24


def stream(seed: int, n: int, late: float, shops: int, reach_us: int = 3 * DAY_US) -> list[Event | LabelRecord]:
    """One card's events over some twelve days, with labels and their corrections between them."""
    rng, records, now, known = random.Random(seed), [], START_US, []
    for seq in range(1, n + 1):
        awaited = records and isinstance(records[-1], LabelRecord) and records[-1].event_id == f"e{seq}"
        if known and not awaited and rng.random() < 0.3:
            about = f"e{seq + 1}" if rng.random() < 0.1 else rng.choice(known[-400:])  # the next event's, too early
            records.append(LabelRecord(seq, about, rng.randrange(2)))
            continue
        now += rng.choice([0, 1, HOUR_US // 10, rng.randrange(8 * 12 * DAY_US // n)])
        back = (
            rng.choice([1, HOUR_US, rng.randrange(reach_us), -rng.randrange(2 * HOUR_US)]) if rng.random() < late else 0
        )
        values = {
            "card": "c", "shop_id": f"s{rng.randrange(shops)}", "amount": rng.randrange(rng.choice([500_001, 500_001, 1_000])),
            "score": rng.choice([None, *range(-5, 6)]), "items": rng.randrange(100),
            "device": rng.choice([None, "ios", "android", "web"]),
        }  # fmt: skip
        records.append(Event(seq, now - back, f"e{seq}", values))
        known.append(f"e{seq}")
    return records


def served(records, retract: float = 0.0, seed: int = 0, **options):
    """The vectors of the online path; some events come, are taken back, and come again."""
    state, rng, stored, found = MemoryState(compile_plan(CASE), **options), random.Random(seed), {}, []
    for record in records:
        if isinstance(record, LabelRecord):
            label = LabelArrival(record.event_id, record.value, record.seq, "test")
            state.label(label, stored.get(record.event_id))
            continue
        event = record_of(CASE, record)
        for _ in range(2 if rng.random() < retract else 0):
            state.vector(event)
            state.append(event)
            state.retract(event)
        found.append(np.frombuffer(state.vector(event), dtype="<f4"))
        state.append(event)
        stored[event.event_id] = event
    return np.array(found), state


def split(records):
    return [r for r in records if isinstance(r, Event)], [r for r in records if isinstance(r, LabelRecord)]


def against_the_oracle(records, found, rows, case=CASE) -> int:
    """Return how many values of sampled vectors differ from the oracle's."""
    events, labels, wrong = *split(records), 0
    for row in rows:
        decision = events[row]
        near = [e for e in events if e.seq < decision.seq and e.event_us > decision.event_us - 7 * DAY_US]
        known = [r for r in labels if r.seq < decision.seq]
        wrong += differing(found[row], OfOneDecision(case, [*near, decision], known).vector(decision))
    return wrong

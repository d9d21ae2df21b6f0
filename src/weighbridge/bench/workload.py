"""What is measured: thirty window features of one key, and seeded events with about as many a key as a card has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from weighbridge.clock import DAY_US
from weighbridge.declare import Contract, Id, Key, Label, Money, Time, UseCase, lightgbm
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.replay import NONE, Columns

WINDOWS = ("1h", "1d", "7d", "14d", "30d")
KINDS = ("count", "sum", "mean", "std", "min", "max")
EVENTS_PER_KEY = 350  # as the cards of the Handbook's data
DAYS = 180
START_US = 1_700_000_000_000_000


def thirty_features(name: str, windows: Sequence[str], late: str) -> UseCase:
    """Return a use case of six aggregates over five windows of one key."""
    payment = Contract(
        "payment",
        [Id("event_id"), Time("at", late=late), Key("card"), Money("amount", at_least=0, at_most=5_000)],
        events_per_key=2_000_000,
    )
    card = payment.by("card")
    features = [card.count(last=windows)]
    features += [of("amount", last=windows) for of in (card.sum, card.mean, card.std, card.min, card.max)]
    return UseCase(name, events=payment, label=Label("bad", matures="7d"), models=[lightgbm()], features=features)


CASE = thirty_features("bench", WINDOWS, "3d")
# for a soak: what it keeps is soon as much as it ever is
BRIEF = thirty_features("bench_brief", ("1s", "5s", "10s", "20s", "30s"), "2min")
PAYMENT = CASE.events
CARD = PAYMENT.by("card")
OTHERS = UseCase(
    "bench_others", events=PAYMENT, label=Label("bad", matures="7d"), models=[lightgbm()],
    features=[CARD.distinct("amount", last=["1d", "30d"]), CARD.quantile("amount", 0.5, last="30d"),
              CARD.quantile("amount", 0.9, last="30d"), CARD.seen_before("amount", last="30d"),
              CARD.since_last(within="30d"), CARD.label_count(last="30d"), CARD.label_rate(last="30d"),
              CARD.label_streak(last="30d")],
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One line of the table: ours, and a peer's where there is one; `ratio` is how many times better ours is."""

    group: str
    name: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None


def sample(rows: int, late: float = 0.0) -> Columns:
    """Return events of rows / 350 keys over 180 days, all times different, a share of them up to a day late."""
    rng = np.random.default_rng(7)
    step_us = max(DAYS * DAY_US // rows, 2)
    at_us = START_US + np.cumsum(rng.integers(1, 2 * step_us, rows))
    if late:
        at_us = at_us - np.where(rng.random(rows) < late, rng.integers(0, DAY_US, rows), 0)
    keys = rng.integers(0, max(rows // EVENTS_PER_KEY, 1), rows)
    values: Ints = np.column_stack([keys, rng.integers(0, 500_001, rows)])
    return Columns(np.arange(1, rows + 1), at_us, values, NONE, NONE, NONE)


def best(call: Callable[[], object], times: int, clock: Callable[[], float] = time.process_time) -> float:
    """Return the least seconds that a call took; CPU seconds unless another clock is given."""
    found = []
    for _ in range(times):
        begun = clock()
        call()
        found.append(clock() - begun)
    return min(found)

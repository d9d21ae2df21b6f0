"""How long the past takes to be decided again by another policy; the past is made by a desk, decision by decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from weighbridge.bench.bundle import bench_bundle
from weighbridge.bench.workload import CASE, EVENTS_PER_KEY, START_US, Figure
from weighbridge.clock import DAY_US, ManualClock, us_to_iso
from weighbridge.declare import Costs, Explore, ListOf, Policy, Rule
from weighbridge.errors import InputError
from weighbridge.identity import Draws, Pseudonyms
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.backtest import Period, backtest
from weighbridge.loop.trials.trial import Trial
from weighbridge.ports import LAST, Budget, Stores
from weighbridge.records import PRODUCTION, LabelRecord, Move
from weighbridge.score.bundle import load
from weighbridge.score.decide import GROUP, Desk
from weighbridge.score.signing import HomeSigner
from weighbridge.stores.database import Database
from weighbridge.stores.locks import MemoryLocks
from weighbridge.stores.memory import MemoryBundles, MemoryKeys, MemoryShadows, MemoryTables
from weighbridge.stores.rows import MemoryRows
from weighbridge.stores.sqlite_audit import SqliteAudit
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.sqlite_registry import SqliteRegistry, SqliteTracker
from weighbridge.stores.state import MemoryState

TREES = 200
BAD = 0.02
RULES = (
    Rule("blocked", "card in blocked_cards", "decline"),
    Rule("busy", "card_count_1h >= 3 and amount > 4000", at_least="review"),
    Rule("dear", "amount > 4900 or card_amount_sum_1d > 20000", at_least="review"),
)
LIVED = replace(
    CASE,
    policy=Policy(
        costs=Costs(amount="amount"), rules=RULES, lists=[ListOf("blocked_cards", "card")],
        explore=Explore(share=0.05, spend_per_day=5_000),
    ),
)  # fmt: skip


def backtests(sizes: Sequence[int], folder: Path, told: Callable[[str], None]) -> Iterator[Figure]:
    """Yield the seconds of a backtest with a changed policy and with another bundle, hot and sealed.

    Raises InputError when a backtest with nothing changed finds a difference.
    """
    for decisions in sizes:
        stores = _lived(decisions, folder / f"backtest-{decisions}", told)
        bundle = load(str(stores.registry.alias(PRODUCTION)), LIVED, stores.bundles, stores.signer)
        changed = Trial(review_at=bundle.thresholds.review_at / 2, rules=[Rule("tried", "amount > 4500", "review")])
        clock = ManualClock(stores.log.head().arrived_us)
        for name, trial in (
            ("nothing changed", Trial()),
            ("another policy", changed),
            ("a bundle", Trial(bundle=bundle)),
        ):
            told(f"backtest of {decisions:,}, {name}")
            begun = time.perf_counter()
            found = backtest(LIVED, stores, clock, trial, Period(0, LAST)).figures
            seconds = time.perf_counter() - begun
            if found["decisions"] != decisions or (trial is not changed and found["differences"]):
                raise InputError(f"{found['differences']:,} of {found['decisions']:,} decisions are not as they were")
            yield Figure("backtest", f"{decisions:,} decisions again, {name}", seconds, "s")


def _lived(decisions: int, folder: Path, told: Callable[[str], None]) -> Stores:
    """Return stores with so many decisions, made by a desk one after the other, and labels of what was let through."""
    folder.mkdir()
    stores = _stores(folder)
    made, files = bench_bundle(stores.signer, TREES, LIVED)
    stores.bundles.put(made, files)
    stores.registry.add(made, {"vector": LIVED.vector_digest, "case": LIVED.digest, "model": "lightgbm"}, START_US)
    stores.registry.move(Move(PRODUCTION, made, None, "weigh bench", "to measure", START_US))
    clock, rng = ManualClock(START_US), np.random.default_rng(7)
    desk = Desk(LIVED, stores, MemoryState(compile_plan(LIVED)), clock)
    desk.router.refresh(desk.submit_note)
    step_us = 60 * DAY_US // decisions
    cards = rng.integers(0, max(decisions // EVENTS_PER_KEY, 1), decisions).tolist()
    cents, bad = rng.integers(0, 500_001, decisions).tolist(), (rng.random(decisions) < BAD).tolist()
    through: list[LabelRecord] = []
    for first in range(0, decisions, GROUP):
        told(f"deciding {first:,} of {decisions:,}")
        answers = []
        for number in range(first, min(first + GROUP, decisions)):
            clock.set(START_US + number * step_us)
            at, card = us_to_iso(clock.now_us()), f"c{cards[number]}"
            body = {"event_id": f"e{number}", "at": at, "card": card, "amount": cents[number] / 100}
            answers.append(desk.submit(body, "t"))
        decided = [answer.result().decision for answer in answers]
        if first % (GROUP * 500) == 0:
            desk.submit_edit(
                {"list": "blocked_cards", "value": f"c{cards[first]}", "action": "add", "why": "bench"}
            ).result()
        through += [LabelRecord(d.event_id, int(bad[first + n]), clock.now_us(), "bench")
                    for n, d in enumerate(decided) if d.action != "decline"]  # fmt: skip
    desk.close()
    for first in range(0, len(through), GROUP):
        told(f"labelling {first:,} of {len(through):,}")
        stores.log.commit(
            [], [replace(each, arrived_us=clock.now_us() + 8 * DAY_US) for each in through[first : first + GROUP]]
        )
    return stores


def _stores(folder: Path) -> Stores:
    database = Database(folder / "hot.sqlite", "written")
    audit = SqliteAudit(database)
    return Stores(
        SqliteLog(database, LIVED.events, folder / "log"), MemoryTables(), SqliteRegistry(database),
        SqliteTracker(database), MemoryBundles(), HomeSigner(b"b" * 32), Pseudonyms(b"b" * 32), Draws(b"d" * 32),
        MemoryKeys(), audit, MemoryShadows(), MemoryLocks(), MemoryRows(), folder / "reports", Budget(folder=folder),
    )  # fmt: skip

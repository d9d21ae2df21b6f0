"""What the log says about a candidate beside the champion: sums by guardrail and interval, added up piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.declare.rollout import Guardrails
from weighbridge.identity import digest
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.columns import ints
from weighbridge.kernel.sequential import BETS, growth
from weighbridge.loop.rollouts.met import arms
from weighbridge.loop.rollouts.underway import Underway
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle
from weighbridge.stores.tables import vectors_of

AT_ONCE = 16_384  # places of the log that are read at once, and whose sums are kept once they are full
SETTLED = 4_096  # places behind which a shadow has said what it will say
STEP_BITS = 32  # an interval's number: the step above, the interval within it below


@dataclass(frozen=True)
class Guard:
    """One side of one guardrail: outcomes of low to 1 whose conditional mean should not be above a bound."""

    name: str
    field: str
    low: float
    sign: float = 1.0

    def bound(self, declared: Guardrails) -> float:
        """Return the declared bound."""
        return float(getattr(declared, self.field))


ERRORS, SLOWER, RECALL = (
    Guard("errors", "errors", 0.0),
    Guard("slower", "slower", -1.0),
    Guard("recall", "recall", -1.0),
)
BOTH = tuple(
    Guard(f"{name} {way}", name, -1.0, sign)
    for name in ("score", "declines", "flags")
    for way, sign in (("up", 1.0), ("down", -1.0))
)
GUARDS = (ERRORS, SLOWER, *BOTH, RECALL)
COLUMNS = pa.schema([
    ("guard", pa.string()), ("interval", pa.int64()), ("n", pa.int64()), ("total", pa.float64()),
    ("squares", pa.float64()), ("growth", pa.list_(pa.float64(), BETS)),
])  # fmt: skip


@dataclass(frozen=True)
class Sums:
    """Outcomes of one guard in the intervals that have any, in their order.

    interval: int64[k], see `RolloutLog.intervals`; n: int64[k]; total and squares: float64[k], sums of the outcomes and
    of their squares; growth: float64[k, BETS], see `kernel.sequential`.
    """

    interval: Ints
    n: Ints
    total: Floats
    squares: Floats
    growth: Floats

    @property
    def count(self) -> int:
        """How many outcomes there are."""
        return int(self.n.sum())

    @property
    def mean(self) -> float | None:
        """Their mean, None without any."""
        return float(self.total.sum() / self.count) if self.count else None

    def of_step(self, number: int) -> int:
        """Return how many outcomes a step has, counted from 0."""
        return int(self.n[self.interval >> STEP_BITS == number].sum())


Outcomes = Iterator[tuple[Guard, Floats, Ints]]  # guard, float64[n], int64[n] intervals


def summed(outcomes: Outcomes, declared: Guardrails) -> pa.Table:
    """Return the sums of outcomes, a table of COLUMNS with a row for each guard and interval."""
    parts = []
    for guard, x, interval in outcomes:
        if not len(x):
            continue
        names, group = np.unique(interval, return_inverse=True)
        grown = growth(x, group, len(names), guard.low, guard.bound(declared))
        sums = [np.bincount(group, weights, len(names)) for weights in (None, x, x * x)]
        flat = pa.FixedSizeListArray.from_arrays(pa.array(grown.ravel()), BETS)
        parts.append(pa.table([pa.array([guard.name] * len(names)), names, *sums, flat], schema=COLUMNS))
    return pa.concat_tables(parts) if parts else COLUMNS.empty_table()


def added(table: pa.Table) -> dict[str, Sums]:
    """Return the sums of every guard, pieces of one interval added up."""
    found = {}
    for guard in GUARDS:
        ours = table.filter(pc.equal(table["guard"], guard.name)).combine_chunks()
        names, group = np.unique(ints(ours["interval"]), return_inverse=True)
        sums = [_by(group, ours[name].to_numpy(), len(names)) for name in ("n", "total", "squares")]
        flat = np.array(ours["growth"].combine_chunks().flatten(), dtype=np.float64).reshape(-1, BETS)
        grown = np.stack([_by(group, flat[:, bet], len(names)) for bet in range(BETS)], axis=1)
        found[guard.name] = Sums(names, sums[0].astype(np.int64), sums[1], sums[2], grown)
    return found


class RolloutLog:
    """Reads the log of a rollout. Sums of what is full are kept as a table of the home, and could be made again."""

    def __init__(self, case: UseCase, stores: Stores, at: Underway, candidate: Bundle, champion: Bundle) -> None:
        self._stores, self._at, self._declared = stores, at, case.rollout
        self.candidate, self.champion = candidate, champion
        self._name = "rollout-" + digest([case.rollout, at.candidate, at.champion, at.steps[0].seq])[:16]

    def sums(self) -> dict[str, Sums]:
        """Return the sums of every guard but recall, from the beginning of the rollout to the end of the log."""
        began, head = self._at.steps[0].seq, self._stores.log.head().seq
        kept = self._stores.tables.get(self._name)
        full = (kept.schema.metadata or {}).get(b"until", b"0") if kept is not None else b"0"
        tables, until = [kept] if kept is not None else [], max(int(full), began)
        while until < head:
            end = (until // AT_ONCE + 1) * AT_ONCE
            tables.append(summed(self._outcomes(until, min(end, head)), self._declared.guardrails))
            if end + SETTLED <= head:
                told = pa.concat_tables(tables).replace_schema_metadata({"until": str(end)})
                self._stores.tables.put(self._name, told)
            until = end
        return added(pa.concat_tables(tables) if tables else COLUMNS.empty_table())

    def intervals(self, decided_us: Ints, seq: Ints) -> Ints:
        """Return in which interval decisions fall, int64[n]: their step in the high bits, below it the interval."""
        steps = np.searchsorted([step.seq for step in self._at.steps], seq) - 1
        since = decided_us - np.array([step.at_us for step in self._at.steps])[steps]
        return np.asarray((steps << STEP_BITS) + np.maximum(since, 0) // self._declared.every_us, dtype=np.int64)

    def _outcomes(self, after: int, until: int) -> Outcomes:
        decisions = self._stores.log.decisions(after, until)
        if not len(decisions):
            return
        met = arms(decisions, self.candidate.id, self.champion.id)
        interval = self.intervals(ints(decisions["decided_us"]), ints(decisions["seq"]))
        beside = met.canary | met.failed
        yield ERRORS, met.failed[beside].astype(np.float64), interval[beside]
        slow = ints(decisions["latency_us"]) > self._declared.guardrails.slow_us
        yield SLOWER, *blocks(beside, met.champion, slow, interval)
        rows, said = np.flatnonzero(met.canary), decisions["probability"].to_numpy()
        theirs = said_by(self.champion, decisions.take(pa.array(rows)))
        yield from differences(self.candidate, self.champion, said[rows], theirs, interval[rows])
        shadowed = np.array([step.share == 0 for step in self._at.steps])[interval >> STEP_BITS]
        ours, rows = self._of_shadow(decisions, met.champion & shadowed)
        yield ERRORS, np.isnan(ours).astype(np.float64), interval[rows]
        ours, rows = ours[~np.isnan(ours)], rows[~np.isnan(ours)]
        yield from differences(self.candidate, self.champion, ours, said[rows], interval[rows])

    def _of_shadow(self, decisions: pa.Table, champion: Bools) -> tuple[Floats, Ints]:
        """Return what the shadow said, NaN where it failed, and in which rows."""
        rows = np.flatnonzero(champion)
        if not len(rows):
            return np.empty(0), rows
        ids = decisions["event_id"].take(pa.array(rows))
        said = self._stores.shadows.about(self.candidate.id, ids.to_pylist())
        places = pc.index_in(ids, value_set=said["event_id"].combine_chunks())
        ours = said["probability"].take(places.drop_null()).fill_null(np.nan)
        return ours.to_numpy(), rows[places.is_valid().to_numpy()]


def blocks(canary: Bools, champion: Bools, slow: Bools, interval: Ints) -> tuple[Floats, Ints]:
    """Return by how much more of the canary's decisions were slow than of the champion's next to them, and where.

    Decisions stand in the log's order. Each run of one arm is compared with the run of the other behind it, and no run
    twice: what slows down everything for a while slows down both. Returns float64[m] from -1 to 1, and int64[m].
    """
    rows = np.flatnonzero(canary | champion)
    ours = canary[rows]
    first = np.flatnonzero(np.diff(ours, prepend=~ours[:1]))
    pairs = max(len(first) - 1, 0) // 2  # the last run may go on
    if not pairs:
        return np.empty(0), np.empty(0, dtype=np.int64)
    rate = (np.add.reduceat(slow[rows].astype(np.float64), first)[:-1] / np.diff(first))[: 2 * pairs].reshape(-1, 2)
    sign = np.where(ours[first[: 2 * pairs : 2]], 1.0, -1.0)
    return sign * (rate[:, 0] - rate[:, 1]), interval[rows[first[2 : 2 * pairs + 1 : 2] - 1]]


def differences(candidate: Bundle, champion: Bundle, ours: Floats, theirs: Floats, interval: Ints) -> Outcomes:
    """Yield candidate less champion on the same events: probability, declines, and what is reviewed or declined."""
    one, other = candidate.thresholds, champion.thresholds
    moved: dict[str, Callable[[], Floats]] = {
        "score": lambda: ours - theirs,
        "declines": lambda: (ours >= one.decline_at).astype(np.float64) - (theirs >= other.decline_at),
        "flags": lambda: (ours >= one.review_at).astype(np.float64) - (theirs >= other.review_at),
    }
    for guard in BOTH:
        yield guard, guard.sign * moved[guard.field](), interval


def said_by(bundle: Bundle, decisions: pa.Table) -> Floats:
    """Return what a bundle says to the stored vectors of decisions, float64[n]."""
    if not len(decisions):
        return np.empty(0)
    return bundle.scorer.probability(vectors_of(decisions))


def _by(group: Ints, x: Floats, groups: int) -> Floats:
    return np.bincount(group, x, groups).astype(np.float64)

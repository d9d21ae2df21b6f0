"""Rollouts of bundles over simulated traffic: what decisions would look like, through the real sums and verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from weighbridge.clock import SECOND_US
from weighbridge.declare import Rollout, Step
from weighbridge.loop.rollouts.evidence import RolloutLog
from weighbridge.loop.rollouts.guard import verdicts
from weighbridge.loop.rollouts.underway import Begun, Underway
from weighbridge.score.scorer import Thresholds

MINUTE_US = 60 * SECOND_US
THRESHOLDS = Thresholds(0.2, 0.6, [("low", 0.0)])
DECLARED = Rollout(steps=(Step(0.01), Step(0.10), Step(0.50)), every="1min")


@dataclass
class World:
    """Traffic of some cards, each with its own level of risk and its own pace, and two models that see it with noise.

    `errors` is the chance that a canary fails, the same for every event; both arms are slow together in stalls of the
    machine, and alone now and then. `shift` and `late_ms` are what makes a canary bad; from `bad_from` on, a minute.
    """

    seed: int
    errors: float = 0.001
    shift: float = 0.0
    late_ms: float = 0.0
    bad_from: int = 0
    minutes: int = 60  # of each step
    per_minute: int = 300
    rng: np.random.Generator = field(init=False)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)

    def decisions(self):
        """Return a table of decisions, as a log gives it, of a rollout that goes through all steps."""
        rng, n = self.rng, self.minutes * self.per_minute * len(DECLARED.steps)
        cards, pace = rng.normal(-5.0, 1.5, 4_000), rng.pareto(1.5, 4_000) + 0.1
        card = rng.choice(4_000, n, p=pace / pace.sum())
        bias = rng.normal(0, 0.15, (2, 4_000))  # what each model makes of a card, always
        risk = cards[card] + rng.normal(0, 1.0, n)
        minute = np.arange(n) // self.per_minute
        bad = minute >= self.bad_from
        said = [1 / (1 + np.exp(-(risk + own[card] + rng.normal(0, 0.2, n) + more)))
                for own, more in zip(bias, (0.0, self.shift * bad), strict=True)]  # fmt: skip
        share = np.repeat([step.share for step in DECLARED.steps], n // len(DECLARED.steps))
        canary = rng.random(4_000)[card] < share
        stalled = np.repeat(rng.random(n // 50 + 1) < 0.01, 50)[:n]
        latency = rng.lognormal(7.0, 0.5, n) + stalled * 80_000 + (rng.random(n) < 0.002) * 60_000
        latency += canary * bad * self.late_ms * 1_000
        failed = canary & (rng.random(n) < np.where(bad, self.errors, 0.001))
        decided = canary & ~failed
        return pa.table({
            "seq": np.arange(1, n + 1), "decided_us": minute * MINUTE_US + np.arange(n) % self.per_minute,
            "latency_us": latency.astype(np.int64), "event_id": [""] * n,
            "bundle": np.where(decided, "canary", "champion"), "route": np.where(decided, "canary", "champion"),
            "degraded": np.where(failed, '["canary"]', "[]"), "probability": np.where(decided, said[1], said[0]),
            "vector": pa.array([v.tobytes() for v in said[0].astype("<f4")]),
        })  # fmt: skip

    def verdicts(self, until_minute=None, rows=None):
        """Return what is known at the end of a minute."""
        table = self.decisions() if rows is None else rows
        if until_minute is not None:
            table = table.slice(0, until_minute * self.per_minute)
        each = self.minutes * self.per_minute
        steps = [Begun(k * each, k * self.minutes * MINUTE_US, step.share) for k, step in enumerate(DECLARED.steps)]
        at = Underway("canary", "canary", "champion", steps, False, False)
        stores = SimpleNamespace(log=Log(table), tables=Tables(), shadows=None)
        case = SimpleNamespace(rollout=DECLARED)
        models = [SimpleNamespace(id=name, thresholds=THRESHOLDS, scorer=Told()) for name in ("canary", "champion")]
        return verdicts(RolloutLog(case, stores, at, *models).sums(), DECLARED)


class Told:
    """A scorer of vectors that hold what the champion says."""

    def probability(self, vectors):
        return vectors[:, 0].astype(np.float64)


class Tables(dict):
    def put(self, name, table):
        self[name] = table


class Log:
    """The decisions of a table, by seq."""

    def __init__(self, table):
        self._table = table

    def head(self):
        return SimpleNamespace(seq=len(self._table))

    def decisions(self, after, until):
        return self._table.slice(after, until - after)

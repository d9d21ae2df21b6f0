"""How this process keeps the declared objectives: counts on the way of a request, all else beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from weighbridge.clock import SECOND_US, Clock
from weighbridge.declare.case import UseCase
from weighbridge.loop.slo import Counts, judged, piece_us, record, recorded, total, within
from weighbridge.ports import Stores

SAVE_EVERY_US = 5 * SECOND_US
NEVER_US = 1 << 62
ANSWERED, UNANSWERED, TIMED, SLOW, NEW, STALE = range(len(Counts._fields))  # places of `Counts`


class Levels(Collector):
    """Counts since the process began, and what the home has recorded of the window of its objectives.

    Requests are counted, and `settle` is called, on one thread; the rest may be asked on any.
    """

    def __init__(self, case: UseCase, stores: Stores, clock: Clock) -> None:
        self._objectives, self._stores, self._clock = case.objectives, stores, clock
        self._slow_us = case.objectives.latency_us or NEVER_US
        self._stale_us = case.objectives.feature_lag_us or NEVER_US
        self._open = [0] * len(Counts._fields)  # what has been counted since `settle`
        self._total = Counts()
        self._pieces = recorded(case.objectives, stores) if case.objectives.bounds else {}
        self._lost_us: int | None = None
        self._saved_us, self._is_saved = clock.now_us(), True
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self.lag_us = 0

    def answered(self, *, repeated: bool, away: bool) -> None:
        """Count an event that got its decision; `away`: without a state."""
        self._open[ANSWERED] += 1
        if not repeated:
            self._open[NEW] += 1
            if away and self.lag_us > self._stale_us:
                self._open[STALE] += 1

    def unanswered(self, events: int) -> None:
        """Count events that got none, for a reason of ours."""
        self._open[UNANSWERED] += events

    def timed(self, duration_us: int) -> None:
        """Count the time of an answer."""
        self._open[TIMED] += 1
        self._open[SLOW] += duration_us > self._slow_us

    def settle(self, *, away: bool) -> None:
        """Put what was counted into the piece of now, and see how far the state is behind."""
        now_us = self._clock.now_us()
        if not away:
            self._lost_us = None
        elif self._lost_us is None:
            self._lost_us = now_us
        self.lag_us = 0 if self._lost_us is None else max(now_us - self._lost_us, 0)
        if not any(self._open):
            return
        with self._lock:
            counted, self._open = self._open, [0] * len(Counts._fields)
            self._total = self._total.plus(counted)
            if self._objectives.bounds:
                length = piece_us(self._objectives)
                begun_us = now_us // length * length
                self._pieces[begun_us] = self._pieces.get(begun_us, Counts()).plus(counted)
                self._is_saved = False

    def save(self, *, at_once: bool = False) -> None:
        """Record the window in the home if that is due. Raises StoreFailure; then the next call tries again."""
        now_us = self._clock.now_us()
        with self._saving:
            with self._lock:
                if self._is_saved or (not at_once and 0 <= now_us - self._saved_us < SAVE_EVERY_US):
                    return
                self._pieces = within(self._objectives, self._pieces, now_us)
                pieces, self._is_saved, self._saved_us = dict(self._pieces), True, now_us
            try:
                record(self._stores, pieces)
            except BaseException:
                self._is_saved = False
                raise

    def judged(self) -> list[dict[str, Any]]:
        """Return of each declared objective its figure, bound and verdict over the window until now."""
        with self._lock:
            counted = total(within(self._objectives, self._pieces, self._clock.now_us())).plus(self._open)
        return judged(self._objectives, counted)

    def health(self) -> dict[str, Any]:
        """Return what `/health` tells: objectives with figure, bound and verdict; {} where none is declared."""
        members = ("objective", "title", "figure", "bound", "verdict")
        found = [{name: one[name] for name in members} for one in self.judged()]
        if not found:
            return {}
        return {"objectives": found, "last": self._objectives.last, "feature_lag_seconds": self.lag_us / SECOND_US}

    def collect(self) -> Iterator[Metric]:
        """Yield the figures for Prometheus."""
        with self._lock:
            counted = self._total.plus(self._open)
        asked = CounterMetricFamily("weigh_asked", "events to decide, and whether they were", labels=["outcome"])
        asked.add_metric(["answered"], counted.answered)
        asked.add_metric(["unanswered"], counted.unanswered)
        yield asked
        yield GaugeMetricFamily("weigh_feature_lag_seconds", "how far the state is behind", self.lag_us / SECOND_US)
        share = GaugeMetricFamily("weigh_slo_share", "share of good ones over the window", labels=["objective"])
        bound = GaugeMetricFamily("weigh_slo_bound", "the least share that is declared", labels=["objective"])
        for one in self.judged():
            bound.add_metric([one["objective"]], one["bound"])
            if one["figure"] is not None:
                share.add_metric([one["objective"]], one["figure"])
        yield from (share, bound)

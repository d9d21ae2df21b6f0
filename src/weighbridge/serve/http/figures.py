"""What the door counts: requests, refusals, decisions and how long they took, for Prometheus and as JSON."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from weighbridge.records import DecisionRecord

RECENT = 4_096  # requests of a path whose times /stats looks at
PERCENTILES = (50, 95, 99)
BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Figures:
    """Counts since the process began. Paths are those of the API, and one name for all others: no caller makes more."""

    def __init__(self, *more: Collector) -> None:
        self._registry = CollectorRegistry()
        for collector in more:
            self._registry.register(collector)
        self._requests = Counter("weigh_requests", "requests answered", ["path", "status"], registry=self._registry)
        self._seconds = Histogram(
            "weigh_request_seconds", "time to answer", ["path"], buckets=BUCKETS_S, registry=self._registry
        )
        self._decisions = Counter("weigh_decisions", "new decisions", ["action", "level"], registry=self._registry)
        self._refused = Counter("weigh_refused", "events the contract refused", ["rule"], registry=self._registry)
        self._degraded = Counter("weigh_degraded", "answers without something", ["missing"], registry=self._registry)
        self._recent: dict[str, deque[int]] = {}
        self._count, self._time = cache(self._requests.labels), cache(self._seconds.labels)  # looked up once each
        self._decided = cache(self._decisions.labels)

    def answered(self, path: str, status: int, duration_us: int) -> None:
        """Count one request."""
        self._count(path, status).inc()
        self._time(path).observe(duration_us / 1e6)
        self._recent.setdefault(path, deque(maxlen=RECENT)).append(duration_us)

    def decided(self, decision: DecisionRecord) -> None:
        """Count one decision that was not a repetition."""
        self._decided(decision.action, decision.level).inc()
        for missing in decision.degraded:
            self._degraded.labels(missing).inc()

    def refused(self, rule: str) -> None:
        """Count one event that broke a rule of its contract."""
        self._refused.labels(rule).inc()

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def told(self) -> dict[str, Any]:
        """Return requests by status and percentiles of the newest times (microseconds), by path."""
        statuses: dict[str, dict[str, int]] = {}
        for sample in (sample for metric in self._requests.collect() for sample in metric.samples):
            if sample.name.endswith("_total"):
                statuses.setdefault(sample.labels["path"], {})[sample.labels["status"]] = int(sample.value)
        return {
            path: {"requests": sum(counts.values()), "statuses": dict(sorted(counts.items())), **self._times(path)}
            for path, counts in sorted(statuses.items())
        }

    def _times(self, path: str) -> dict[str, int]:
        found = np.percentile(list(self._recent[path]), PERCENTILES)
        return {f"latency_us_p{level}": round(us) for level, us in zip(PERCENTILES, found.tolist(), strict=True)}

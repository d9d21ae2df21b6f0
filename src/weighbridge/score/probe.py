"""Probes: vectors whose probabilities a bundle recorded when it was made, and has to give again before it decides."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from weighbridge.errors import BundleRefused
from weighbridge.kernel.arrays import Arrays, Bools, Floats, Vectors
from weighbridge.score.scorer import Scorer

NEAR = 1e-9  # how far probabilities of another machine may be off


@dataclass(frozen=True)
class Probes:
    """vectors: float32[n, features], the last all missing; whole, event_only: float64[n], what the scorers made of it.

    `event_only` is empty where the bundle has no such scorer.
    """

    vectors: Vectors
    whole: Floats
    event_only: Floats

    def arrays(self) -> Arrays:
        """Return the arrays by name, to be stored."""
        return {"vectors": self.vectors, "whole": self.whole, "event_only": self.event_only}

    def sound(self, width: int) -> bool:
        """Whether stored arrays are probes of `width` features."""
        vectors, scores = self.vectors, (self.whole, self.event_only)
        shaped = vectors.dtype == np.float32 and vectors.ndim == 2 and vectors.shape[1] == width and len(vectors) > 0
        return shaped and all(s.dtype == np.float64 and s.shape in ((len(vectors),), (0,)) for s in scores)

    def check(self, name: str, scorer: Scorer, event_only: Scorer | None, *, exact: bool) -> None:
        """Raise BundleRefused unless the scorers of the bundle of this name give what was recorded.

        `exact`: to the bit.
        """
        for what, one, recorded in (("it", scorer, self.whole), ("its event-only part", event_only, self.event_only)):
            if one is None:
                continue
            again = one.probability(self.vectors)
            if not bool((np.isfinite(again) & (again >= 0) & (again <= 1)).all()):
                raise BundleRefused(f"bundle {name}: {what} scores a probe as NaN or beyond 0 to 1; train again")
            if len(recorded) != len(again) or not bool(_same(again, recorded, exact=exact).all()):
                raise BundleRefused(f"bundle {name}: {what} does not score its probes as when it was made; train again")

    def median_us(self, scorer: Scorer) -> float:
        """Return how long one event takes a scorer, microseconds: the median over the probes, one by one."""
        scorer.probability(self.vectors[:1])
        took = []
        for row in range(len(self.vectors)):
            begun = time.perf_counter_ns()
            scorer.probability(self.vectors[row : row + 1])
            took.append(time.perf_counter_ns() - begun)
        return float(np.median(took)) / 1_000


def record(vectors: Vectors, scorer: Scorer, event_only: Scorer | None) -> Probes:
    """Return the probes of vectors, float32[n, features], and of one of which nothing is known."""
    nothing = np.full((1, vectors.shape[1]), np.nan, dtype=np.float32)
    rows = np.concatenate([vectors, nothing]).astype(np.float32)
    return Probes(rows, scorer.probability(rows), np.zeros(0) if event_only is None else event_only.probability(rows))


def _same(left: Floats, right: Floats, *, exact: bool) -> Bools:
    return left.view(np.int64) == right.view(np.int64) if exact else np.abs(left - right) <= NEAR

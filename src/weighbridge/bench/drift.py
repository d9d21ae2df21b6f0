"""Kolmogorov-Smirnov and the stability index of thirty features, beside scipy on the same rows."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Sequence

import numpy as np

from weighbridge.bench.workload import Figure
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Ints, Vectors
from weighbridge.kernel.drift import FINE, Counter, Profile, coarse, kolmogorov_smirnov, profile, psi

FEATURES = 30
ROWS = 1_000_000
SCIPY_FEATURES = 5  # scipy takes as long for one feature as for another: it is measured on some


def drift(rows: int = ROWS) -> Iterator[Figure]:
    """Yield CPU seconds for all features; the reference is fixed at training and not part of it, scipy sorts it again.

    Raises InputError when a statistic is not within the width of a bin below scipy's.
    """
    rng = np.random.default_rng(5)
    before, now = (rng.normal(by, 1, (rows, FEATURES)).astype(np.float32) for by in (0.0, 0.05))
    profiles = [profile(before[:, column]) for column in range(FEATURES)]
    _statistics(profiles, now[:1_000])  # compiled before it is measured
    begun = time.process_time()
    found = _statistics(profiles, now)
    ours = time.process_time() - begun
    if importlib.util.find_spec("scipy") is None:
        yield Figure("drift", f"KS + PSI of {rows:,} x {FEATURES}", ours, "CPU s")
        return
    begun = time.process_time()
    theirs = [_by_scipy(profiles[c], before[:, c], now[:, c]) for c in range(SCIPY_FEATURES)]
    seconds = (time.process_time() - begun) * FEATURES / SCIPY_FEATURES
    for (ks, index), (exact, same) in zip(found[:SCIPY_FEATURES], theirs, strict=True):
        if not exact - 2 / FINE <= ks <= exact + 1e-9 or abs(index - same) > 1e-9:
            raise InputError("scipy computes another statistic than ours; it cannot be compared")
    yield Figure("drift", f"KS + PSI of {rows:,} x {FEATURES}", ours, "CPU s", "scipy ks_2samp, numpy histogram",
                 seconds, seconds / ours)  # fmt: skip


def _statistics(profiles: Sequence[Profile], now: Vectors) -> list[tuple[float, float]]:
    counts = Counter(profiles).count(now)
    return [_of_counts(one, window) for one, window in zip(profiles, counts, strict=True)]


def _of_counts(one: Profile, window: Ints) -> tuple[float, float]:
    then = np.array(one["counts"], dtype=np.int64)
    return kolmogorov_smirnov(then, window), psi(coarse(one, then), coarse(one, window))


def _by_scipy(one: Profile, before: Vectors, now: Vectors) -> tuple[float, float]:
    from scipy.stats import ks_2samp

    edges = [-np.inf, *(one["edges"][b] for b in one["bins"]), np.inf]
    shares = [np.histogram(values.astype(np.float64), edges)[0] for values in (before, now)]
    return float(ks_2samp(before, now, method="asymp").statistic), psi(*shares)

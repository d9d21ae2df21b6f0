"""Intervals of sums and of what is calculated from them, when what belongs together is drawn together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weighbridge.kernel.arrays import Floats, Ints

AT_ONCE = 2_000_000  # weights that are drawn at once


def sums_by(group: Ints, groups: int, columns: Floats) -> Floats:
    """Return the sum of each column within each group: int64[n], float64[n, k] to float64[groups, k]."""
    return np.stack([np.bincount(group, weights=column, minlength=groups) for column in columns.T], axis=1)


def resampled(sums: Floats, resamples: int, seed: int) -> Floats:
    """Return totals of groups drawn anew, float64[resamples, k], from their sums, float64[groups, k].

    Each group counts a Poisson(1) number of times: the bootstrap of groups without knowing how many there will be.
    Source: Hanley and MacGibbon (2006), Creating non-parametric bootstrap samples using Poisson frequencies; by groups
    as in Chamandy et al. (2012), Estimating uncertainty for massive data streams. A group whose sums are all 0 changes
    nothing and is not drawn.
    """
    sums = sums[np.any(sums != 0, axis=1)]
    rng = np.random.default_rng(seed)
    step = max(AT_ONCE // max(len(sums), 1), 1)
    found = [
        rng.poisson(1.0, (min(step, resamples - first), len(sums))).astype(np.float64) @ sums
        for first in range(0, resamples, step)
    ]
    return np.concatenate(found)


def interval(figure: Callable[[Floats], Floats], drawn: Floats) -> tuple[float, float]:
    """Return the 95 % percentile interval of a figure of totals, float64[resamples, k] to float64[resamples].

    NaN where it is undefined in every resample.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        values = figure(drawn)
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)

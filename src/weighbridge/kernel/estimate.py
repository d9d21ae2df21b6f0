"""What calibrated probabilities say about a score's performance before any label has come, and whether they were right.

Source: Białek, Kuberski, Perrakis, Bifet (2024), Estimating Model Performance Under Covariate Shift Without Labels
(confidence-based performance estimation). p: float[n], calibrated probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weighbridge.kernel.arrays import Floats, Ints


def expected_at(p: Floats, threshold: float) -> tuple[float, float]:
    """Return the precision and recall to expect of flagging what reaches a threshold; NaN where nothing does.

    >>> expected_at(np.array([0.8, 0.6, 0.2]), 0.5)
    (0.7, 0.875)
    """
    flagged = p[p >= threshold]
    hits, positives = float(flagged.sum()), float(p.sum())
    nan = float("nan")
    return (hits / len(flagged) if len(flagged) else nan), (hits / positives if positives else nan)


def expected_average_precision(p: Floats) -> float:
    """Return the average precision to expect, to first order: the mean over rows, weighted by p, of the precision at
    the row's rank if the row itself is positive. NaN where no positive is to be expected.
    """
    if not len(p) or not p.sum():
        return float("nan")
    ranked = np.sort(p)[::-1]
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    end = last[np.searchsorted(last, np.arange(len(ranked)))]  # equal scores are flagged together
    hits = np.cumsum(ranked)[end] - ranked + 1
    return float((ranked * hits / (end + 1)).sum() / ranked.sum())


def calibration_z(y: Ints, p: Floats, groups: Sequence[Ints] = (), weight: Floats | None = None) -> float:
    """Return Spiegelhalter's (1986) z: how far the Brier score is above what the probabilities promise, in deviations.

    y: int[n], 0 or 1; groups: int[n] each, numbers of clusters such as cards; weight: float[n], for how many events a
    row speaks (None: one). Its deviation is the largest of the model's and of those over clusters (Liang and Zeger
    1986). NaN where every probability is 0 or 1.
    """
    return _z((y - p) * (1 - 2 * p), (1 - 2 * p) ** 2 * p * (1 - p), groups, weight)


def in_the_large_z(y: Ints, p: Floats, groups: Sequence[Ints] = (), weight: Floats | None = None) -> float:
    """Return how far the positives are above those that the probabilities expect, in deviations; below, it is negative.

    Calibration-in-the-large: Cox (1958), Two further applications of a model for binary regression. Arguments and
    deviation as in `calibration_z`.
    """
    return _z(y - p, p * (1 - p), groups, weight)


def _z(residual: Floats, variance: Floats, groups: Sequence[Ints], weight: Floats | None) -> float:
    w = np.ones(len(residual)) if weight is None else weight
    residual = w * residual
    variances = [float((w**2 * variance).sum())]
    variances += [float((np.bincount(group, residual) ** 2).sum()) for group in groups if len(group)]
    return float(residual.sum() / np.sqrt(max(variances))) if max(variances) > 0 else float("nan")

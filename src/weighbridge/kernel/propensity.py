"""Totals and means over events of which only some could be observed, each with a known chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from weighbridge.kernel.arrays import Bools, Floats

Z = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error and 95 % interval by the normal approximation. NaN where it is undefined."""

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The lower and the upper end."""
        return self.value - Z * self.error, self.value + Z * self.error


def weights(observed: Bools, propensity: Floats) -> Floats:
    """Return 1 / propensity of what was observed and 0 of the rest: bool[n], float64[n] to float64[n].

    Raises ValueError where something was observed whose chance is not in (0, 1].
    """
    if np.any(observed & ~((propensity > 0) & (propensity <= 1))):
        raise ValueError("a chance of being observed must lie above 0, up to 1")
    return np.divide(1.0, propensity, out=np.zeros(len(propensity)), where=observed)


def total(y: Floats, observed: Bools, propensity: Floats) -> Estimate:
    """Return the total of y over all n events from those observed, drawn independently (Poisson sampling).

    y: float64[n], read only where observed: bool[n]; propensity: float64[n]. The value is sum(y / p); its variance
    sum((1 - p) y^2 / p^2). Unbiased where every chance is above 0. Source: Horvitz and Thompson (1952); the variance
    as in Särndal, Swensson, Wretman (1992), Model Assisted Survey Sampling, 2.8.
    """
    w, seen = weights(observed, propensity)[observed], y[observed]
    return Estimate(float(np.sum(w * seen)), sqrt(float(np.sum((w - 1) * w * seen**2))))


def mean(y: Floats, observed: Bools, propensity: Floats) -> Estimate:
    """Return the mean of y, self-normalised: sum(y / p) / sum(1 / p), with its linearised variance.

    The variance is sum((1 - p) (y - mean)^2 / p^2) / N^2, with N = sum(1 / p). Source: Hájek (1971); the variance as in
    Särndal, Swensson, Wretman (1992), 5.7. NaN where nothing was observed.
    """
    w, seen = weights(observed, propensity)[observed], y[observed]
    count = float(np.sum(w))
    if count == 0:
        return Estimate(float("nan"), float("nan"))
    value = float(np.sum(w * seen)) / count
    return Estimate(value, sqrt(float(np.sum((w - 1) * w * (seen - value) ** 2))) / count)

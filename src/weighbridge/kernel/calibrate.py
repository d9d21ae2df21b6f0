"""Log-odds to calibrated probabilities, applied value by value."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Arrays, Floats


@dataclass(frozen=True)
class Calibration:
    """A monotone map from log-odds to probability.

    slope, intercept: float64[], p = 1 / (1 + exp(-(slope * x + intercept))), Platt (1999). Where `knots`, float64[n],
    is not empty, p is interpolated linearly between `levels`, float64[n], instead: isotonic regression.
    """

    slope: Floats
    intercept: Floats
    knots: Floats
    levels: Floats

    @classmethod
    def sigmoid(cls, slope: float = 1.0, intercept: float = 0.0) -> Calibration:
        """Return a sigmoid; the default is the plain inverse of log-odds."""
        return cls(np.float64(slope), np.float64(intercept), np.zeros(0), np.zeros(0))  # type: ignore[arg-type]

    def probability(self, log_odds: Floats) -> Floats:
        """Return probabilities of log-odds, float64[n]."""
        out = np.empty(len(log_odds), dtype=np.float64)
        _apply(np.ascontiguousarray(log_odds), float(self.slope), float(self.intercept), self.knots, self.levels, out)
        return out

    def arrays(self) -> Arrays:
        """Return the arrays by name, to be stored."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    def sound(self) -> bool:
        """Whether stored arrays make a rising map into [0, 1]."""
        straight = np.isfinite(self.slope) and np.isfinite(self.intercept) and float(self.slope) >= 0
        rising = (
            len(self.knots) == len(self.levels)
            and (np.diff(self.knots) > 0).all()
            and (np.diff(self.levels) >= 0).all()
        )
        inside = ((self.levels >= 0) & (self.levels <= 1)).all()
        return bool(straight and rising and inside)


@njit(cache=True, nogil=True)
def _apply(log_odds: Floats, slope: float, intercept: float, knots: Floats, levels: Floats, out: Floats) -> None:
    for row in range(len(log_odds)):
        x = log_odds[row]
        if len(knots) == 0:
            z = slope * x + intercept
            out[row] = 1.0 / (1.0 + np.exp(-z)) if z >= 0 else np.exp(z) / (1.0 + np.exp(z))
            continue
        place = np.searchsorted(knots, x, side="right")
        if place == 0:
            out[row] = levels[0]
        elif place == len(knots):
            out[row] = levels[-1]
        else:
            part = (x - knots[place - 1]) / (knots[place] - knots[place - 1])
            out[row] = levels[place - 1] + part * (levels[place] - levels[place - 1])

"""How likely so large a difference is where nothing has moved, and rows of one cluster are alike."""

from __future__ import annotations

import numpy as np
from scipy.special import fdtrc

from weighbridge.kernel.clustered import Spread


def chi_square_p_value(statistic: float, degrees: int, of: Spread) -> float:
    """Return the chance of so large a statistic of rows divided by their design effect, where nothing has moved.

    The second-order correction with an F distribution (Thomas and Rao 1987): few clusters make the test wide.
    """
    if not of.degrees:
        return 1.0
    return float(fdtrc(degrees / of.unevenness, of.degrees, statistic / degrees))


def kolmogorov_p_value(distance: float, rows: float, of: Spread) -> float:
    """Return the chance of so large a distance of two ECDFs of so many rows, n N / (n + N), where nothing has moved.

    The first term of Kolmogorov's series, 2 exp(-2 t^2) with t^2 = rows distance^2 / cumulative, which bounds the rest.
    Where the variance is an estimate with v degrees of freedom it becomes its mean over chi-square(v) / v, as normal
    quantiles become those of Student: 2 (1 + 4 t^2 / v)^(-v / 2).
    """
    x, v = 4 * rows * distance**2 / of.cumulative, of.cumulative_degrees
    if not v:
        return 1.0
    return min(1.0, 2 * float(np.exp(-v / 2 * np.log1p(x / v))))

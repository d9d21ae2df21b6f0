"""Evidence that may be looked at as often as one likes: bets against a bound, and an interval for a mean.

Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024).
A gambler bets a fraction of their capital that the next outcome lies above a bound. While its conditional mean is not
above the bound, nobody can win in the long run: the capital is a nonnegative supermartingale that begins at 1, and by
Ville's inequality it ever reaches 1 / alpha with a chance of at most alpha, whenever one looks or stops. It is right
from the first outcome on, for rates of .1 % as for means, and asks for no variance and no identical distribution.

Which bet is best depends on what is not known, so capital is divided over BETS of them, and over the intervals in
which a fault may begin (interval k gets 1 / (k (k + 1)) of it): a mixture of such capitals is one again.
"""

from __future__ import annotations

import numpy as np

from weighbridge.kernel.arrays import Floats, Ints

FRACTIONS = np.geomspace(0.005, 0.95, 12)  # of the most that can be bet without ever losing everything
BETS = len(FRACTIONS)


def growth(x: Floats, group: Ints, groups: int, low: float, bound: float) -> Floats:
    """Return by how much the logarithm of the capital of each bet grows in each group, float64[groups, BETS].

    x: float64[n], outcomes of at least `low`; group: int64[n]. The bets are against a conditional mean of at most
    `bound`, which is above `low`.
    """
    bets = FRACTIONS / (bound - low)
    return np.stack([np.bincount(group, np.log1p(bet * (x - bound)), groups) for bet in bets], axis=1)


def log_evidence(grown: Floats) -> Floats:
    """Return the logarithm of the capital after each interval, float64[k]. grown: float64[k, BETS], see `growth`."""
    found, capital = np.empty(len(grown)), np.full(BETS, -np.inf)
    for place, row in enumerate(grown):
        number = place + 1
        capital = np.logaddexp(capital, -np.log(number * (number + 1.0))) + row
        found[place] = np.logaddexp(np.logaddexp.reduce(capital) - np.log(BETS), -np.log(number + 1.0))
    return found


def confidence_sequence(
    n: Ints, total: Floats, squares: Floats, low: float, high: float, alpha: float
) -> tuple[Floats, Floats]:
    """Return (lower, upper), float64[k] each, of the mean after each interval: all k hold at once but for alpha.

    n: int64[k] outcomes of low to high in each interval, none without any; total and squares: the sums of them and of
    their squares. The empirical Bernstein confidence sequence with predictable plug-ins (theorem 2 of the source, in
    groups): what is plugged in comes from the intervals before; n is taken as given.
    """
    width = high - low
    sums, squares = (total - n * low) / width, (squares - 2 * low * total + n * low**2) / width**2
    before = np.cumsum(n) - n
    mean = (0.5 + np.cumsum(sums) - sums) / (before + 1)
    spread = (0.25 + np.cumsum(squares) - squares) / (before + 1) - mean**2 * before / (before + 1)
    seen = before + n
    bet = np.sqrt(2 * np.log(2 / alpha) / (np.maximum(spread, 1e-4) * seen * np.log1p(seen)))
    bet = np.minimum(bet, 0.5)
    weight = np.cumsum(bet * n)
    spent = np.cumsum((squares - 2 * mean * sums + n * mean**2) * (-np.log1p(-bet) - bet))
    centre, margin = np.cumsum(bet * sums) / weight, (np.log(2 / alpha) + spent) / weight
    lower, upper = np.maximum.accumulate(centre - margin), np.minimum.accumulate(centre + margin)
    return low + width * np.clip(lower, 0, 1), low + width * np.clip(upper, 0, 1)

"""The pair of thresholds of least cost, over all pairs: rows sorted once, then sums over beginnings of that order.

With rows by falling probability, a policy declines the first i and reviews those up to j. Its cost is a part that
depends on i alone and one that depends on j alone, so the best j for each i is the least value of a range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from weighbridge.kernel.arrays import Floats, Ints

NEVER = 1.0 + 1e-9  # above every probability


@dataclass(frozen=True)
class Ladder:
    """Every way to cut rows by two thresholds. A step is a number of rows at the top that share no probability below.

    rows, at: int64[s] and float64[s], how many rows lie at or above each step's threshold, and that threshold.
    decline, review: float64[s]; the cost of declining i steps and flagging j is decline[i] + review[j].
    furthest: int64[s], the last step that may be flagged where so many are declined.
    """

    rows: Ints
    at: Floats
    decline: Floats
    review: Floats
    furthest: Ints

    def best(self) -> tuple[int, int]:
        """Return the steps (declined, flagged) of least cost; of equals that which declines, then reviews, least."""
        _, least = self.given_declined()
        declined = int(np.argmin(self.decline + least))
        return declined, self.flagged(declined)

    def flagged(self, declined: int) -> int:
        """Return the best step to flag where so many are declined."""
        return declined + int(np.argmin(self.review[declined : self.furthest[declined] + 1]))

    def given_declined(self) -> tuple[Ints, Floats]:
        """Return the steps, and for each the least part of the cost of what is flagged where it is declined."""
        steps = np.arange(len(self.rows))
        return steps, least_of_ranges(self.review, steps, self.furthest)

    def given_flagged(self) -> tuple[Ints, Floats]:
        """Return for each flagged step the first step that may be declined, and the least cost of declining from it."""
        steps = np.arange(len(self.rows))
        first = np.searchsorted(self.furthest, steps, side="left")
        return first, least_of_ranges(self.decline, first, steps)

    def cost(self, declined: int, flagged: int) -> float:
        """Return the cost of all rows, in major units."""
        return float(self.decline[declined] + self.review[flagged])


def ladder(
    y: Ints, probability: Floats, amount: Floats, costs: tuple[float, float, float], limit: int, day: Ints | None = None
) -> Ladder:
    """Return the ladder of rows. y: int64[n], 0 or 1; amount: float64[n], what a missed positive costs times `missed`.

    costs: (missed, wrong_decline, review), as in `metrics.net_cost`. `limit` bounds the rows reviewed: all of them, or
    where `day`, int64[n], is given those of each day.
    """
    missed, wrong_decline, review = costs
    order = np.argsort(-probability, kind="stable")
    p, positive = probability[order], y[order] == 1
    ends = np.flatnonzero(np.r_[p[1:] != p[:-1], True]) + 1 if len(p) else np.empty(0, dtype=np.int64)
    rows = np.r_[0, ends].astype(np.int64)
    wrong = np.r_[0.0, np.cumsum(np.where(positive, 0.0, wrong_decline))][rows]
    caught = np.r_[0.0, np.cumsum(np.where(positive, missed * amount[order], 0.0))]
    reach = rows + limit if day is None else _reach(day[order], limit)[rows]
    furthest = np.searchsorted(rows, reach, side="right") - 1
    left = caught[-1] - caught[rows]
    return Ladder(
        rows, np.r_[NEVER, p[rows[1:] - 1]], wrong - review * rows, left + review * rows, furthest.astype(np.int64)
    )


def _reach(day: Ints, limit: int) -> Ints:
    """Return for each number of declined rows how many may be flagged, so that no day has more than `limit` between."""
    n = len(day)
    reach = np.full(n + 1, n, dtype=np.int64)
    by_day = np.argsort(day, kind="stable")
    within = day[by_day]
    if limit < n:
        same = within[limit:] == within[: n - limit]
        first, last = by_day[: n - limit][same], by_day[limit:][same]
        np.minimum.at(reach, first, last)  # both reviewed would be limit + 1 of one day
    return np.minimum.accumulate(reach[::-1])[::-1]


def least_of_ranges(values: Floats, first: Ints, last: Ints) -> Floats:
    """Return the least of values[first[k] : last[k] + 1] for every k: float64[n], int64[m], int64[m] to float64[m].

    By sparse table, one level at a time: Bender and Farach-Colton (2000).
    """
    least = np.empty(len(first), dtype=np.float64)
    level = np.floor(np.log2(last - first + 1)).astype(np.int64)
    table, width = values, 1
    for step in range(int(level.max(initial=0)) + 1):
        chosen = level == step
        least[chosen] = np.minimum(table[first[chosen]], table[last[chosen] - width + 1])
        table = np.minimum(table[:-width], table[width:])
        width *= 2
    return least

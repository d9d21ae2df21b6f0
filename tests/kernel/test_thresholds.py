"""The pair of thresholds of least cost, against trying every pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.kernel.metrics import net_cost
from weighbridge.kernel.thresholds import NEVER, ladder, least_of_ranges


def tried(y, p, amount, costs, limit, day):
    """Every pair: (cost, rows declined, rows flagged, review_at, decline_at) of those within the limit."""
    found = []
    candidates = [*sorted(set(p)), NEVER]
    for review_at in candidates:
        for decline_at in (c for c in candidates if c >= review_at):
            reviewed = (p >= review_at) & (p < decline_at)
            days = [reviewed] if day is None else [reviewed & (day == d) for d in set(day)]
            if all(int(rows.sum()) <= limit for rows in days):
                cost = net_cost(y, p, amount, review_at, decline_at, costs) * len(y)
                found.append((round(cost, 6), int((p >= decline_at).sum()), int((p >= review_at).sum())))
    return found


rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(0, 60), st.integers(0, 3)), min_size=1, max_size=25
)


@given(rows, st.integers(0, 12), st.booleans(), st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 9)))
def test_the_best_pair_is_that_of_trying_all(table, limit, by_day, costs):
    y, steps, amount, day = (np.array(column, dtype=np.int64) for column in zip(*table, strict=True))
    p, costs = steps / 16, tuple(map(float, costs))
    found = ladder(y, p, amount.astype(float), costs, limit, day if by_day else None)
    declined, flagged = found.best()
    every = tried(y, p, amount, costs, limit, day if by_day else None)
    assert (found.cost(declined, flagged), found.rows[declined], found.rows[flagged]) == min(every)
    for i in range(len(found.rows)):  # what may be flagged, and the two cost curves, step by step
        allowed = [c for c in every if c[1] == found.rows[i]]
        assert found.rows[found.furthest[i]] == max(c[2] for c in allowed)
        assert found.decline[i] + found.given_declined()[1][i] == min(c[0] for c in allowed)
        assert found.review[i] + found.given_flagged()[1][i] == min(c[0] for c in every if c[2] == found.rows[i])
    at = (found.at[flagged], found.at[declined])
    assert ((p >= at[0]).sum(), (p >= at[1]).sum()) == (found.rows[flagged], found.rows[declined])


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=40), st.data())
def test_the_least_of_a_range_is_that_of_looking(values, data):
    n = len(values)
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1).map(
        lambda found: [tuple(sorted(pair)) for pair in found]))  # fmt: skip
    first, last = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    least = least_of_ranges(np.array(values, dtype=float), first, last)
    assert least.tolist() == [min(values[a : b + 1]) for a, b in pairs]


def test_amounts_count():
    """Below a negative that nobody would decline, a positive is reviewed where it is dearer than the reviews down to it."""
    y, p = np.array([0, 1, 1, 0, 0]), np.array([0.5, 0.4, 0.3, 0.2, 0.1])
    for dear, flagged in (((100, 1), 2), ((1, 100), 3), ((1, 0.5), 0)):
        found = ladder(y, p, np.array([5.0, *dear, 5.0, 5.0]), (1.0, 500.0, 2.0), 10)
        assert found.rows[list(found.best())].tolist() == [0, flagged], dear


def test_a_busy_day_binds_only_where_every_day_counts():
    y, p, day = np.array([1, 0, 1, 0, 1, 1]), np.linspace(0.9, 0.4, 6), np.array([0, 0, 0, 0, 1, 2])
    amount, costs = np.full(6, 50.0), (1.0, 1_000.0, 1.0)
    average = ladder(y, p, amount, costs, 2 * 3)
    assert average.rows[average.best()[1]] == 6
    every = ladder(y, p, amount, costs, 2, day)
    declined, flagged = every.best()
    assert np.bincount(day[every.rows[declined] : every.rows[flagged]]).max() == 2


@pytest.mark.parametrize("n", [200_000])
def test_many_rows_take_no_grid(n):
    rng = np.random.default_rng(1)
    p = rng.random(n)
    y = (rng.random(n) < p**3).astype(np.int64)
    found = ladder(y, p, rng.integers(1, 100, n).astype(float), (1.0, 15.0, 2.0), n // 50)
    assert len(found.rows) == n + 1
    declined, flagged = found.best()
    best = found.cost(declined, flagged)
    for a, b in rng.integers(0, n, (300, 2)):
        assert found.cost(min(a, b), min(max(a, b), int(found.furthest[min(a, b)]))) >= best

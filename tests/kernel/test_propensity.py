"""Estimates from what could be observed by chance: unbiased, and their intervals hold what they claim."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.kernel.propensity import mean, total, weights
from weighbridge.kernel.resample import interval, resampled, sums_by

WORLDS = 4_000 if os.environ.get("WEIGHBRIDGE_SOAK") else 600


def drawn(seed, n=1_500):
    rng = np.random.default_rng(seed)
    y, p = (rng.random(n) < 0.4) * rng.uniform(20, 60, n), rng.choice([0.1, 0.3, 1.0], n)
    return y, rng.random(n) < p, p


def test_totals_and_means_are_right_on_average_and_covered():
    rng = np.random.default_rng(1)
    y, _, p = drawn(0)
    sums, means, inside = [], [], np.zeros(2)
    for _ in range(WORLDS):
        observed = rng.random(len(y)) < p
        whole, average = total(y, observed, p), mean(y, observed, p)
        sums.append(whole.value)
        means.append(average.value)
        for place, (found, truth) in enumerate(((whole, y.sum()), (average, y.mean()))):
            inside[place] += found.interval[0] <= truth <= found.interval[1]
    errors = [np.std(figures) / np.sqrt(WORLDS) for figures in (sums, means)]
    assert abs(np.mean(sums) - y.sum()) < 4 * errors[0]
    assert abs(np.mean(means) - y.mean()) < 4 * errors[1] + 0.01 * y.mean()  # Hájek's mean: bias of order 1/n
    assert (np.abs(inside / WORLDS - 0.95) < 0.03).all()


def test_without_chance_nothing_is_estimated():
    y = np.array([1.0, 0.0, 3.0])
    everything = np.ones(3, dtype=bool)
    assert (total(y, everything, np.ones(3)).value, total(y, everything, np.ones(3)).error) == (4.0, 0.0)
    assert mean(y, everything, np.ones(3)).value == pytest.approx(y.mean())
    assert np.isnan(mean(y, ~everything, np.ones(3)).value)
    assert total(y, ~everything, np.ones(3)).value == 0


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 1.0, float("nan"), 2.0])), min_size=1))
def test_a_weight_needs_a_chance(rows):
    observed, p = (np.array(column) for column in zip(*rows, strict=True))
    if any(seen and not 0 < chance <= 1 for seen, chance in rows):
        with pytest.raises(ValueError, match="a chance of being observed"):
            weights(observed, p)
    else:
        assert weights(observed, p).tolist() == [1 / c if seen else 0.0 for seen, c in rows]


def test_groups_that_belong_together_are_drawn_together():
    rng = np.random.default_rng(3)
    inside = 0
    for seed in range(200):
        group = np.repeat(np.arange(150), 4)
        values = np.repeat(rng.normal(1, 1, 150), 4)[:, None]  # four equal rows a group
        sums = sums_by(group, 150, np.c_[values, np.ones(600)])
        assert sums.sum(axis=0) == pytest.approx([values.sum(), 600])
        low, high = interval(lambda t: t[:, 0] / t[:, 1], resampled(sums, 200, seed))
        inside += low <= 1 <= high
    assert 178 <= inside <= 200


def test_an_interval_of_what_is_undefined_is_none():
    assert all(np.isnan(end) for end in interval(lambda t: t[:, 0] / 0.0, resampled(np.zeros((3, 1)), 10, 0)))

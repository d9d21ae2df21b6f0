"""Metrics equal the reference implementations and their own naive forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from weighbridge.kernel import metrics

scored = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.5001, 0.9, 1.0])), min_size=2, max_size=60
)


def split(rows):
    y, score = zip(*rows, strict=True)
    return np.array(y), np.array(score)


@given(scored)
def test_ranking_metrics_equal_scikit_learn(rows):
    y, score = split(rows)
    if 0 < y.sum() < len(y):
        assert metrics.roc_auc(y, score) == pytest.approx(reference.roc_auc_score(y, score), abs=1e-12)
    if y.sum():
        assert metrics.average_precision(y, score) == pytest.approx(
            reference.average_precision_score(y, score), abs=1e-12
        )
        precision, recall, _ = reference.precision_recall_curve(y, score)
        reachable = recall[:-1][precision[:-1] >= 0.9]
        assert metrics.recall_at_precision(y, score) == pytest.approx(max(reachable, default=0.0))
        best = max(reference.f1_score(y, score >= t) for t in np.unique(score))
        assert metrics.f1(y, score) == pytest.approx(best)
    assert metrics.brier(y, score) == pytest.approx(np.mean((y - score) ** 2))


def test_what_is_undefined_is_nan():
    none = np.zeros(3, dtype=int)
    for metric in (metrics.average_precision, metrics.roc_auc, metrics.recall_at_precision, metrics.f1):
        assert math.isnan(metric(none, np.array([0.1, 0.2, 0.3])))


def test_card_precision_counts_cards_once_and_forgets_found_ones():
    day = np.array([1, 1, 1, 1, 2, 2, 2])
    key = np.array([7, 7, 8, 9, 7, 8, 9])
    score = np.array([0.9, 0.1, 0.8, 0.2, 0.9, 0.5, 0.4])
    y = np.array([0, 1, 0, 1, 1, 1, 0])
    # day 1: cards 7 and 8 lead, 7 is compromised; day 2 without card 7: 8 and 9, 8 is
    assert metrics.card_precision_at_k(y, score, day, key, k=2) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert metrics.card_precision_at_k(y, score, day, key, k=4) == pytest.approx((2 / 4 + 1 / 4) / 2)


def test_calibration_error_of_a_perfect_and_of_a_shifted_score():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    y = (rng.random(20_000) < p).astype(int)
    assert metrics.ece(y, p) < 0.02
    assert metrics.ece(y, np.clip(p + 0.2, 0, 1)) > 0.1


def test_net_cost_charges_each_outcome():
    y, p, amount = np.array([1, 1, 0, 0]), np.array([0.1, 0.9, 0.9, 0.5]), np.array([50.0, 80.0, 10.0, 10.0])
    # missed 50, declined right, declined wrong 7, reviewed 2
    assert metrics.net_cost(y, p, amount, 0.3, 0.8, (1.0, 7.0, 2.0)) == pytest.approx((50 + 7 + 2) / 4)


def test_an_interval_holds_the_figure_and_narrows_with_days():
    rng = np.random.default_rng(1)

    def of(days):
        day = np.repeat(np.arange(days), 50)
        y = (rng.random(len(day)) < 0.3).astype(int)
        low, high = metrics.interval(lambda i: float(y[i].mean()), day, 200, seed=3)
        assert low <= y.mean() <= high
        return high - low

    assert of(100) < of(5)

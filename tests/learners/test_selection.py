"""What one feature tells, against counting by hand; chance is kept out at the declared rate."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.kernel.drift import benjamini_hochberg
from weighbridge.learners.selection import FEW, information, separation, varying

VALUES = st.sampled_from([0.0, 1.0, 2.0, 5.5, -3.0, math.nan])
ROWS = st.lists(st.tuples(VALUES, st.integers(0, 1)), min_size=4, max_size=40).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


def naive_separation(column, y):
    """Pairs of a positive and a negative, one by one."""
    ranked = [-1e30 if math.isnan(x) else x for x in column]
    pairs = [
        (a, b)
        for a, label in zip(ranked, y, strict=True)
        if label
        for b, other in zip(ranked, y, strict=True)
        if not other
    ]
    return abs(sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs) - 0.5)


def naive_information(column, y):
    """The sum over cells of p ln(p / (p p)), nats."""
    n, values = len(y), ["missing" if math.isnan(x) else x for x in column]
    both, one, other = Counter(zip(values, y, strict=True)), Counter(values), Counter(y)
    return sum(c / n * math.log(c * n / (one[v] * other[label])) for (v, label), c in both.items())


@given(rows=ROWS)
def test_scores_equal_counting_by_hand(rows):
    column, y = (list(part) for part in zip(*rows, strict=True))
    X, labels = np.array(column, dtype=np.float32).reshape(-1, 1), np.array(y)
    assert separation(X, labels)[0][0] == pytest.approx(naive_separation(column, y), abs=1e-12)
    score, p = information(X, labels)
    assert score[0] == pytest.approx(naive_information(column, y), abs=1e-12)
    assert 0 <= p[0] <= 1


@pytest.mark.parametrize("told", [separation, information])
def test_noise_is_left_out_and_a_signal_kept(told):
    rng = np.random.default_rng(1)
    y = (rng.random(3_000) < 0.05).astype(np.int64)
    X = rng.normal(size=(len(y), 200)).astype(np.float32)
    assert (benjamini_hochberg(told(X, y)[1]) <= 0.05).sum() == 0
    X[:, 7] += y
    assert np.flatnonzero(benjamini_hochberg(told(X, y)[1]) <= 0.05).tolist() == [7]
    assert (told(X, y)[1] <= 0.05).sum() > 5  # uncorrected, noise comes through


def test_information_sees_what_a_rank_does_not():
    rng = np.random.default_rng(2)
    x = rng.normal(size=4_000)
    y = (np.abs(x) > 1.8).astype(np.int64)
    X = x.astype(np.float32).reshape(-1, 1)
    assert separation(X, y)[0][0] < 0.05 < information(X, y)[0][0]


def test_a_missing_value_tells_too():
    X = np.where(np.arange(400) % 4 == 0, np.nan, np.linspace(0, 1, 400)).astype(np.float32).reshape(-1, 1)
    y = np.isnan(X[:, 0]).astype(np.int64)
    assert len(np.unique(X)) > FEW
    assert information(X, y)[0][0] == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    assert varying(X) == [0]
    assert varying(np.full((3, 1), np.nan, dtype=np.float32)) == []

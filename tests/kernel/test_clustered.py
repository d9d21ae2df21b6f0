"""What clusters take from a sample, beside loops over clusters."""

from __future__ import annotations

import numpy as np
import pytest

from weighbridge.kernel.clustered import (
    INDEPENDENT,
    MANY,
    Spread,
    spread,
    together,
)
from weighbridge.kernel.drift import chi_square

SIX = np.ones(6, dtype=bool)


def of(cells, groups, known=SIX):
    """The spread of rows whose fine bins are the bins; the last is missing."""
    order = np.argsort(groups, kind="stable")
    starts = np.r_[0, np.cumsum(np.bincount(groups))]
    return spread(np.asarray(cells)[order].astype(np.int64), starts, np.arange(len(known)), known)


def by_hand(cells, groups):
    """Design effect, unevenness and the largest variance of the ECDF from a loop over clusters."""
    n, bins = len(cells), 6
    share = [float(np.mean(cells == b)) for b in range(bins)]
    matrix, parts = np.zeros((bins, bins)), []
    present = int((cells < 5).sum())
    ecdf = [float((cells <= b).sum() / present) for b in range(4)]
    ecdf = np.array(ecdf)
    away = np.zeros(4)
    for g in np.unique(groups):
        own = cells[groups == g]
        r = np.array([((own == b).sum() - len(own) * share[b]) / share[b] ** 0.5 for b in range(bins)])
        matrix += np.outer(r, r) / n
        parts.append(float(r @ r))
        away += [((own <= b).sum() - (own < 5).sum() * ecdf[b]) ** 2 for b in range(4)]
    values = np.linalg.eigvalsh(matrix)
    parts = np.array(parts)
    return (
        values.sum() / 5,
        5 * (values**2).sum() / values.sum() ** 2,
        4 * away.max() / present,
        parts.sum() ** 2 / (parts**2).sum() - 1,
    )


@pytest.mark.parametrize("alike", [0.0, 0.4, 1.0])
def test_a_spread_is_that_of_a_loop_over_clusters(alike):
    rng = np.random.default_rng(2)
    groups = rng.integers(0, 80, 1_500)
    cells = np.where(rng.random(1_500) < alike, rng.integers(0, 6, 80)[groups], rng.integers(0, 6, 1_500))
    found = of(cells, groups)
    effect, uneven, cumulative, degrees = by_hand(cells, groups)
    assert found[:4] == pytest.approx((max(effect, 1), max(uneven, 1), max(cumulative, 1), degrees))


def test_rows_that_are_copies_tell_as_much_as_one():
    rng = np.random.default_rng(3)
    cells = rng.integers(0, 6, 300)
    assert of(cells, np.arange(300)).design_effect == pytest.approx(1.0)
    copies = of(np.repeat(cells, 8), np.repeat(np.arange(300), 8))
    assert copies.design_effect == pytest.approx(8.0)
    assert copies.degrees == pytest.approx(of(cells, np.arange(300)).degrees)
    assert 1 <= of(rng.integers(0, 6, 2_400), np.repeat(np.arange(300), 8)).design_effect < 1.3
    none = np.zeros(0, dtype=np.int64)
    assert of(none, none) == INDEPENDENT
    assert of(np.zeros(9, dtype=np.int64), np.arange(9), np.arange(6) == 0)[:2] == (1.0, 1.0)


def test_a_bin_that_nobody_is_in_is_no_proof_of_independence():
    groups, two = np.repeat(np.arange(100), 20), np.ones(2, dtype=bool)
    assert of(np.zeros(2_000, dtype=np.int64), groups, two).design_effect == pytest.approx(20.0)
    assert chi_square(np.array([970, 30]), np.array([2_000, 0]), 20.0) == (0.0, 0)


def test_one_cluster_tells_nothing_and_one_that_holds_most_rows_little():
    rng = np.random.default_rng(4)
    cells = rng.integers(0, 6, 600)
    one = of(cells, np.zeros(600, dtype=np.int64))
    assert one.degrees == 0
    assert together(one, 600, INDEPENDENT, 9_000).degrees == 0
    most = of(np.repeat(rng.integers(0, 6, 121), [480, *[1] * 120]), np.repeat(np.arange(121), [480, *[1] * 120]))
    assert most.degrees < 1.5


def test_two_samples_go_by_satterthwaite():
    a, b = Spread(4.0, 1.2, 3.0, 30, 20), Spread(2.0, 1.5, 1.0, MANY, MANY)
    both = together(a, 1_000, b, 4_000)
    variance = 4 / 1_000 + 2 / 4_000
    assert both.design_effect == pytest.approx(variance / (1 / 1_000 + 1 / 4_000))
    assert both.degrees == pytest.approx(variance**2 / (0.004**2 / 30), rel=1e-5)
    assert 1.2 < both.unevenness < 1.5
    assert together(a, 1_000, a, 1_000).degrees == pytest.approx(60)
    assert together(Spread(degrees=0), 9, b, 9).degrees == 0

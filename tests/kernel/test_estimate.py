"""What probabilities promise, beside what comes of them when they are true."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score

from weighbridge.kernel.estimate import calibration_z, expected_at, expected_average_precision


def drawn(rng, n=4_000):
    return rng.beta(0.3, 6, n)


def test_estimates_are_the_means_of_what_comes():
    rng = np.random.default_rng(2)
    p = drawn(rng)
    worlds = [(rng.random(len(p)) < p).astype(int) for _ in range(60)]
    flagged = (p >= 0.2).astype(int)
    precision, recall = expected_at(p, 0.2)
    assert precision == pytest.approx(np.mean([precision_score(y, flagged) for y in worlds]), abs=0.01)
    assert recall == pytest.approx(np.mean([recall_score(y, flagged) for y in worlds]), abs=0.01)
    assert expected_average_precision(p) == pytest.approx(
        np.mean([average_precision_score(y, p) for y in worlds]), abs=0.01
    )
    coarse = np.round(p, 1) + 0.02  # many ties
    worlds = [(rng.random(len(p)) < coarse).astype(int) for _ in range(60)]
    assert expected_average_precision(coarse) == pytest.approx(
        np.mean([average_precision_score(y, coarse) for y in worlds]), abs=0.01
    )


def test_a_lie_is_not_estimated_away():
    """The negative control: probabilities that promise twice too much are believed by the estimate, not by z."""
    rng = np.random.default_rng(3)
    p = drawn(rng)
    y = (rng.random(len(p)) < p / 2).astype(int)
    assert expected_at(p, 0.2)[0] > 1.7 * y[p >= 0.2].mean()
    assert abs(calibration_z(y, p)) > 4


def test_z_is_standard_normal_when_probabilities_are_true():
    rng = np.random.default_rng(4)
    z = []
    for _ in range(400):
        p = drawn(rng, 1_000)
        z.append(calibration_z((rng.random(1_000) < p).astype(int), p))
    assert np.mean(z) == pytest.approx(0, abs=0.2)
    assert np.std(z) == pytest.approx(1, abs=0.12)


def test_copies_of_a_row_make_it_no_surer():
    rng = np.random.default_rng(5)
    p = drawn(rng, 500)
    y = (rng.random(500) < p).astype(int)
    eight, groups = (np.repeat(y, 8), np.repeat(p, 8)), np.repeat(np.arange(500), 8)
    assert abs(calibration_z(*eight)) == pytest.approx(abs(calibration_z(y, p)) * np.sqrt(8))
    assert abs(calibration_z(*eight, [groups])) <= abs(calibration_z(y, p, [np.arange(500)])) + 1e-9


def test_nothing_to_say_is_nan():
    none = np.zeros(0)
    assert np.isnan(expected_at(none, 0.5)).all()
    assert np.isnan(expected_average_precision(none))
    assert np.isnan(expected_average_precision(np.zeros(5)))
    assert np.isnan(calibration_z(np.array([0, 1]), np.array([0.0, 1.0])))

"""Bins fixed at training, and statistics of counts, beside scipy and beside what is counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from weighbridge.kernel.drift import (
    FLOOR,
    Counter,
    benjamini_hochberg,
    chi_square,
    coarse,
    kolmogorov_smirnov,
    profile,
    psi,
)

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy": lambda rng, n: rng.lognormal(0, 2, size=n),
    "counts": lambda rng, n: rng.poisson(4, size=n),
    "many counts": lambda rng, n: rng.poisson(400, size=n),
    "flag": lambda rng, n: rng.random(n) < 0.05,
    "missing": lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, rng.exponential(size=n)),
    "infinite": lambda rng, n: np.where(rng.random(n) < 0.1, np.inf, rng.exponential(size=n)),
    "constant": lambda rng, n: np.full(n, 7.25),
    "never": lambda rng, n: np.full(n, np.nan),
}


def samples(shape, seed=1, moved=0.2):
    rng = np.random.default_rng(seed)
    return SHAPES[shape](rng, 4_000).astype(np.float32), (SHAPES[shape](rng, 1_500) * (1 + moved)).astype(np.float32)


def counted(values, edges):
    """Counts by hand: every value beside every edge."""
    counts = [0] * (len(edges) + 2)
    for value in values.tolist():
        counts[sum(edge <= value for edge in edges) if np.isfinite(value) else -1] += 1
    return counts


@pytest.mark.parametrize("shape", SHAPES)
def test_counts_are_those_by_hand(shape):
    before, now = samples(shape)
    made = json.loads(json.dumps(profile(before)))
    assert len(made["edges"]) <= 127
    assert made["counts"] == counted(before, made["edges"])
    counter = Counter([made])
    assert counter.count(now.reshape(-1, 1))[0].tolist() == counted(now, made["edges"])
    assert counter.count(now.astype(np.float64).reshape(-1, 1))[0].tolist() == counted(now, made["edges"])
    places = counter.places(now.reshape(-1, 1))[:, 0]
    assert np.bincount(places, minlength=len(made["edges"]) + 2).tolist() == counted(now, made["edges"])
    rough = coarse(made, counter.count(now.reshape(-1, 1))[0])
    assert rough.tolist() == counted(now, [made["edges"][b] for b in made["bins"]])


@given(st.lists(st.floats(width=32), max_size=40), st.lists(st.floats(width=32), max_size=40))
def test_any_float_has_its_bin(before, now):
    made = profile(np.array(before, dtype=np.float32))
    found = Counter([made]).count(np.array(now, dtype=np.float32).reshape(-1, 1))[0]
    assert found.tolist() == counted(np.array(now, dtype=np.float32), made["edges"])


@pytest.mark.parametrize("shape", ["counts", "flag", "missing", "normal", "heavy"])
def test_ks_is_that_of_the_binned_samples_and_never_too_large(shape):
    before, now = samples(shape)
    made = profile(before)
    ours = kolmogorov_smirnov(np.array(made["counts"]), Counter([made]).count(now.reshape(-1, 1))[0])
    x, y = (v[np.isfinite(v)] for v in (before, now))
    binned = [np.searchsorted(made["edges"], v.astype(np.float64), side="right") for v in (x, y)]
    assert ours == pytest.approx(stats.ks_2samp(*binned, method="asymp").statistic, abs=1e-12)
    seen = np.isin(y, x).all() if len(made["edges"]) < 119 else True  # a value that is new may fall between
    whole = stats.ks_2samp(x, y, method="asymp").statistic
    assert ours <= whole + 1e-12
    assert not seen or ours >= whole - (2 / 120 if len(made["edges"]) == 119 else 1e-12)


@pytest.mark.parametrize("shape", ["flag", "counts"])
def test_ks_is_exact_where_values_are_few(shape):
    before, now = samples(shape, moved=0)
    made = profile(before)
    exact = stats.ks_2samp(before, now, method="asymp").statistic
    ours = kolmogorov_smirnov(np.array(made["counts"]), Counter([made]).count(now.reshape(-1, 1))[0])
    assert ours == pytest.approx(exact, abs=1e-12)


def test_chi_square_is_scipys_where_every_bin_expects_enough():
    e, a = np.array([40, 60, 100, 15]), np.array([10, 30, 44, 12])
    theirs = stats.chi2_contingency([e, a], correction=False)
    assert chi_square(e, a) == (pytest.approx(theirs.statistic, abs=1e-9), theirs.dof)


def test_rare_bins_are_put_together():
    e, a = np.array([400, 3, 2, 1, 600, 0]), np.array([410, 1, 0, 4, 580, 0])
    together = stats.chi2_contingency([[400, 6, 600], [410, 5, 580]], correction=False)
    assert chi_square(e, a) == (pytest.approx(together.statistic, abs=1e-9), 2)
    assert chi_square(np.array([50, 0]), np.array([60, 0])) == (0.0, 0)
    assert chi_square(np.array([50, 0]), np.array([0, 0])) == (0.0, 0)
    assert chi_square(np.array([2, 1]), np.array([1, 2])) == (0.0, 0)


def test_psi_is_zero_at_home_and_large_away():
    rng = np.random.default_rng(0)
    reference = profile(rng.normal(size=5_000))
    e = coarse(reference, np.array(reference["counts"]))
    near, far = (Counter([reference]).count(rng.normal(by, 1, size=(5_000, 1)))[0] for by in (0.0, 1.0))
    assert psi(e, e) == 0
    assert psi(e, coarse(reference, near)) < 0.02
    assert psi(e, coarse(reference, far)) > 0.3
    assert psi(np.array([90, 10]), np.array([10, 90])) == pytest.approx(2 * 0.8 * np.log(9))
    assert psi(np.array([100, 0]), np.array([50, 50])) == pytest.approx(
        0.5 * np.log(2) + (0.5 - FLOOR) * np.log(0.5 / FLOOR)
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_false_discoveries_are_controlled_as_by_scipy(p):
    assert benjamini_hochberg(np.array(p)) == pytest.approx(stats.false_discovery_control(p), abs=1e-15)

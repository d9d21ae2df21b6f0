"""Evidence against a bound is a fair game at every look, whatever the outcomes; a naive test is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SOAK
from weighbridge.kernel.sequential import BETS, FRACTIONS, confidence_sequence, growth, log_evidence

ALPHA = 0.01
STREAMS = 20_000 if SOAK else 2_000
LOOKS, EACH = 60, 25


def naive_evidence(x, groups, low, bound):
    """The definition in loops: capital divided over bets and over the groups in which it is first staked."""
    last = max(groups)
    found = 1 / (last + 2)  # what is staked later, or never
    for start in range(last + 1):
        for fraction in FRACTIONS:
            capital = 1 / ((start + 1) * (start + 2)) / BETS
            for outcome, group in zip(x, groups, strict=True):
                if group >= start:
                    capital *= 1 + fraction / (bound - low) * (outcome - bound)
            found += capital
    return found


@given(
    st.floats(0.001, 0.9), st.sampled_from([-1.0, 0.0]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2)), min_size=1, max_size=12),
)  # fmt: skip
def test_it_is_the_capital_of_the_definition(bound, low, drawn):
    steps = np.cumsum([step for _, step in drawn])
    groups = np.unique(steps, return_inverse=True)[1]
    x = np.array([low + (1 - low) * u for u, _ in drawn])
    found = log_evidence(growth(x, groups, int(groups.max()) + 1, low, bound))
    for group in range(int(groups.max()) + 1):
        seen = groups <= group
        expected = naive_evidence(x[seen], groups[seen].tolist(), low, bound)
        assert found[group] == pytest.approx(np.log(expected), abs=1e-9)


@settings(max_examples=300 if SOAK else 30)
@given(st.floats(0.001, 0.9), st.sampled_from([-1.0, 0.0]), st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_at_the_bound_it_is_a_fair_game_to_the_last_digit(bound, low, steps):
    """All 128 ways of seven outcomes with the bound as their mean: the capital's mean is what it was, 1."""
    groups = np.unique(np.cumsum(steps), return_inverse=True)[1]
    high = (bound - low) / (1 - low)
    mean = 0.0
    for way in itertools.product([low, 1.0], repeat=7):
        chance = np.prod([high if outcome == 1.0 else 1 - high for outcome in way])
        mean += chance * np.exp(log_evidence(growth(np.array(way), groups, int(groups.max()) + 1, low, bound))[-1])
    assert mean == pytest.approx(1.0, abs=1e-9)


def streams(rate, seed=11):
    """Outcomes of as many canaries, summed by look: int64[streams, looks]."""
    return np.random.default_rng(seed).binomial(EACH, rate, (STREAMS, LOOKS))


def stopped(hits, bound, alpha=ALPHA):
    """How many streams our test stops at some look."""
    one, none = (growth(np.array([x]), np.array([0]), 1, 0.0, bound)[0] for x in (1.0, 0.0))
    return sum(
        log_evidence(row[:, None] * one + (EACH - row)[:, None] * none).max() >= np.log(1 / alpha) for row in hits
    )


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2])
def test_at_the_bound_it_stops_falsely_at_most_as_often_as_declared(rate):
    assert stopped(streams(rate), rate) / STREAMS <= ALPHA + 3 * np.sqrt(ALPHA / STREAMS)


def test_a_z_test_that_is_repeated_does_not_keep_its_level():
    """The negative control: the same streams, the same looks, the textbook's one-sided test at the same level."""
    hits, rate = np.cumsum(streams(0.01), axis=1), 0.01
    n = EACH * np.arange(1, LOOKS + 1)
    z = (hits - n * rate) / np.sqrt(n * rate * (1 - rate))
    assert (z > 2.326).any(axis=1).mean() > 8 * ALPHA


def test_errors_of_5_percent_are_found_in_a_few_hundred_outcomes():
    found = [int(np.argmax(log_evidence(row) >= np.log(2 * 9 / ALPHA))) + 1 for row in (
        growth(x, np.arange(len(x)) // EACH, LOOKS, 0.0, 0.01)
        for x in (np.random.default_rng(5).random((200, EACH * LOOKS)) < 0.05).astype(float)
    )]  # fmt: skip
    assert np.median(found) * EACH <= 300
    assert np.quantile(found, 0.95) * EACH <= 700


@pytest.mark.parametrize(("low", "draw"), [
    (0.0, lambda rng, shape: (rng.random(shape) < 0.02).astype(float)),
    (0.0, lambda rng, shape: rng.random(shape)),
    (-1.0, lambda rng, shape: np.clip(rng.normal(0.02, 0.1, shape), -1, 1)),
])  # fmt: skip
def test_a_confidence_sequence_holds_at_all_looks_at_once(low, draw):
    rng, missed, widths = np.random.default_rng(3), 0, []
    mean, n = float(draw(rng, 2_000_000).mean()), np.full(LOOKS, EACH)
    for _ in range(STREAMS // 10):
        x = draw(rng, (LOOKS, EACH))
        lower, upper = confidence_sequence(n, x.sum(axis=1), (x * x).sum(axis=1), low, 1.0, 0.05)
        missed += not ((lower <= mean) & (mean <= upper)).all()
        widths.append((upper - lower)[[0, -1]])
    assert missed / (STREAMS // 10) <= 0.05
    assert np.mean(widths, axis=0)[1] < np.mean(widths, axis=0)[0] / 4

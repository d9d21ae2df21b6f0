"""Quiet windows stay quiet, moved ones are heard: counted over many windows of thirty features."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import SOAK
from weighbridge.declare import Watch
from weighbridge.declare.watch import SEVERITIES
from weighbridge.kernel.clustered import INDEPENDENT, MANY
from weighbridge.kernel.drift import benjamini_hochberg, coarse, profile, psi
from weighbridge.loop.watching.drift import TOO_FEW, distribution, judge, overall, sampled

WINDOWS = 1_000 if SOAK else 40
ROWS = (500, 1_000, 5_000)
FEATURES = 30
ALL_CLUSTERED = [(customers, alike) for customers in (20, 50, 100, 200, 1_000) for alike in (0.5, 1.0)]
CLUSTERED = ALL_CLUSTERED if SOAK else [(20, 0.5), (50, 0.5), (200, 1.0)]


def drawn(rng, n):
    """Thirty columns of the kinds there are: continuous, heavy, counts, rare flags, categories, missing values."""
    columns = []
    for column in range(FEATURES):
        kind = column % 6
        if kind == 0:
            values = rng.normal(size=n)
        elif kind == 1:
            values = rng.lognormal(0, 1.5, size=n)
        elif kind == 2:
            values = rng.poisson(3, size=n)
        elif kind == 3:
            values = rng.random(n) < 0.03
        elif kind == 4:
            values = rng.choice(7, size=n, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.04, 0.01])
        else:
            values = np.where(rng.random(n) < 0.3, np.nan, rng.exponential(size=n))
        columns.append(values)
    return np.stack(columns, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def reference():
    """Profiles as a bundle keeps them: through JSON."""
    rows = drawn(np.random.default_rng(1), 20_000)
    made = {
        f"f{c}": profile(rows[:, c], categorical=c % 6 == 4) | {"spreads": [list(INDEPENDENT)]} for c in range(FEATURES)
    }
    return json.loads(json.dumps(made))


def judged(reference, rows, groups=()):
    return judge(Watch(), reference, sampled(reference, rows, groups))


def test_quiet_windows_raise_no_alarm(reference):
    """The data-set level false alarm rate: at most 1 % of windows, at every size."""
    for n in ROWS:
        rng = np.random.default_rng(n)
        alarms = sum(overall(judged(reference, drawn(rng, n))) != "none" for _ in range(WINDOWS))
        print(f"n = {n}: {alarms} alarms in {WINDOWS} quiet windows")
        assert alarms <= 0.01 * WINDOWS


def test_uncorrected_tests_would_cry_wolf(reference):
    """The negative control: at p < .05 without correction and effect, most quiet windows have an alarm."""
    rng = np.random.default_rng(7)
    windows = [judged(reference, drawn(rng, 1_000)) for _ in range(20)]
    assert sum(any(m.p_value < 0.05 for m in window) for window in windows) > 10


@pytest.mark.parametrize(("customers", "alike"), CLUSTERED)
def test_windows_of_few_customers_stay_quiet(reference, customers, alike):
    """Rows of one customer are alike, all or half of them: the fewer customers, the less is sure.

    The negative controls: rows taken as independent, and a spread of few customers taken as known.
    """
    rng = np.random.default_rng(8)
    alarms, fooled, known = 0, 0, 0
    for _ in range(WINDOWS):
        who = np.sort(rng.integers(0, customers, 2_000))
        rows = np.where(rng.random((2_000, FEATURES)) < alike, drawn(rng, customers)[who], drawn(rng, 2_000))
        who = np.unique(who, return_inverse=True)[1]
        window = sampled(reference, rows, [who])
        certain = {name: replace(s, spreads=[s.spreads[0]._replace(degrees=MANY, cumulative_degrees=MANY)])
                   for name, s in window.items()}  # fmt: skip
        alarms += overall(judge(Watch(), reference, window)) != "none"
        known += overall(judge(Watch(), reference, certain)) != "none"
        fooled += overall(judged(reference, rows)) != "none"
    print(
        f"{customers} customers, {alike:.0%} alike: {alarms} alarms, {known} with a known spread, {fooled} without any"
    )
    assert alarms <= 0.01 * WINDOWS
    assert fooled > 0.25 * WINDOWS or customers >= 1_000 or customers * (1 - alike) >= 50
    assert known > 0.01 * WINDOWS or customers > 20 or alike == 1


def tilted(column, by):
    """Rows drawn so that the shares of the ten bins of a profile are tilted, not their values."""
    values, weight = column, np.exp(by * (np.argsort(np.argsort(column)) / len(column) - 0.5))
    return values, weight / weight.sum()


def test_an_index_of_a_quarter_is_heard(reference):
    """Power at a true index of .25 in one feature of thirty: at least 95 % of windows from 1,000 rows on."""
    pool = drawn(np.random.default_rng(2), 40_000)
    for column in (0, 2, 5):
        name, values = f"f{column}", pool[:, column]
        then = coarse(reference[name], np.array(reference[name]["counts"]))

        def index(by, values=values, name=name, then=then):
            _, weight = tilted(values, by)
            places = sampled({name: reference[name]}, values.reshape(-1, 1), ())[name]
            assert places.counts.sum() == len(values)
            now = np.array([weight[cell].sum() for cell in cells(reference[name], values)])
            return psi(then, (now * 1e9).astype(np.int64))

        low, high = 0.0, 6.0
        for _ in range(40):
            by = (low + high) / 2
            low, high = (by, high) if index(by) < 0.25 else (low, by)
        assert index(by) == pytest.approx(0.25, abs=0.002)
        rng, heard = np.random.default_rng(column), 0
        for _ in range(WINDOWS):
            rows = drawn(rng, 1_000)
            rows[:, column] = rng.choice(values, 1_000, p=tilted(values, by)[1])
            found = judged(reference, rows)
            heard += found[0].feature == name and SEVERITIES.index(found[0].severity) >= 1
        print(f"{name}: {heard} of {WINDOWS} windows of 1,000 rows heard")
        assert heard >= 0.95 * WINDOWS


def cells(one, values):
    """Which values fall in each bin of the index, bool[n] a bin, missing last."""
    edges = np.array(one["edges"])[one["bins"]]
    place = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), len(edges) + 1)
    return [place == cell for cell in range(len(edges) + 2)]


def test_too_few_rows_are_not_judged(reference):
    found = judged(reference, drawn(np.random.default_rng(3), 400) + 5)
    assert {m.severity for m in found} == {TOO_FEW}
    assert overall(found) == TOO_FEW
    assert overall(judged(reference, drawn(np.random.default_rng(3), 0))) == TOO_FEW
    short = {**reference, "f0": profile(np.zeros(0, dtype=np.float32)) | {"spreads": [list(INDEPENDENT)]}}
    found = {m.feature: m for m in judged(short, drawn(np.random.default_rng(4), 1_000))}
    assert found["f0"].severity == TOO_FEW
    assert {m.severity for n, m in found.items() if n != "f0"} == {"none"}


def test_what_is_moved_is_named_and_ranked(reference):
    rows = drawn(np.random.default_rng(5), 2_000)
    rows[:, 0] += 1.5
    rows[:700, 12] = np.nan
    rows[:, 4] = 6
    found = judged(reference, rows)
    assert {m.feature for m in found[:3]} == {"f0", "f12", "f4"}
    assert {m.severity for m in found[:3]} == {"critical"}
    assert {m.severity for m in found[3:]} == {"none"}
    by_name = {m.feature: m for m in found}
    assert by_name["f12"].missing == pytest.approx(0.35)
    assert by_name["f4"].ks is None  # order means nothing
    assert by_name["f0"].ks > 0.4
    adjusted = benjamini_hochberg(np.array([m.p_value for m in found]))
    assert [m.adjusted for m in found] == pytest.approx(adjusted.tolist())


def test_what_is_drawn_adds_up(reference):
    rows = drawn(np.random.default_rng(6), 900)
    for name, sample in sampled(reference, rows, ()).items():
        shown = distribution(reference[name], sample)
        assert len(shown["bins"]) == len(shown["shares"]) == len(shown["reference_shares"])
        assert sum(shown["shares"]) == pytest.approx(1)
        assert sum(shown["reference_shares"]) == pytest.approx(1)

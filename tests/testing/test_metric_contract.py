"""The suite of a metric passes for those that ship, and bites those with a fault."""

from __future__ import annotations

import numpy as np
import pytest

from tests.stores.suites import failing
from weighbridge.kernel.metrics import average_precision, brier, roc_auc
from weighbridge.testing.metric_contract import MetricContract


def pairs(y, score):
    """ROC AUC as the share of pairs in order (Hanley and McNeil 1982)."""
    wins = [
        (p > n) + (p == n) / 2
        for p, a in zip(score, y, strict=True)
        if a
        for n, b in zip(score, y, strict=True)
        if not b
    ]
    return sum(wins) / len(wins)


def steps(y, score):
    total, before, found = sum(y), 0, 0.0
    for bound in sorted(set(score), reverse=True):
        flagged = [a for a, s in zip(y, score, strict=True) if s >= bound]
        found += (sum(flagged) - before) / total * sum(flagged) / len(flagged)
        before = sum(flagged)
    return found


class TestRocAuc(MetricContract):
    def metric(self, y, score):
        return roc_auc(y, score)

    def naive(self, y, score):
        return pairs(y, score)


class TestAveragePrecision(MetricContract):
    def metric(self, y, score):
        return average_precision(y, score)

    def naive(self, y, score):
        return steps(y, score)


class TestBrier(MetricContract):
    of_rank, larger_is_better = False, False

    def metric(self, y, score):
        return brier(y, score)

    def naive(self, y, score):
        return sum((s - a) ** 2 for a, s in zip(y, score, strict=True)) / len(y)


def by_row(y, score):
    order = np.argsort(-score, kind="stable")
    hits = y[order].cumsum()
    return float((hits / np.arange(1, len(y) + 1))[y[order] == 1].mean())


def spoils(y, score):
    found = roc_auc(y, score)
    score.sort()
    return found


FAULTS = {
    "ties by row": (by_row, "test_the_order_of_rows_does_not_matter"),
    "turned": (lambda y, s: 1 - roc_auc(y, s), "test_the_truth_scores_best"),
    "of values": (lambda y, s: roc_auc(y, s) * float(s.max()), "test_only_the_order_of_scores_counts"),
    "unbounded": (lambda y, s: 3 * roc_auc(y, s), "test_it_stays_within_its_bounds"),
    "nearly": (lambda y, s: roc_auc(y, s) + 1e-6, "test_it_is_what_its_definition_says"),
    "spoils": (spoils, "test_rows_are_left_as_they_were"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_metric_with_a_fault_fails(fault):
    metric, expected = FAULTS[fault]
    members = {"metric": lambda self, y, score: metric(y, score), "naive": lambda self, y, score: pairs(y, score)}
    assert expected in failing(type("Suite", (MetricContract,), members)(), None)

"""Metrics of a binary score. y: int[n], 0 or 1; score: float[n], higher is riskier. Undefined is NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def operating_points(y: Array, score: Array) -> tuple[Array, Array, Array]:
    """Return (threshold, true positives, predicted positives) at each different score, highest first."""
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], np.cumsum(y[order])
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True]) if len(ranked) else np.zeros(0, dtype=np.int64)
    return ranked[last], hits[last], last + 1


def average_precision(y: Array, score: Array) -> float:
    """Sum over thresholds of (R_i - R_{i-1}) P_i, without interpolation.

    Source: Zhu (2004), Recall, precision and average precision; the definition of scikit-learn.

    >>> round(average_precision(np.array([0, 0, 1, 1]), np.array([.1, .4, .35, .8])), 4)
    0.8333
    """
    positives = int(y.sum())
    if positives == 0:
        return float("nan")
    _, hits, predicted = operating_points(y, score)
    return float(np.sum(np.diff(np.r_[0, hits]) / positives * (hits / predicted)))


def roc_auc(y: Array, score: Array) -> float:
    """Probability that a positive outranks a negative, ties half. Source: Hanley and McNeil (1982).

    >>> roc_auc(np.array([0, 0, 1, 1]), np.array([.1, .4, .35, .8]))
    0.75
    """
    positives = int(y.sum())
    negatives = len(y) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, hits, predicted = operating_points(y, score)
    tpr, fpr = np.r_[0, hits] / positives, np.r_[0, predicted - hits] / negatives
    return float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))


def recall_at_precision(y: Array, score: Array, precision: float = 0.9) -> float:
    """Highest recall among the thresholds whose precision is at least `precision`; 0 where there is none."""
    positives = int(y.sum())
    if positives == 0:
        return float("nan")
    _, hits, predicted = operating_points(y, score)
    reached = hits / predicted >= precision
    return float(hits[reached].max() / positives) if reached.any() else 0.0


def f1(y: Array, score: Array) -> float:
    """Largest harmonic mean of precision and recall over thresholds. Source: van Rijsbergen (1979), beta = 1."""
    positives = int(y.sum())
    if positives == 0:
        return float("nan")
    _, hits, predicted = operating_points(y, score)
    return float((2 * hits / (predicted + positives)).max())


def card_precision_at_k(y: Array, score: Array, day: Array, key: Array, k: int = 100) -> float:
    """Mean over days of the share of compromised keys among the k keys with the highest score of the day.

    A key found on one day is left out on later days; a day with fewer than k keys counts what it has out of k.
    Source: Le Borgne, Siblini, Lebichot, Bontempi (2022), Fraud Detection Handbook, chapter 4, Card Precision@k.

    day: int[n], rising number of the day; key: int[n], the card.
    """
    found: set[int] = set()
    daily: list[float] = []
    for today in np.unique(day):
        rows = np.flatnonzero(day == today)
        cards, place = np.unique(key[rows], return_inverse=True)
        top, compromised = np.full(len(cards), -np.inf), np.zeros(len(cards), dtype=bool)
        np.maximum.at(top, place, score[rows])
        np.logical_or.at(compromised, place, y[rows] == 1)
        open_ = ~np.isin(cards, list(found))
        ranked = np.flatnonzero(open_)[np.argsort(-top[open_], kind="stable")][:k]
        hits = cards[ranked][compromised[ranked]]
        daily.append(len(hits) / k)
        found.update(hits.tolist())
    return float(np.mean(daily)) if daily else float("nan")


def brier(y: Array, probability: Array) -> float:
    """Mean squared error of a probability. Source: Brier (1950)."""
    return float(np.mean((probability - y) ** 2)) if len(y) else float("nan")


def log_loss(y: Array, probability: Array) -> float:
    """Mean negative log-likelihood in nats, probabilities kept one float64 step from 0 and 1. Source: Good (1952).

    >>> round(log_loss(np.array([1, 0]), np.array([0.8, 0.4])), 4)
    0.367
    """
    least = np.finfo(np.float64).eps
    p = np.clip(probability, least, 1 - least)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p)))) if len(y) else float("nan")


def ece(y: Array, probability: Array, bins: int = 10) -> float:
    """Expected calibration error over bins of equal count: weighted mean of |share of positives - mean probability|.

    Source: Naeini, Cooper, Hauskrecht (2015), with equal-count bins as in Nixon et al. (2019).
    """
    if not len(y):
        return float("nan")
    parts = np.array_split(np.argsort(probability, kind="stable"), bins)
    return float(sum(abs(y[p].mean() - probability[p].mean()) * len(p) for p in parts if len(p)) / len(y))


def net_cost(
    y: Array, probability: Array, amount: Array, review_at: float, decline_at: float, costs: tuple[float, float, float]
) -> float:
    """Cost per event of acting on a probability, in major units.

    A missed positive costs `missed` times its amount, a declined negative `wrong_decline`, a review `review` and finds
    the truth. Source: cost matrix of Elkan (2001) with amount-dependent costs as in Bahnsen et al. (2016).
    costs: (missed, wrong_decline, review); amount: float[n], 1 where positives cost the same.
    """
    missed, wrong_decline, review = costs
    if not len(y):
        return float("nan")
    approved, declined = probability < review_at, probability >= decline_at
    reviewed = ~approved & ~declined
    total = (amount[approved & (y == 1)] * missed).sum() + wrong_decline * (declined & (y == 0)).sum()
    return float((total + review * reviewed.sum()) / len(y))


def interval(
    metric: Callable[[npt.NDArray[np.int64]], float], block: Array, resamples: int, seed: int
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a metric over resampled blocks (days) of rows.

    metric: from row numbers to a figure; block: int[n]. Source: block bootstrap, Künsch (1989).
    """
    rng = np.random.default_rng(seed)
    _, place = np.unique(block, return_inverse=True)
    order = np.argsort(place, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(place[order])) + 1)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(groups), len(groups))
        figures.append(metric(np.concatenate([groups[g] for g in drawn])))
    known = np.array(figures)[np.isfinite(figures)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)

"""Shapley values are those of the definition, of LightGBM and of XGBoost, and they add up."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import lightgbm
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from xgboost import DMatrix, XGBClassifier

from tests.kernel.grown import grown, rows
from weighbridge.kernel.forest import sound
from weighbridge.kernel.shapley import POINTS, Shapley
from weighbridge.learners.lightgbm import DETERMINISTIC, fit_lightgbm
from weighbridge.learners.sklearn import fit_random_forest
from weighbridge.learners.xgboost import fit_xgboost


def goes_left(forest, node, row):
    x = row[forest.feature[node]]
    return forest.nan_left[node] if np.isnan(x) else x <= forest.threshold[node]


def mean(forest, node, row, known):
    """The mean score of a tree's training rows that are as `row` in the known inputs, by cover."""
    if forest.feature[node] < 0:
        return forest.value[node]
    left, right = forest.left[node], forest.right[node]
    if forest.feature[node] in known:
        return mean(forest, left if goes_left(forest, node, row) else right, row, known)
    cover = forest.cover
    return (
        cover[left] * mean(forest, left, row, known) + cover[right] * mean(forest, right, row, known)
    ) / cover[node]  # fmt: skip


def by_definition(forest, row):
    """Shapley values: what an input adds to the mean, averaged over all orders in which inputs become known."""
    k, found = len(row), np.zeros(len(row))
    for i in range(k):
        others = [j for j in range(k) if j != i]
        for size in range(k):
            weight = math.factorial(size) * math.factorial(k - 1 - size) / math.factorial(k)
            for known in combinations(others, size):
                for root in forest.roots:
                    found[i] += weight * (mean(forest, root, row, {*known, i}) - mean(forest, root, row, known))
    return found / float(forest.divisor)


def leaf_by_leaf(forest, row):
    """The same from the conditions that lead to each leaf; subsets of one size are counted by a polynomial."""
    found = np.zeros(len(row))

    def visit(node, met, share):
        if forest.feature[node] >= 0:
            asked = forest.feature[node]
            for child, wanted in ((forest.left[node], True), (forest.right[node], False)):
                meets = met.get(asked, True) and goes_left(forest, node, row) == wanted
                part = share.get(asked, 1.0) * forest.cover[child] / forest.cover[node]
                visit(child, {**met, asked: meets}, {**share, asked: part})
            return
        k = len(met)
        for i in met:
            sizes = np.ones(1)
            for j in met:
                if j != i:
                    sizes = np.convolve(sizes, [share[j], float(met[j])])
            chances = sum(n / (k * math.comb(k - 1, size)) for size, n in enumerate(sizes))
            found[i] += forest.value[node] * (float(met[i]) - share[i]) * chances

    for root in forest.roots:
        visit(root, {}, {})
    return found / float(forest.divisor)


def adds_up(forest, X):
    shapley = Shapley(forest)
    np.testing.assert_allclose(shapley.expected + shapley.values(X).sum(axis=1), forest.raw(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize("leaves", [1, 2, 3, 9, 20])
@pytest.mark.parametrize("lean", [0.0, 0.9])
def test_values_are_those_of_the_definition(leaves, lean):
    rng = np.random.default_rng([leaves, int(10 * lean)])
    forest, X = grown(rng, 4, leaves, lean=lean), rows(rng, 25)
    assert sound(forest, 4)
    wanted = np.array([by_definition(forest, row) for row in X])
    found = Shapley(forest).values(X)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.array([leaf_by_leaf(forest, row) for row in X]), wanted, rtol=0, atol=1e-12)
    everything = 0.25 + sum(mean(forest, root, X[0], ()) for root in forest.roots) / 3.0
    assert Shapley(forest).expected == pytest.approx(everything, abs=1e-12)
    alone = np.concatenate([Shapley(forest).values(X[row : row + 1]) for row in range(len(X))])
    assert alone.tobytes() == found.tobytes()
    adds_up(forest, X)


def test_a_wrong_cover_or_side_would_be_seen():
    rng = np.random.default_rng(5)
    forest, X = grown(rng, 4, 9), rows(rng, 50)
    wanted = np.array([by_definition(forest, row) for row in X])
    flipped = replace(forest, nan_left=~forest.nan_left)
    moved = replace(forest, cover=np.where(np.arange(len(forest.cover)) == 2, forest.cover * 1.001, forest.cover))
    for other in (flipped, moved):
        assert np.abs(Shapley(other).values(X) - wanted).max() > 1e-6


@pytest.mark.parametrize("inputs", [2 * POINTS, 2 * POINTS + 1, 40])
def test_deep_trees_with_many_inputs_on_a_way(inputs):
    rng = np.random.default_rng(inputs)
    forest, X = grown(rng, 3, 42, inputs, lean=1.0, in_turn=True), rows(rng, 20, inputs)
    wanted = np.array([leaf_by_leaf(forest, row) for row in X])
    np.testing.assert_allclose(Shapley(forest).values(X), wanted, rtol=0, atol=1e-12)
    adds_up(forest, X)


@pytest.fixture(scope="module")
def learnt():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_000, 12)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    y = (np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) * np.nan_to_num(X[:, 2]) + rng.normal(size=3_000) > 1.5) * 1
    return X, y, rng.uniform(0.5, 2.0, 3_000)


def test_values_are_lightgbms(learnt):
    X, y, weight = learnt
    options = {"n_estimators": 100, "num_leaves": 31, "random_state": 3}
    own = lightgbm.LGBMClassifier(**{**DETERMINISTIC, **options}).fit(X, y, sample_weight=weight)
    wanted = own.booster_.predict(X[:300], pred_contrib=True)
    shapley = Shapley(fit_lightgbm(X, y, weight, options))
    np.testing.assert_allclose(shapley.values(X[:300]), wanted[:, :-1], rtol=1e-9, atol=1e-11)
    assert shapley.expected == pytest.approx(wanted[0, -1], abs=1e-11)
    adds_up(shapley.forest, X[:300])


def test_values_are_xgboosts(learnt):
    X, y, weight = learnt
    options = {"n_estimators": 60, "max_depth": 6, "random_state": 3, "base_score": 0.5}
    own = XGBClassifier(tree_method="hist", n_jobs=1, **options).fit(X, y, sample_weight=weight)
    wanted = own.get_booster().predict(DMatrix(X[:300]), pred_contribs=True)
    shapley = Shapley(fit_xgboost(X, y, weight, options))
    np.testing.assert_allclose(shapley.values(X[:300]), wanted[:, :-1], rtol=0, atol=2e-5)  # theirs are float32
    assert shapley.expected == pytest.approx(wanted[0, -1], abs=2e-5)
    adds_up(shapley.forest, X[:300])


def test_values_of_a_random_forest_add_up_to_its_share(learnt):
    X, y, weight = learnt
    own = RandomForestClassifier(n_estimators=10, random_state=3, n_jobs=1).fit(X, y, sample_weight=weight)
    shapley = Shapley(fit_random_forest(X, y, weight, {"n_estimators": 10, "random_state": 3}))
    values = shapley.values(X[:100])
    shares = own.predict_proba(X[:100])[:, 1]
    np.testing.assert_allclose(shapley.expected + values.sum(axis=1), shares, rtol=0, atol=1e-9)
    wanted = np.array([leaf_by_leaf(shapley.forest, row) for row in X[:3]])
    np.testing.assert_allclose(values[:3], wanted, rtol=0, atol=1e-12)

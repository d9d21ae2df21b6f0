"""Every family becomes arrays that score as the library does, and the same seed gives the same bits."""

from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from weighbridge.cases.card_fraud import case
from weighbridge.declare import lightgbm as declared_lightgbm
from weighbridge.declare import logistic, random_forest, xgboost
from weighbridge.errors import DeclarationError, InputError
from weighbridge.kernel.forest import sound
from weighbridge.learners.fit import fit
from weighbridge.learners.imbalance import balance
from weighbridge.learners.lightgbm import DETERMINISTIC, fit_lightgbm
from weighbridge.learners.selection import varying
from weighbridge.learners.sklearn import fit_random_forest
from weighbridge.learners.xgboost import fit_xgboost

FEATURES = len(case.feature_names)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_000, FEATURES)).astype(np.float32)
    X[:, case.feature_names.index("country_code")] = rng.integers(0, 7, 3_000)
    X[:, case.feature_names.index("device_code")] = rng.integers(0, 3, 3_000)
    X[:, case.feature_names.index("merchant_category_code")] = rng.integers(0, 7, 3_000)
    X[rng.random(X.shape) < 0.1] = np.nan
    y = (
        np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) * np.nan_to_num(X[:, 2]) + rng.normal(size=3_000) > 2.2
    ).astype(np.int64)
    return X, y, np.ones(len(y))


def test_lightgbm_scores_to_the_bit(rows):
    X, y, weight = rows
    options = {"n_estimators": 60, "num_leaves": 31, "random_state": 3}
    forest = fit_lightgbm(X, y, weight, options)
    own = lightgbm.LGBMClassifier(**{**DETERMINISTIC, **options}).fit(X, y, sample_weight=weight)
    assert forest.raw(X).tobytes() == own.booster_.predict(X, raw_score=True).tobytes()
    whole = np.nan_to_num(X)  # without NaN in training, a NaN in serving is read as 0
    forest = fit_lightgbm(whole, y, weight, options)
    own = lightgbm.LGBMClassifier(**{**DETERMINISTIC, **options}).fit(whole, y, sample_weight=weight)
    assert forest.raw(X).tobytes() == own.booster_.predict(X, raw_score=True).tobytes()


def test_xgboost_scores_agree(rows):
    X, y, weight = rows
    options = {"n_estimators": 60, "max_depth": 5, "random_state": 3, "base_score": 0.5}
    forest = fit_xgboost(X, y, weight, options)
    own = XGBClassifier(tree_method="hist", n_jobs=1, **options).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        forest.raw(X), own.predict(X, output_margin=True), rtol=0, atol=2e-5
    )  # theirs sums in float32


def test_random_forest_scores_agree(rows):
    X, y, weight = rows
    options = {"n_estimators": 30, "min_samples_leaf": 3, "random_state": 3}
    forest = fit_random_forest(X, y, weight, options)
    own = RandomForestClassifier(n_jobs=1, **options).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(forest.raw(X), own.predict_proba(X)[:, 1], rtol=0, atol=1e-12)


MODELS = [
    logistic(), logistic(imbalance="smote"), random_forest(n_estimators=10), xgboost(n_estimators=10),
    declared_lightgbm(n_estimators=10, imbalance="downsample"), declared_lightgbm(n_estimators=10, imbalance="none"),
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.family}-{m.imbalance}")
def test_the_same_seed_gives_the_same_bits_and_rows_score_alone_as_in_a_batch(rows, model):
    X, y, _ = rows
    selected = varying(X)
    first, second = (fit(case, model, X, y, selected) for _ in range(2))
    scores = first.log_odds(X)
    assert np.isfinite(scores).all()
    assert scores.tobytes() == second.log_odds(X).tobytes()
    assert sound(first.predictor, len(first.encoder.source))
    alone = np.array([first.log_odds(X[row : row + 1])[0] for row in range(200)])
    assert alone.tobytes() == scores[:200].tobytes()


def test_imbalance_changes_the_rows_a_model_sees(rows):
    X, y, _ = rows
    positives = int(y.sum())
    _, _, weight = balance("weights", X, y, 1)
    assert weight[y == 1].min() > 1 == weight[y == 0].max()
    rare = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:40]]
    _, smote_y, _ = balance("smote", X[rare], y[rare], 1)
    assert smote_y.sum() > 40
    _, down_y, _ = balance("downsample", X[rare], y[rare], 1)
    assert down_y.sum() == 40
    assert len(down_y) == 40 * 21
    assert positives > 40
    with pytest.raises(InputError, match="both are needed"):
        balance("none", X, np.zeros_like(y), 1)


def test_selection_drops_what_never_varies_and_keeps_the_telling(rows):
    X, _, _ = rows
    still = X.copy()
    still[:, 5] = 3
    assert 5 not in varying(still)


def test_wrong_models_are_refused(rows):
    X, y, _ = rows
    with pytest.raises(DeclarationError, match="no such family; use one of logistic"):
        fit(case, replace(logistic(), family="oracle"), X, y, [0, 1])
    with pytest.raises(InputError, match="could not be fitted"):
        fit(case, random_forest(n_estimators=-1), X, y, [0, 1])

"""The suite of a model family passes for those that ship, and bites those with a fault."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from typing import ClassVar

import numpy as np
import pytest

from tests.stores.suites import failing
from weighbridge.cases.card_fraud import case
from weighbridge.declare import Model
from weighbridge.errors import DeclarationError, InputError
from weighbridge.kernel.forest import Linear
from weighbridge.learners import fit as module
from weighbridge.learners.lightgbm import fit_lightgbm
from weighbridge.learners.sklearn import fit_logistic, fit_random_forest
from weighbridge.learners.xgboost import fit_xgboost
from weighbridge.testing.learner_contract import LearnerContract


class TestLightGBM(LearnerContract):
    options: ClassVar = {"n_estimators": 30}

    def fit(self, X, y, weight, options):
        return fit_lightgbm(X, y, weight, options)


class TestXGBoost(LearnerContract):
    options: ClassVar = {"n_estimators": 30, "base_score": 0.5}

    def fit(self, X, y, weight, options):
        return fit_xgboost(X, y, weight, options)


class TestRandomForest(LearnerContract):
    options: ClassVar = {"n_estimators": 20, "max_depth": 6}

    def fit(self, X, y, weight, options):
        return fit_random_forest(X, y, weight, options)


class TestLogistic(LearnerContract):
    options: ClassVar = {"C": 0.1}
    takes_missing = False

    def fit(self, X, y, weight, options):
        return fit_logistic(X, y, weight, options)


def half(model):
    return replace(model, bias=np.array(float("nan")))


def noise(X, y, weight, options):
    return fit_lightgbm(X, np.random.default_rng(1).permutation(y), weight, options)


def changes_inputs(X, y, weight, options):
    X[:] = np.nan_to_num(X)
    return fit_lightgbm(X, y, weight, options)


FAULTS = {
    "noise": (noise, {"test_it_learns", "test_weights_count"}),
    "no weights": (lambda X, y, w, o: fit_lightgbm(X, y, np.ones(len(y)), o), {"test_weights_count"}),
    "any seed": (lambda X, y, w, o: fit_lightgbm(X, y, w, {**o, "random_state": np.random.default_rng().integers(10**6), "subsample": 0.5, "subsample_freq": 1}),
                 {"test_the_same_seed_gives_the_same_bits"}),
    "not a number": (lambda X, y, w, o: half(fit_lightgbm(X, y, w, o)), {"test_its_arrays_are_sound", "test_scores_are_log_odds"}),
    "changes inputs": (changes_inputs, {"test_inputs_are_left_as_they_were"}),
    "shifted": (lambda X, y, w, o: (lambda m: replace(m, bias=m.bias + 3.0))(fit_lightgbm(X, y, w, o)), {"test_scores_are_log_odds"}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_family_with_a_fault_fails(fault):
    fit, expected = FAULTS[fault]
    suite = type(
        "Suite", (LearnerContract,), {"fit": lambda self, *given: fit(*given), "options": {"n_estimators": 30}}
    )()
    assert expected <= set(failing(suite, None))


def mean_of_rows(X, y, weight, options):
    """A family of another package, as small as one can be."""
    if set(options) - {"random_state"}:
        raise TypeError("there are no options")
    return Linear(np.zeros(X.shape[1]), np.array(0.0), np.zeros(X.shape[1]))


@pytest.fixture
def installed(monkeypatch):
    points = EntryPoints([
        EntryPoint("mean", f"{__name__}:mean_of_rows", module.GROUP), EntryPoint("text", f"{__name__}:str", module.GROUP),
    ])  # fmt: skip
    monkeypatch.setattr(module, "entry_points", lambda group: points.select(group=group))


def test_another_package_adds_a_family(installed):
    rng = np.random.default_rng(0)
    vectors = rng.random((200, len(case.feature_names))).astype(np.float32)
    y = (np.arange(200) % 2).astype(np.int64)
    fitted = module.fit(case, Model("mean"), vectors, y, [0, 1])
    assert (fitted.log_odds(vectors) == 0).all()
    with pytest.raises(InputError, match="could not be fitted: there are no options"):
        module.fit(case, Model("mean", (("depth", 3),)), vectors, y, [0, 1])
    with pytest.raises(DeclarationError, match="use one of logistic, random_forest, xgboost, lightgbm, mean, text"):
        module.fit(case, Model("none"), vectors, y, [0, 1])


def test_a_family_that_gives_something_else_is_refused(installed, monkeypatch):
    monkeypatch.setattr(module, "trainer", lambda model: lambda *given: "a model")
    y = (np.arange(20) % 2).astype(np.int64)
    with pytest.raises(InputError, match="no sound Forest or Linear"):
        module.fit(case, Model("text"), np.zeros((20, len(case.feature_names)), np.float32), y, [0])

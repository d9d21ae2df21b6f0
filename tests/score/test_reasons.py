"""Contributions add up to the score, a feature's is the sum of its inputs', and what is told is what pushed it up."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.grown import grown, rows
from weighbridge.cases.card_fraud import case as card_fraud
from weighbridge.declare import Policy, Reasons, encode, lightgbm, log, logistic, random_forest, value
from weighbridge.kernel.encoder import Encoder, Kind
from weighbridge.kernel.forest import Linear, sound
from weighbridge.kernel.shapley import Shapley
from weighbridge.learners.fit import fit
from weighbridge.score.bundle import load
from weighbridge.score.reasons import Reasoner
from weighbridge.score.route import PRODUCTION
from weighbridge.score.scorer import Scorer

CASE = replace(card_fraud, policy=Policy(), features=[log("amount"), value("amount"), encode("device", how="one_hot")],
               simulate=None, reasons=Reasons())  # fmt: skip
SOURCE = [2, 0, 0, 1, 2, 2]  # not in the order of the features, and several of one


def encoder():
    k = len(SOURCE)
    kinds = [Kind.IS_CODE, Kind.COPY, Kind.IS_MISSING, Kind.COPY, Kind.IS_CODE, Kind.IS_CODE]
    at = np.arange(k, dtype=np.int64)
    knots = np.array([0.0, 0, 0, 0, 1, 2])
    return Encoder(
        np.array(SOURCE), np.array(kinds, dtype=np.int64), at, np.ones(k, dtype=np.int64), knots, np.zeros(k)
    )


def reasoner(predictor, case=CASE):
    scorer = Scorer(encoder(), predictor, None)
    return Reasoner(case, scorer, case.feature_names, True)


def linear(rng):
    return Linear(rng.normal(size=6), np.array(rng.normal()), rng.normal(size=6))


def vectors(rng, count):
    X = rows(rng, count, 3)
    X[:, 2] = rng.integers(0, 3, count)
    return X


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["forest", "vote", "linear"]))
def test_contributions_add_up_and_those_of_a_feature_are_the_sum_of_its_inputs(seed, kind):
    rng = np.random.default_rng(seed)
    predictor = linear(rng) if kind == "linear" else grown(rng, 3, 12, 6)
    predictor = replace(predictor, logistic=np.array(False)) if kind == "vote" else predictor
    X = vectors(rng, 7)
    X = np.nan_to_num(X, nan=0.5, posinf=9, neginf=-9) if kind == "linear" else X
    found = reasoner(predictor)
    added = found.contributions(X)
    np.testing.assert_allclose(found.base + added.sum(axis=1), found.score(X), rtol=0, atol=1e-9)
    of_inputs = (predictor if kind == "linear" else Shapley(predictor)).values(found.scorer.encoder.encode(X))
    for row in range(len(X)):
        for feature in range(3):
            total = 0.0
            for place, source in enumerate(SOURCE):
                total += of_inputs[row, place] if source == feature else 0.0
            assert total == added[row, feature]
        assert found.contributions(X[row : row + 1]).tobytes() == added[row].tobytes()
    assert found.unit == ("probability" if kind == "vote" else "log-odds")


def test_a_linear_models_contributions_are_shapley_values_with_inputs_at_their_means():
    rng = np.random.default_rng(4)
    model, x = linear(rng), rng.normal(size=(1, 6)).astype(np.float32)

    def score(known):
        return model.log_odds(np.where([i in known for i in range(6)], x, model.reference.astype(np.float32)))[0]

    for i in range(6):
        others = [j for j in range(6) if j != i]
        wanted = sum(
            factorial(size) * factorial(5 - size) / factorial(6) * (score({*known, i}) - score(set(known)))
            for size in range(6)
            for known in combinations(others, size)
        )
        assert model.values(x)[0, i] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    "change", [{"reference": np.zeros(5)}, {"reference": np.full(6, np.nan)}, {"bias": np.zeros(1)}]
)
def test_a_linear_model_without_a_sound_reference_is_none(change):
    model = linear(np.random.default_rng(1))
    assert sound(model, 6)
    assert not sound(replace(model, **change), 6)


def test_the_reference_is_the_mean_of_the_rows_that_were_fitted_on():
    rng = np.random.default_rng(2)
    X = np.stack([rng.exponential(size=400), rng.exponential(size=400), rng.integers(0, 3, 400)], axis=1)
    X = X.astype(np.float32)
    y = (X[:, 0] + rng.normal(size=400) > 2).astype(np.int64)
    for model in (logistic(imbalance="none"), lightgbm(n_estimators=5, imbalance="none"),
                  random_forest(n_estimators=5, imbalance="none")):  # fmt: skip
        fitted = fit(CASE, model, X, y, [0, 1, 2])
        inputs = fitted.encoder.encode(X)
        if isinstance(fitted.predictor, Linear):
            np.testing.assert_allclose(fitted.predictor.reference, inputs.mean(axis=0), atol=1e-6)
        found = Reasoner(CASE, Scorer(fitted.encoder, fitted.predictor, None), CASE.feature_names, True)
        added = found.contributions(X)
        np.testing.assert_allclose(found.base + added.sum(axis=1), found.score(X), rtol=0, atol=1e-9)
        # LightGBM weighs rows by their hessians, trees of a random forest see a sample of them
        apart = {"logistic": 1e-9, "lightgbm": 1e-3, "random_forest": 0.05}[model.family]
        assert found.base == pytest.approx(found.score(X).mean(), abs=apart)


class Given(Reasoner):
    """A reasoner whose contributions are given."""

    def contributions(self, vectors):
        return np.array([self.scorer])


@given(
    added=st.lists(st.sampled_from([-1.0, 0.0, 1e-300, 0.5, 0.5, 2.0]), min_size=3, max_size=3), most=st.integers(1, 4)
)
def test_what_is_told_is_what_pushed_up_most_and_of_equals_the_earlier(added, most):
    case = replace(CASE, reasons=Reasons(most=most))
    vector = np.array([np.nan, 98.5, 1.0], dtype="<f4").tobytes()
    top = Given(case, added, case.feature_names, True).top(vector)
    wanted = sorted([(-a, place) for place, a in enumerate(added) if a > 0])[:most]
    assert [(r.feature, r.contribution) for r in top] == [(case.feature_names[place], -a) for a, place in wanted]
    texts = {"amount_log": "amount is missing, or too small for a logarithm", "amount": "amount is 98.50",
             "device_code": "device is android"}  # fmt: skip
    values = {"amount_log": None, "amount": 98.5, "device_code": 1.0}
    assert all((r.sentence, r.value) == (texts[r.feature], values[r.feature]) for r in top)
    foreign = Given(case, [1.0, 1.0, 1.0], ("a", "b", "c"), False).every(vector)
    assert [r.sentence for r in foreign] == ["a is missing", "b is 98.5", "c is 1"]


def test_reasons_are_told_where_the_case_asks_for_them():
    found = Given(CASE, [1.0, 0.0, 0.0], CASE.feature_names, True)
    vector = np.zeros(3, dtype="<f4").tobytes()
    assert found.told("approve", "e", vector) is None
    assert [r.feature for r in found.told("review", "e", vector)] == ["amount_log"]
    always = Given(replace(CASE, reasons=Reasons(share=1.0)), [0.0, 0.0, 0.0], CASE.feature_names, True)
    assert always.told("approve", "e", vector) == ()


def test_a_bundle_explains_itself(small_case, trained):
    bundle = load(trained.registry.alias(PRODUCTION), small_case, trained.bundles, trained.signer)
    X = rows(np.random.default_rng(1), 40, 30)
    added = bundle.reasoner.contributions(X)
    np.testing.assert_allclose(bundle.reasoner.base + added.sum(axis=1), bundle.reasoner.score(X), rtol=0, atol=1e-9)
    unused = [n not in bundle.facts["selected_features"] for n in small_case.feature_names]
    assert not added[:, unused].any()


def test_a_random_forests_contributions_are_in_probability():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    X[:, 2] = rng.integers(0, 3, 300)
    y = (X[:, 0] > 0.5).astype(np.int64)
    fitted = fit(CASE, random_forest(n_estimators=20), X, y, [0, 1, 2])
    found = Reasoner(CASE, Scorer(fitted.encoder, fitted.predictor, None), CASE.feature_names, True)
    assert found.unit == "probability"
    assert 0 < found.base < 1
    assert ((found.score(X) >= 0) & (found.score(X) <= 1)).all()

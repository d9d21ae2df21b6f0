"""The report of a training tells what the bundle holds, draws it in one file, and is the same for the same seed."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import CUT_US, memory_stores
from weighbridge.clock import ManualClock
from weighbridge.declare import Search, lightgbm, logistic
from weighbridge.kernel.metrics import average_precision, log_loss
from weighbridge.loop.pages.plots import intervals, plane
from weighbridge.loop.train import train
from weighbridge.loop.training.candidate import Lessons, hold
from weighbridge.loop.training.slices import ENOUGH_POSITIVES
from weighbridge.loop.training.training_set import training_set
from weighbridge.loop.training.validated import validation_name
from weighbridge.score.bundle import load

SEARCHED = lightgbm(n_estimators=15, calibration="auto", search=Search(trials=2, folds=2))


def train_once(case, trained, folder):
    stores = memory_stores(case, folder)
    stores.log.import_history(trained.log.events(), trained.log.labels())
    stores.tables._tables.update(trained.tables._tables)
    return stores, train(case, stores, ManualClock(CUT_US))


@pytest.fixture(scope="module")
def searched_case(small_case):
    return replace(small_case, models=(SEARCHED,), training=replace(small_case.training, learning_curve=(0.5,)))


@pytest.fixture(scope="module")
def made(searched_case, trained, tmp_path_factory):
    return train_once(searched_case, trained, tmp_path_factory.mktemp("searched"))


@pytest.fixture(scope="module")
def told(made):
    stores, report = made
    return json.loads((stores.reports / f"training-{report.figures['bundle'][:12]}.json").read_text())


def test_the_same_seed_makes_the_same_bundle(searched_case, trained, made, tmp_path):
    _, again = train_once(searched_case, trained, tmp_path)
    assert again.figures["bundle"] == made[1].figures["bundle"]


def test_the_best_trial_is_the_candidate_and_the_bundle_knows(searched_case, made):
    stores, report = made
    bundle = load(report.figures["bundle"], searched_case, stores.bundles, stores.signer)
    (found,) = bundle.facts["searches"]
    assert dict(map(tuple, bundle.facts["lineage"]["parameters"])) == found["parameters"]
    assert [c["model"] for c in bundle.facts["candidates"]] == ["lightgbm"]
    card = stores.bundles.files(bundle.id)["card.md"].decode()
    assert "lightgbm: 2 trials on 2 folds of the training rows" in card
    assert f"calibration: {bundle.facts['lineage']['calibration']}" in card
    assert bundle.facts["importance"]["features"][0]["feature"] in card


def test_the_page_is_one_file_and_draws_everything(made):
    html = Path(made[1].figures["html"]).read_text()
    for heading in (
        "Candidates",
        "Precision by recall",
        "ROC",
        "Calibration",
        "Cost a day",
        "Shapley",
        "Slices",
        "Search for lightgbm",
        "newest training rows",
    ):
        assert heading in html
    assert "default-src &#x27;none&#x27;" in html or "default-src 'none'" in html
    assert not re.search(r"<script|https?://|nan|NaN|None|inf\b", html)
    assert html.count("<svg") == html.count("</svg>") >= 8


def test_importance_slices_and_curves_equal_what_is_computed_again(searched_case, made, told):
    stores, report = made
    data = training_set(searched_case, stores)
    rows, bundle = (
        data.rows(searched_case, data.split.validation),
        load(report.figures["bundle"], searched_case, stores.bundles, stores.signer),
    )
    said = stores.tables.get(validation_name(bundle.id))
    y, p = said["y"].to_numpy(), said["probability"].to_numpy()

    places = np.linspace(0, len(rows) - 1, told["importance"]["rows"]).astype(int)
    mean = np.mean([np.abs(bundle.reasoner.contributions(rows.vectors[[n]])[0]) for n in places], axis=0)
    for feature in told["importance"]["features"]:
        assert feature["value"] == pytest.approx(mean[searched_case.feature_names.index(feature["feature"])])
    values = [f["value"] for f in told["importance"]["features"]]
    assert values == sorted(values, reverse=True)

    chosen = data.places(data.split.validation)
    names = [f.name for f in searched_case.events.payload]
    assert {s["field"] for s in told["slices"]} == {"country", "device", "merchant_category"}
    for s in told["slices"]:
        inside = data.columns.values[chosen, names.index(s["field"])] == searched_case.events.field(
            s["field"], ""
        ).one_of.index(s["is"])
        assert (s["rows"], s["positives"]) == (inside.sum(), y[inside].sum())
        assert (s["value"] is None) == (s["positives"] < ENOUGH_POSITIVES)
        if s["value"] is not None:
            assert s["value"] == pytest.approx(average_precision(y[inside], p[inside]))
    assert any(s["value"] for s in told["slices"])

    rates = told["curves"]["precision_recall"]
    for threshold, precision, recall, false in list(
        zip(rates["threshold"], rates["precision"], rates["recall"], rates["false_positive_rate"], strict=True)
    )[::15]:
        flagged = p >= threshold
        assert precision == pytest.approx(y[flagged].mean())
        assert recall == pytest.approx(y[flagged].sum() / y.sum())
        assert false == pytest.approx((flagged & (y == 0)).sum() / (y == 0).sum())
    assert rates["recall"][-1] == 1.0 == rates["false_positive_rate"][-1]


def test_the_learning_curve_ends_at_the_winner(searched_case, made, told):
    stores, _ = made
    half, whole = told["learning_curve"]
    assert whole["value"] == told["validation"]["average_precision"]
    assert whole["rows"] == told["lineage"]["rows"]["train"]
    data = training_set(searched_case, stores)
    rows = np.flatnonzero(data.split.train)
    newest = rows[np.argsort(data.columns.event_us[rows], kind="stable")][-half["rows"] :]
    assert half["positives"] == data.known_then[newest].sum()
    assert half["rows"] == whole["rows"] // 2


def test_calibration_is_that_of_less_cross_fitted_log_loss(small_case, trained):
    data = training_set(small_case, trained)
    fitting, validation = data.split.train, data.rows(small_case, data.split.validation)
    lessons, columns = Lessons(data.vectors[fitting], data.known_then[fitting], data.weight[fitting]), [0, 1, 2, 3]
    loss, won = {}, set()
    for model in (
        logistic(),
        lightgbm(n_estimators=5),
        lightgbm(n_estimators=150, min_child_samples=2, imbalance="none"),
    ):
        for how in ("sigmoid", "isotonic", "auto"):
            held = hold(small_case, replace(model, calibration=how), lessons, columns, validation)
            loss[how] = log_loss(validation.y, held.probability)
        assert loss["auto"] == min(loss.values())
        assert held.fitted.model.calibration == min(("sigmoid", "isotonic"), key=loss.__getitem__)
        won.add(held.fitted.model.calibration)
    assert won


def test_drawings_escape_names_and_stand_a_single_point():
    drawn = intervals("a < b", [("<x>", -1.0, -2.0, 0.5, "red")]) + plane(
        "p & q", [("", "red", [0.0], [0.0])], [("r", 1.0)], money=True
    )
    assert "<x>" not in drawn
    assert "&lt;x&gt;" in drawn
    assert "nan" not in drawn

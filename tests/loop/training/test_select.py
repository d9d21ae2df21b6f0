"""Selected features come from training rows alone, and a bundle reads no other."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import CUT_US, memory_stores
from weighbridge.clock import ManualClock
from weighbridge.declare import Search, Select, lightgbm, logistic
from weighbridge.errors import DeclarationError, InputError
from weighbridge.loop.report import silent
from weighbridge.loop.train import train
from weighbridge.loop.training.candidate import Lessons
from weighbridge.loop.training.select import select
from weighbridge.loop.training.training_set import training_set
from weighbridge.score.bundle import load

WAYS = [
    Select(by="auc", most=8),
    Select(by="mutual_information", most=8),
    Select(by="permutation", model=lightgbm(n_estimators=20)),
]


def declared(case, how):
    return replace(case, training=replace(case.training, select=how))


def chosen(case, data, how):
    fitting = data.split.train
    lessons = Lessons(data.vectors[fitting], data.known_then[fitting], data.weight[fitting])
    return select(declared(case, how), data, lessons, silent)


@pytest.fixture(scope="module")
def data(small_case, trained):
    return training_set(small_case, trained)


@pytest.mark.parametrize("how", WAYS, ids=lambda how: how.by)
def test_rows_that_do_not_train_have_no_part_in_it(small_case, data, how):
    found = chosen(small_case, data, how)
    vectors, known = data.vectors.copy(), data.known_then.copy()
    vectors[~data.split.train] = 9.0
    known[~data.split.train] = 0
    assert chosen(small_case, replace(data, vectors=vectors, known_then=known), how) == found
    shuffled = data.vectors.copy()
    shuffled[data.split.train] = np.random.default_rng(0).permutation(shuffled[data.split.train])
    other = replace(data, vectors=shuffled)
    if how.by == "permutation":
        assert chosen(small_case, other, how) != found
    else:
        with pytest.raises(InputError, match="keeps none"):
            chosen(small_case, other, replace(how, false_discovery_rate=1e-9))


@pytest.mark.parametrize("how", WAYS, ids=lambda how: how.by)
def test_noise_is_left_out(small_case, data, how):
    place = small_case.feature_names.index("amount_log")
    vectors = data.vectors.copy()
    vectors[:, place] = np.random.default_rng(5).normal(size=len(vectors))
    kept = chosen(small_case, replace(data, vectors=vectors), how).columns
    assert place not in kept
    told = vectors.copy()
    told[:, place] += 3 * (data.labels == 1)
    assert place in chosen(small_case, replace(data, vectors=told), how).columns


def test_a_bundle_reads_the_selected_features_and_no_other(small_case, trained, data, tmp_path):
    case = declared(replace(small_case, models=(logistic(),)), Select(by="auc", most=5))
    stores = memory_stores(case, tmp_path)
    stores.log.import_history(trained.log.events(), trained.log.labels())
    stores.tables._tables.update(trained.tables._tables)
    report = train(case, stores, ManualClock(CUT_US))
    bundle = load(report.figures["bundle"], case, stores.bundles, stores.signer)
    names = bundle.facts["selected_features"]
    assert len(names) == 5 == bundle.facts["selection"]["kept"]
    kept = [case.feature_names.index(name) for name in names]
    assert set(bundle.scorer.encoder.source.tolist()) <= set(kept)
    vectors = data.vectors[:200]
    blind = np.full_like(vectors, 3.0)
    blind[:, kept] = vectors[:, kept]
    assert bundle.scorer.probability(blind).tobytes() == bundle.scorer.probability(vectors).tobytes()
    blind[:, kept] = 3.0
    assert bundle.scorer.probability(blind).tobytes() != bundle.scorer.probability(vectors).tobytes()
    assert json.loads((tmp_path / "selected_features.json").read_text())["features"] == names
    assert "features selected by auc: 5 of 30" in stores.bundles.files(bundle.id)["card.md"].decode()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: Select(by="luck"), "is unknown"),
        (lambda: Select(false_discovery_rate=0), "no share"),
        (lambda: Select(agreeing=4), "folds=3"),
        (lambda: Select(model=lightgbm(search=Search())), "searched parameters"),
        (lambda: Select(model=lightgbm(num_leaves=[3, 4])), "searched parameters"),
    ],
)
def test_what_cannot_be_selected_by_is_refused_when_declared(wrong, sentence):
    with pytest.raises(DeclarationError, match=sentence):
        wrong()

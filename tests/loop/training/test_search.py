"""A search sees training rows alone, goes on after it was stopped, and ends the same every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import CUT_US
from weighbridge.clock import ManualClock
from weighbridge.declare import Range, Search, Training, lightgbm, logistic, random_forest, xgboost
from weighbridge.errors import DeclarationError, InputError
from weighbridge.learners.selection import varying
from weighbridge.loop.report import silent
from weighbridge.loop.training.search import VERB, search, study_of
from weighbridge.loop.training.training_set import training_set
from weighbridge.stores.memory import MemoryTracker

TRIALS = 3
MODEL = lightgbm(n_estimators=15, search=Search(trials=TRIALS, folds=2))
CLOCK = ManualClock(CUT_US)


@pytest.fixture(scope="module")
def data(small_case, trained):
    return training_set(small_case, trained)


@pytest.fixture(scope="module")
def columns(data):
    return varying(data.vectors[data.split.train])


@pytest.fixture(scope="module")
def found(small_case, trained, data, columns):
    return search(small_case, replace(trained, tracker=MemoryTracker()), CLOCK, data, MODEL, columns, silent)


def again(small_case, trained, data, columns, tracker=None, model=MODEL, progress=silent):
    stores = replace(trained, tracker=tracker or MemoryTracker())
    return search(small_case, stores, CLOCK, data, model, columns, progress)


def scrambled(data, rows):
    """The same training set with other vectors and the opposite labels in some rows."""
    vectors, labels, known = data.vectors.copy(), data.labels.copy(), data.known_then.copy()
    vectors[rows] = -7.0
    labels[rows], known[rows] = 1 - labels[rows], 1 - known[rows]
    value = np.where(rows[data.columns.label_row], 1 - data.columns.label_value, data.columns.label_value)
    return replace(
        data, vectors=vectors, labels=labels, known_then=known, columns=replace(data.columns, label_value=value)
    )


def test_the_validation_rows_have_no_part_in_it(small_case, trained, data, columns, found):
    assert again(small_case, trained, scrambled(data, ~data.split.train), columns) == found
    some = data.split.train & (np.arange(len(data.vectors)) % 3 == 0)
    assert again(small_case, trained, scrambled(data, some), columns).facts["values"] != found.facts["values"]


def test_the_best_trial_is_the_model(found):
    told = found.facts
    assert told["trials"] == TRIALS == len(told["values"])
    assert told["value"] == max(told["values"]) == told["values"][told["best"]]
    assert told["declared"] == told["values"][0]
    assert dict(found.model.parameters) == told["parameters"]
    assert found.model.search is None
    assert dict(found.model.parameters)["n_estimators"] == 15  # declared, so not searched for
    assert len(set(told["values"])) > 1


def test_a_search_that_was_stopped_goes_on_to_the_same_end(small_case, trained, data, columns, found):
    tracker = MemoryTracker()

    def stop(what, done, of):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again(small_case, trained, data, columns, tracker, progress=stop)
    assert len(tracker.runs(VERB)) == 2
    assert again(small_case, trained, data, columns, tracker) == found
    assert len(tracker.runs(VERB)) == TRIALS  # none was tried twice
    more = again(
        small_case, trained, data, columns, tracker, replace(MODEL, search=replace(MODEL.search, trials=TRIALS + 1))
    )
    assert len(tracker.runs(VERB)) == TRIALS + 1
    assert more.facts["values"][:TRIALS] == found.facts["values"]


def test_time_that_is_up_leaves_the_declared_parameters(small_case, trained, data, columns):
    hurried = replace(MODEL, search=replace(MODEL.search, timeout="0d", trials=50))
    told = again(small_case, trained, data, columns, model=hurried)
    assert told.facts["trials"] == 1
    assert dict(told.model.parameters) == dict(MODEL.parameters)


def test_another_seed_or_space_is_another_study(small_case, data, columns):
    def study(model):
        return study_of(small_case, model, columns, [])

    others = [replace(MODEL.search, seed=8), replace(MODEL.search, space={"num_leaves": Range(3, 9)})]
    assert len({study(MODEL), *(study(replace(MODEL, search=other)) for other in others)}) == 3
    assert study(MODEL) == study(replace(MODEL, search=replace(MODEL.search, trials=99, timeout="1h")))


def test_where_less_is_better_the_least_is_best(small_case, trained, data, columns):
    case = replace(small_case, training=replace(small_case.training, metric="brier"))
    told = search(case, replace(trained, tracker=MemoryTracker()), CLOCK, data, MODEL, columns, silent).facts
    assert told["value"] == min(told["values"])


def test_what_a_library_refuses_is_a_sentence(small_case, trained, data, columns):
    model = lightgbm(n_estimators=5, search=Search(trials=4, folds=1, space={"num_leaves": Range(-9, -2)}))
    with pytest.raises(InputError, match="could not be fitted"):
        again(small_case, trained, data, columns, model=model)


@pytest.mark.parametrize("family", [logistic, random_forest, xgboost, lightgbm])
def test_every_family_has_a_space_around_what_it_declares(family):
    model = family(search=Search())
    declared = dict(model.parameters)
    assert all(of.holds(declared[name]) for name, of in model.search.ranges.items())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: Search(trials=0), "less than 1"),
        (lambda: Search(space={}), "empty"),
        (lambda: Search(space={"a": [1]}), "fewer than two"),
        (lambda: Search(space={"a": 5}), "is no range"),
        (lambda: lightgbm(search=40), "is no Search"),
        (lambda: Training(select="auc"), "is no Select"),
        (lambda: Search(timeout="soon"), "duration"),
        (lambda: Range(3, 3), "no range"),
        (lambda: Range(0.0, float("nan")), "no range"),
        (lambda: Range(0, 1, log=True), "begin above 0"),
        (lambda: logistic(C=1.0, search=Search()), "every parameter"),
        (
            lambda: lightgbm(num_leaves=3, search=Search(space={"num_leaves": Range(3, 9)})),
            "both declared and searched",
        ),
        (lambda: Training(learning_curve=(0.5, 1.0)), "between 0 and 1"),
    ],
)
def test_what_cannot_be_searched_is_refused_when_declared(wrong, sentence):
    with pytest.raises(DeclarationError, match=sentence):
        wrong()

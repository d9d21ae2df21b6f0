"""Searches for a model's parameters on folds of the training rows; the validation rows have no part in it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from weighbridge.clock import Clock, duration_us, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.gates import LOWER_IS_BETTER
from weighbridge.declare.models import Model
from weighbridge.declare.search import Search
from weighbridge.identity import digest
from weighbridge.loop.report import Progress, Run
from weighbridge.loop.training.candidate import worth
from weighbridge.loop.training.folds import Fold, folds
from weighbridge.loop.training.training_set import TrainingSet
from weighbridge.ports import Stores

VERB = "trial"
WORKERS = 2
Trial = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A model with the best parameters that were found, and what the bundle remembers of the search."""

    model: Model
    facts: dict[str, Any]


def search(
    case: UseCase,
    stores: Stores,
    clock: Clock,
    data: TrainingSet,
    model: Model,
    selected: list[int],
    progress: Progress,
) -> Found:
    """Try `Search.trials` sets of parameters, the declared ones first, and return the model with the best ones.

    A trial's value is the mean of the declared metric over the folds. Every trial is kept in the tracker as it ends, so
    a search that died goes on where it was, to the same result; one on the same data, declaration and space begins with
    the trials that are there. Raises MissingExtra without optuna, InputError for parameters that the library refuses.
    """
    from weighbridge.learners.optuna import suggest

    assert model.search is not None
    how, cuts, plain = model.search, folds(case, data, model.search.folds), replace(model, search=None)
    metric = case.training.metric
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    study = study_of(case, model, selected, cuts)
    done = _tried(stores, study)[: how.trials]
    with ThreadPoolExecutor(WORKERS) as pool:

        def values(tried: Model) -> list[float]:
            return list(pool.map(lambda cut: worth(case, tried, cut.lessons, selected, cut.rows), cuts))

        in_time = _watch(how)
        while len(done) < how.trials and (not done or in_time()):
            progress(f"{model.name}, trial", len(done), how.trials)
            run = Run(VERB, stores, clock)
            past = [(dict(trial["parameters"]), sign * trial["value"]) for trial in done]
            drawn = suggest(how.ranges, how.seed, past)
            parameters = dict(plain.parameters) | (drawn if done else {})
            each = values(replace(plain, parameters=tuple(sorted(parameters.items()))))
            trial = {"number": len(done), "parameters": parameters, "folds": each, "value": float(np.mean(each))}
            told = f"{model.name}: {metric} {trial['value']:.4f} over {len(cuts)} folds"
            run.finish(told, {"study": study, **trial})
            done.append(trial)
    progress(f"{model.name}, trial", how.trials, how.trials)
    best = max(done, key=lambda trial: sign * trial["value"])  # of equals the first
    facts = {
        "model": model.name,
        "study": study,
        "metric": metric,
        "trials": len(done),
        "best": best["number"],
        "value": best["value"],
        "declared": done[0]["value"],
        "values": [trial["value"] for trial in done],
        "parameters": best["parameters"],
        "folds": [
            {"from": us_to_iso(cut.from_us), "fitted": len(cut.lessons.y), "judged": len(cut.rows)} for cut in cuts
        ],
    }
    return Found(replace(plain, parameters=tuple(sorted(best["parameters"].items()))), facts)


def study_of(case: UseCase, model: Model, selected: list[int], cuts: Sequence[Fold]) -> str:
    """Return the digest of all that a trial's value depends on; how many there are, and how long, is no part of it."""
    assert model.search is not None
    content = hashlib.sha256()
    for cut in cuts:
        for array in (cut.lessons.X, cut.lessons.y, cut.lessons.weight, cut.rows.vectors, cut.rows.y, cut.rows.amount):
            content.update(np.ascontiguousarray(array).tobytes())
    endless = replace(model, search=replace(model.search, trials=1, timeout=None))
    return digest([case.vector_digest, case.training, case.policy, endless, selected, content.hexdigest()])


def _tried(stores: Stores, study: str) -> list[Trial]:
    """Return the trials of a study from its first on, without gaps."""
    kept = {int(f["number"]): f for _, _, _, f in stores.tracker.runs(VERB) if f["study"] == study}
    names = ("number", "parameters", "folds", "value")
    done: list[Trial] = []
    while len(done) in kept:
        done.append({name: kept[len(done)][name] for name in names})
    return done


def _watch(how: Search) -> Callable[[], bool]:
    """Return what tells whether there is time for another trial."""
    begun = time.perf_counter()
    if how.timeout is None:
        return lambda: True
    limit_s = duration_us(how.timeout) / 1e6
    return lambda: time.perf_counter() - begun < limit_s

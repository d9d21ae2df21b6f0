"""Fits every candidate on the past, compares them on what came later, and packs the winner into a signed bundle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.declare.gates import LOWER_IS_BETTER
from weighbridge.declare.models import Model, logistic
from weighbridge.errors import GateClosed, InputError
from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.loop.labels.ledger import coverage
from weighbridge.loop.report import Progress, Report, Run, silent, write_report
from weighbridge.loop.training.candidate import Candidate, Lessons, finish, hold
from weighbridge.loop.training.card import model_card
from weighbridge.loop.training.evaluate import summary
from weighbridge.loop.training.event_time import claim
from weighbridge.loop.training.learning import learning_curve
from weighbridge.loop.training.remembered import remembered
from weighbridge.loop.training.report import training_report
from weighbridge.loop.training.search import search
from weighbridge.loop.training.select import select
from weighbridge.loop.training.suspect import Suspicion, suspect
from weighbridge.loop.training.training_set import TrainingSet, training_set
from weighbridge.loop.training.validated import validated, validation_name
from weighbridge.ports import Stores
from weighbridge.score.bundle import pack

WORKERS = 2
PROBES = 64
EVENT_ONLY = logistic(name="event only")  # small, and defined where nothing but the event is known


def train(
    case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent, *, as_of_us: int | None = None,
    data: TrainingSet | None = None,
) -> Report:  # fmt: skip
    """Compare the candidates on validation, refit the winner on everything mature, and register its bundle.

    The validation metrics are those of the winner fitted on the training rows alone. With `as_of_us`, microseconds UTC,
    nothing that arrived later counts. `data` is what there is to train on, where somebody has read it already. Raises
    GateClosed, before anything is fitted, when the data look poisoned; the figures are in the reports as
    `training-data-RUN`.
    """
    from weighbridge.learners.selection import varying

    run = Run("train", stores, clock)
    data = data or training_set(case, stores, as_of_us)
    suspicion = suspect(case, stores, data)
    if suspicion.refused:
        _refuse(stores, run, suspicion)
    X, y, fitting = data.vectors, data.known_then, data.split.train
    validation = data.rows(case, data.split.validation)
    lessons = Lessons(X[fitting], y[fitting], data.weight[fitting])
    chosen = select(case, data, lessons, progress)
    selected = chosen.columns
    models, searches = _models(case, stores, clock, data, selected, progress)
    done: list[Candidate] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for candidate in pool.map(lambda m: hold(case, m, lessons, selected, validation), models):
            done.append(candidate)
            progress(candidate.fitted.model.name, len(done), len(models))
    winner = _best(case, done)
    model = winner.fitted.model
    mature = Lessons(X[data.mature], data.labels[data.mature], data.weight[data.mature])
    scorer = finish(case, winner, mature, selected, validation)
    alone = [case.stateless[c] for c in varying(lessons.X[:, list(case.stateless)])]
    event_only = hold(case, EVENT_ONLY, lessons, alone, validation) if alone else None
    facts = remembered(case, stores, data, done, (winner, scorer), chosen)
    facts |= {"event_only": _told(case, event_only, alone), "training_data": suspicion.kept, "searches": searches}
    facts["learning_curve"] = learning_curve(
        case,
        winner,
        (data.columns.event_us if data.drawn is None else data.drawn)[fitting],
        lessons,
        selected,
        validation,
    )
    facts["event_time"] = claim(case, stores, data, winner, selected)
    scorers = (scorer, finish(case, event_only, mature, alone, validation) if event_only else None)
    card, probes = model_card(case, facts), _spread(validation.vectors, winner.probability)
    bundle, files = pack(case, scorers, winner.thresholds, probes, facts, card, stores.signer)
    stores.bundles.put(bundle, files)
    stores.tables.put(validation_name(bundle), validated(data, winner))
    origin = {"model": model.name, "run": run.id, "case": case.digest, "vector": case.vector_digest}
    known = {**origin, **facts["validation"], "thresholds": asdict(winner.thresholds)}
    stores.registry.add(bundle, known, clock.now_us())
    result = {"bundle": bundle, "winner": model.name, **facts["validation"]}
    result |= {name: facts[name] for name in ("candidates", "event_time", "unseen_declines")}
    known_labels = coverage(case, stores, data.as_of_us)
    told = {**facts, "bundle": bundle, "run": run.id, "checks": suspicion.verdicts, "labels": known_labels}
    result["html"] = str(training_report(case, stores, told, winner, validation))
    metric = case.training.metric
    low, high = winner.interval
    sentence = f"{model.name} wins of {len(done)}: {metric} {winner.metrics[metric]:.3f} [{low:.3f}, {high:.3f}]"
    return run.finish(f"{sentence}{_also(facts)}, bundle {bundle[:12]}", result)


def _also(facts: dict[str, Any]) -> str:
    """Return what the sentence tells of declines nobody knows the truth of, of a selection and of searches."""
    told, chosen = "", facts["selection"]
    if facts["unseen_declines"]:
        told += f", without {facts['unseen_declines']:,} declines whose label never came"
    if chosen:
        told += f", {chosen['kept']} of {chosen['of']} features"
    if facts["searches"]:
        told += f", {sum(found['trials'] for found in facts['searches'])} trials"
    return told


def _models(
    case: UseCase, stores: Stores, clock: Clock, data: TrainingSet, selected: list[int], progress: Progress
) -> tuple[list[Model], list[dict[str, Any]]]:
    """Return what is compared: the declared models, those with a search as it found them; and what the searches saw."""
    models, told = [], []
    for model in (candidate for declared in case.models for candidate in declared.candidates()):
        if model.search is None:
            models.append(model)
            continue
        found = search(case, stores, clock, data, model, selected, progress)
        models.append(found.model)
        told.append(found.facts)
    return models, told


def _refuse(stores: Stores, run: Run, suspicion: Suspicion) -> None:
    """Report training data that look poisoned, and refuse them."""
    name = f"training-data-{run.id}"
    path = write_report(stores.reports, name, {"run": run.id, "passed": False, "checks": suspicion.verdicts})
    failed = [v for v in suspicion.verdicts if not v["passed"]]
    told = "; ".join(f"{v['gate']} {_short(v['figure'])}, bound {v['bound']:.3g} ({v['why']})" for v in failed)
    sentence = f"the training data look poisoned and were refused: {told}; see {path.name} in the reports"
    run.finish(sentence, {"refused": suspicion.refused, "checks": suspicion.verdicts})
    raise GateClosed(sentence, suspicion.verdicts)


def _short(figure: float | None) -> str:
    return "unknown" if figure is None else f"{figure:.3g}"


def _spread(vectors: Vectors, probability: Floats) -> Vectors:
    """Return up to PROBES vectors, from the least to the largest probability."""
    places = np.linspace(0, len(vectors) - 1, min(PROBES, len(vectors))).astype(np.int64)
    return vectors[np.argsort(probability, kind="stable")[places]]


def _told(case: UseCase, event_only: Candidate | None, selected: list[int]) -> dict[str, Any] | None:
    """Return what the bundle remembers of its event-only scorer."""
    if event_only is None:
        return None
    names = [case.feature_names[column] for column in selected]
    return {"selected_features": names, "validation": summary(event_only.metrics)}


def _best(case: UseCase, candidates: list[Candidate]) -> Candidate:
    metric = case.training.metric
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    known = [c for c in candidates if np.isfinite(c.metrics[metric])]
    if not known:
        raise InputError(
            f"{metric} is undefined on the validation set, which has no positives; give a longer validation"
        )
    return max(known, key=lambda c: sign * c.metrics[metric])

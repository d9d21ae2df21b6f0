"""Fits every candidate on the past, compares them on what came later, and packs the winner into a signed bundle."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from weighbridge import __version__
from weighbridge.clock import Clock, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.gates import LOWER_IS_BETTER
from weighbridge.declare.models import logistic
from weighbridge.errors import GateClosed, InputError
from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.metrics import roc_auc
from weighbridge.loop.candidate import Candidate, Lessons, finish, hold
from weighbridge.loop.card import model_card
from weighbridge.loop.evaluate import summary
from weighbridge.loop.event_time import claim
from weighbridge.loop.ledger import coverage
from weighbridge.loop.reference import reference
from weighbridge.loop.report import Progress, Report, Run, silent, write_report
from weighbridge.loop.suspect import Suspicion, suspect
from weighbridge.loop.training_set import TrainingSet, training_set
from weighbridge.ports import Stores
from weighbridge.score.bundle import pack
from weighbridge.score.scorer import Scorer

WORKERS = 2
PROBES = 64
EVENT_ONLY = logistic(name="event only")  # small, and defined where nothing but the event is known


def train(
    case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent, *, as_of_us: int | None = None
) -> Report:
    """Compare the candidates on validation, refit the winner on everything mature, and register its bundle.

    The validation metrics are those of the winner fitted on the training rows alone. With `as_of_us`, microseconds UTC,
    nothing that arrived later counts. Raises GateClosed, before anything
    is fitted, when the data look poisoned; the figures are in the reports as `training-data-RUN`.
    """
    from weighbridge.learners.encode import select

    run = Run("train", stores, clock)
    data = training_set(case, stores, as_of_us)
    suspicion = suspect(case, stores, data)
    if suspicion.refused:
        _refuse(stores, run, suspicion)
    X, y, fitting = data.vectors, data.known_then, data.split.train
    validation = data.rows(case, data.split.validation)
    selected = select(X[fitting], y[fitting], case.training.features)
    lessons = Lessons(X[fitting], y[fitting], data.weight[fitting])
    models = [candidate for model in case.models for candidate in model.candidates()]
    done: list[Candidate] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for candidate in pool.map(lambda m: hold(case, m, lessons, selected, validation), models):
            done.append(candidate)
            progress(candidate.fitted.model.name, len(done), len(models))
    winner = _best(case, done)
    model = winner.fitted.model
    mature = Lessons(X[data.mature], data.labels[data.mature], data.weight[data.mature])
    scorer = finish(case, winner, mature, selected, validation)
    alone = [case.stateless[c] for c in select(X[fitting][:, list(case.stateless)], y[fitting], None)]
    event_only = hold(case, EVENT_ONLY, lessons, alone, validation) if alone else None
    facts = _facts(case, stores, data, done, (winner, scorer), selected)
    facts |= {"event_only": _told(case, event_only, alone), "training_data": suspicion.kept}
    facts["event_time"] = claim(case, data, winner, stores.budget.cores)
    scorers = (scorer, finish(case, event_only, mature, alone, validation) if event_only else None)
    card, probes = model_card(case, facts), _spread(validation.vectors, winner.probability)
    bundle, files = pack(case, scorers, winner.thresholds, probes, facts, card, stores.signer)
    stores.bundles.put(bundle, files)
    stores.tables.put(validation_name(bundle), _validated(data, winner))
    origin = {"model": model.name, "run": run.id, "case": case.digest, "vector": case.vector_digest}
    known = {**origin, **facts["validation"], "thresholds": asdict(winner.thresholds)}
    stores.registry.add(bundle, known, clock.now_us())
    result = {"bundle": bundle, "winner": model.name, **facts["validation"]}
    result |= {name: facts[name] for name in ("candidates", "event_time")}
    known_labels = coverage(case, stores, data.as_of_us)
    write_report(
        stores.reports,
        f"training-{bundle[:12]}",
        {**facts, "bundle": bundle, "run": run.id, "checks": suspicion.verdicts, "labels": known_labels},
    )
    metric = case.training.metric
    low, high = winner.interval
    sentence = f"{model.name} wins of {len(done)}: {metric} {winner.metrics[metric]:.3f} [{low:.3f}, {high:.3f}]"
    return run.finish(f"{sentence}, bundle {bundle[:12]}", result)


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


def validation_name(bundle: str) -> str:
    """Return the name of the table that holds what a bundle's winner said on its validation rows."""
    return f"validation-{bundle[:16]}"


def _validated(data: TrainingSet, winner: Candidate) -> pa.Table:
    rows = data.places(data.split.validation)
    return pa.table({"seq": data.columns.seq[rows], "y": data.labels[rows], "probability": winner.probability})


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


def _facts(
    case: UseCase,
    stores: Stores,
    data: TrainingSet,
    candidates: list[Candidate],
    won: tuple[Candidate, Scorer],
    selected: list[int],
) -> dict[str, Any]:
    """Return what the bundle remembers of its making; no clock and no run id: same training, same bundle."""
    (winner, scorer), X, validation = won, data.vectors, data.rows(case, data.split.validation)
    flagged = winner.probability >= winner.thresholds.review_at
    caught = int((flagged & (validation.y == 1)).sum())
    fitting = data.split.train
    leak = {case.feature_names[c]: _separation(data.known_then[fitting], X[fitting, c]) for c in selected}
    metric = case.training.metric
    return {
        "model": winner.fitted.model.name,
        "selected_features": [case.feature_names[c] for c in selected],
        "validation": summary(winner.metrics),
        "interval": {metric: list(winner.interval)},
        "candidates": [
            {"model": c.fitted.model.name, "interval": list(c.interval), **summary(c.metrics)} for c in candidates
        ],
        "leakiest_feature": max(leak, key=lambda name: leak[name]),
        "leakiest_feature_auc": max(leak.values()),
        "reference": {
            "positives": int(validation.y.sum()),
            "caught": caught,
            **reference(case, data, scorer),
        },
        "lineage": {
            "use_case": case.name,
            "case": case.digest,
            "vector": case.vector_digest,
            "log_head_seq": stores.log.head().data_seq,
            "as_of": us_to_iso(data.as_of_us),
            "trained_until_us": data.until_us,
            "validated_from": us_to_iso(data.split.validation_from_us),
            "rows": {"train": int(fitting.sum()), "validation": len(validation), "refit": int(data.mature.sum())},
            "positives": {"train": int(data.labels[fitting].sum()), "validation": int(validation.y.sum())},
            "parameters": [list(p) for p in winner.fitted.model.parameters],
            "seed": winner.fitted.model.seed,
            "versions": {"weighbridge": __version__, "numpy": np.__version__, "python": platform.python_version()},
        },
    }


def _separation(y: Ints, column: Vectors) -> float:
    """Return how well one feature alone separates the classes: the larger of AUC and 1 - AUC, NaN ranked lowest."""
    auc = roc_auc(y, np.nan_to_num(column, nan=-1e30))
    return max(auc, 1 - auc) if np.isfinite(auc) else 0.5

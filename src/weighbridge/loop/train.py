"""Fits every candidate on the past, compares them on what came later, and packs the winner into a signed bundle."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge import __version__
from weighbridge.clock import Clock, duration_us, us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.declare.gates import LOWER_IS_BETTER
from weighbridge.declare.models import Model
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Floats, Ints, Vectors
from weighbridge.kernel.calibrate import Calibration
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.drift import profile
from weighbridge.kernel.metrics import roc_auc
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import Columns
from weighbridge.kernel.split import Split, latest_labels, time_split
from weighbridge.learners.fit import Fitted, fit
from weighbridge.loop.build import HEAD_SEQ, table_name
from weighbridge.loop.card import model_card
from weighbridge.loop.evaluate import Rows, choose_thresholds, figures, rows_of, summary, with_interval
from weighbridge.loop.report import Progress, Report, Run, silent, write_report
from weighbridge.ports import Stores
from weighbridge.score.bundle import pack
from weighbridge.score.scorer import Scorer, Thresholds

WORKERS = 2


@dataclass(frozen=True)
class TrainingSet:
    """What training reads: the log's columns, their vectors, the newest label of each row, and the split.

    `known_then` are the labels that had arrived when validation begins, the only ones that fitting sees.
    """

    columns: Columns
    vectors: Vectors
    labels: Ints
    known_then: Ints
    split: Split
    mature: Bools
    as_of_us: int
    until_us: int

    def rows(self, case: UseCase, chosen: Bools) -> Rows:
        """Return chosen rows to evaluate on."""
        return rows_of(case, self.columns, self.vectors, self.labels, chosen)


@dataclass(frozen=True)
class Candidate:
    """One fitted candidate: its cross-calibrated validation probabilities and what they are worth."""

    fitted: Fitted
    probability: Floats
    thresholds: Thresholds
    metrics: dict[str, float]
    interval: tuple[float, float]


def training_set(case: UseCase, stores: Stores) -> TrainingSet:
    """Return the vectors as they were built last, the labels known then, and their split by time.

    Rows that train carry the labels that had arrived when validation begins. Raises InputError when no vectors were
    built, no label is known, or a part of the split is empty.
    """
    table = stores.tables.get(table_name(case))
    if table is None:
        raise InputError("no vectors were built yet; run `weigh run CASE build` first")
    built = int(table.schema.metadata[HEAD_SEQ])
    events, records = (t.filter(pc.less_equal(t["seq"], built)) for t in (stores.log.events(), stores.log.labels()))
    table = table.filter(pc.is_in(table["seq"], value_set=events["seq"].combine_chunks()))  # the rest was forgotten
    if not len(records):
        raise InputError("no label has arrived yet; ingest labels or send them to /feedback before training")
    columns = to_columns(compile_plan(case), events, records)
    vectors = np.stack([table[name].to_numpy() for name in case.feature_names], axis=1)
    labels = latest_labels(columns.label_row, columns.label_value, len(columns))
    as_of_us = max(pc.max(t["arrived_us"]).as_py() for t in (events, records))
    newest_us = int(columns.event_us[labels >= 0].max(initial=0))
    until_us = min(as_of_us - case.label.matures_us, newest_us)
    training = case.training
    split = time_split(
        columns.event_us,
        labels >= 0,
        until_us=until_us,
        validation_us=duration_us(training.validation),
        gap_us=duration_us(training.gap) if training.gap else case.label.matures_us,
        history_us=duration_us(training.history) if training.history else None,
    )
    first = columns.event_us[split.train].min()
    mature = (labels >= 0) & (columns.event_us <= until_us) & (columns.event_us >= first)
    arrived = records.filter(pc.less_equal(records["arrived_us"], split.validation_from_us))
    then = columns.label_seq <= (pc.max(arrived["seq"]).as_py() or 0)
    known_then = latest_labels(columns.label_row[then], columns.label_value[then], len(columns))
    split = replace(split, train=split.train & (known_then >= 0))
    return TrainingSet(columns, vectors, labels, known_then, split, mature, as_of_us, until_us)


def train(case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Compare the candidates on validation, refit the winner on everything mature, and register its bundle.

    The validation metrics are those of the winner fitted on the training rows alone.
    """
    from weighbridge.learners.calibration import fit_calibration
    from weighbridge.learners.encode import select

    run = Run("train", stores, clock)
    data = training_set(case, stores)
    X, y, fitting = data.vectors, data.known_then, data.split.train
    validation = data.rows(case, data.split.validation)
    selected = select(X[fitting], y[fitting], case.training.features)
    models = [candidate for model in case.models for candidate in model.candidates()]
    done: list[Candidate] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for candidate in pool.map(lambda m: _candidate(case, m, X[fitting], y[fitting], selected, validation), models):
            done.append(candidate)
            progress(candidate.fitted.model.name, len(done), len(models))
    winner = _best(case, done)
    model = winner.fitted.model
    refitted = fit(case, model, X[data.mature], data.labels[data.mature], selected)
    calibration = fit_calibration(model.calibration, winner.fitted.log_odds(validation.vectors), validation.y)
    facts = _facts(case, stores, data, done, winner, selected)
    scorer = Scorer(refitted.encoder, refitted.predictor, calibration)
    bundle, files = pack(case, scorer, winner.thresholds, facts, model_card(case, facts), stores.signer)
    stores.bundles.put(bundle, files)
    stores.tables.put(validation_name(bundle), _validated(data, winner))
    origin = {"model": model.name, "run": run.id, "case": case.digest, "vector": case.vector_digest}
    stores.registry.add(bundle, {**origin, **facts["validation"]}, clock.now_us())
    result = {"bundle": bundle, "winner": model.name, **facts["validation"], "candidates": facts["candidates"]}
    write_report(stores.reports, f"training-{bundle[:12]}", {**facts, "bundle": bundle, "run": run.id})
    metric = case.training.metric
    low, high = winner.interval
    sentence = f"{model.name} wins of {len(done)}: {metric} {winner.metrics[metric]:.3f} [{low:.3f}, {high:.3f}]"
    return run.finish(f"{sentence}, bundle {bundle[:12]}", result)


def validation_name(bundle: str) -> str:
    """Return the name of the table that holds what a bundle's winner said on its validation rows."""
    return f"validation-{bundle[:16]}"


def _validated(data: TrainingSet, winner: Candidate) -> pa.Table:
    rows = np.flatnonzero(data.split.validation)
    return pa.table({"seq": data.columns.seq[rows], "y": data.labels[rows], "probability": winner.probability})


def _candidate(case: UseCase, model: Model, X: Vectors, y: Ints, selected: list[int], validation: Rows) -> Candidate:
    fitted = fit(case, model, X, y, selected)
    probability = _cross_calibrated(model, fitted.log_odds(validation.vectors), validation)
    thresholds = choose_thresholds(case, validation, probability)
    _, low, high = with_interval(case, validation, probability, thresholds, case.training.metric)
    return Candidate(fitted, probability, thresholds, figures(case, validation, probability, thresholds), (low, high))


def _cross_calibrated(model: Model, log_odds: Floats, rows: Rows) -> Floats:
    """Return probabilities of each half of the days by the calibration fitted on the other half."""
    from weighbridge.learners.calibration import fit_calibration

    odd = rows.day % 2 == 1
    probability = np.empty(len(rows))
    for half in (odd, ~odd):
        calibration: Calibration = fit_calibration(model.calibration, log_odds[~half], rows.y[~half])
        probability[half] = calibration.probability(log_odds[half])
    return probability


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
    winner: Candidate,
    selected: list[int],
) -> dict[str, Any]:
    """Return what the bundle remembers of its making; no clock and no run id: same training, same bundle."""
    X, validation = data.vectors, data.rows(case, data.split.validation)
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
            "scores": profile(winner.probability),
            "features": {name: profile(X[data.mature, c]) for c, name in enumerate(case.feature_names)},
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

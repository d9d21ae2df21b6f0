"""What a bundle remembers of its making: no clock and no run, so that the same training makes the same bundle."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from weighbridge import __version__
from weighbridge.clock import us_to_iso
from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Ints, Vectors
from weighbridge.kernel.metrics import roc_auc
from weighbridge.loop.training.candidate import Candidate
from weighbridge.loop.training.evaluate import Rows, known, summary
from weighbridge.loop.training.reference import reference
from weighbridge.loop.training.select import Selection
from weighbridge.loop.training.slices import slices
from weighbridge.loop.training.training_set import TrainingSet
from weighbridge.loop.trials.outcome import unseen_declines
from weighbridge.ports import Stores
from weighbridge.score.reasons import Reasoner
from weighbridge.score.scorer import Scorer

EXPLAINED = 512  # rows that importance is the mean of


def remembered(
    case: UseCase,
    stores: Stores,
    data: TrainingSet,
    candidates: list[Candidate],
    won: tuple[Candidate, Scorer],
    chosen: Selection,
) -> dict[str, Any]:
    """Return the facts of a bundle that the candidates and the winner, as it will serve, give."""
    (winner, scorer), X, validation = won, data.vectors, data.rows(case, data.split.validation)
    flagged = winner.probability >= winner.thresholds.review_at
    caught = int((flagged & (validation.y == 1)).sum())
    fitting = data.split.train
    leak = {case.feature_names[c]: _separation(data.known_then[fitting], X[fitting, c]) for c in chosen.columns}
    metric, values = case.training.metric, data.columns.values[data.places(data.split.validation)]
    return {
        "model": winner.fitted.model.name,
        "selected_features": [case.feature_names[c] for c in chosen.columns],
        "selection": chosen.facts,
        "validation": summary(winner.metrics),
        "interval": {metric: list(winner.interval)},
        "candidates": [
            {
                "model": c.fitted.model.name,
                "calibration": c.fitted.model.calibration,
                "interval": known(c.metrics[metric], c.interval)["interval"],
                **summary(c.metrics),
            }
            for c in candidates
        ],
        "unseen_declines": unseen_declines(stores.log, data.unlabelled()),
        "importance": importance(case, scorer, validation, chosen.columns),
        "slices": slices(case, winner, validation, values),
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
            "calibration": winner.fitted.model.calibration,
            "seed": winner.fitted.model.seed,
            "versions": {"weighbridge": __version__, "numpy": np.__version__, "python": platform.python_version()},
        },
    }


def importance(case: UseCase, scorer: Scorer, rows: Rows, columns: list[int]) -> dict[str, Any]:
    """Return the mean absolute Shapley value of each feature, largest first, over up to EXPLAINED rows, and its unit.

    Source: Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees.
    """
    reasoner = Reasoner(case, scorer, case.feature_names, True)
    places = np.linspace(0, len(rows) - 1, min(EXPLAINED, len(rows))).astype(np.int64)
    mean = np.abs(reasoner.contributions(rows.vectors[places])).mean(axis=0)
    ordered = sorted(columns, key=lambda column: -mean[column])
    told = [{"feature": case.feature_names[column], "value": float(mean[column])} for column in ordered]
    return {"unit": reasoner.unit, "rows": len(places), "features": told}


def _separation(y: Ints, column: Vectors) -> float:
    """Return how well one feature alone separates the classes: the larger of AUC and 1 - AUC, NaN ranked lowest."""
    auc = roc_auc(y, np.nan_to_num(column, nan=-1e30))
    return max(auc, 1 - auc) if np.isfinite(auc) else 0.5

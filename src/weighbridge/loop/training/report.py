"""The report of a training: its figures and curves as JSON, and a page that draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.metrics import operating_points
from weighbridge.loop.report import write_report
from weighbridge.loop.training.candidate import Candidate
from weighbridge.loop.training.evaluate import Rows, ladder_of, summary
from weighbridge.loop.training.page import page
from weighbridge.loop.tune import by_decline_at, by_review_at
from weighbridge.loop.watching.performance import calibration_curve
from weighbridge.ports import Stores
from weighbridge.stores.files import write_atomically

MOST_POINTS = 300  # of a drawn curve


def training_report(case: UseCase, stores: Stores, told: Mapping[str, Any], winner: Candidate, rows: Rows) -> Path:
    """Write `training-BUNDLE.json` and `.html` into the reports, and `selected_features.json`; return the page's path.

    told: the facts of the bundle and what else is known of its training. The curves are those of the winner's
    cross-calibrated probabilities on the validation rows.
    """
    details = {**told, "curves": curves(case, winner, rows)}
    name = f"training-{told['bundle'][:12]}"
    write_report(stores.reports, name, details)
    chosen = {
        "bundle": told["bundle"],
        "features": told["selected_features"],
        "declared": list(case.feature_names),
        "selection": told["selection"],
    }
    write_report(stores.reports, "selected_features", chosen)
    path = stores.reports / f"{name}.html"
    write_atomically(path, page(details, case).encode())
    return path


def curves(case: UseCase, winner: Candidate, rows: Rows) -> dict[str, Any]:
    """Return what is drawn of a score: precision and recall, ROC, calibration, costs a day over each threshold."""
    y, probability, found = rows.y, winner.probability, ladder_of(case, rows, winner.probability)
    return {
        "precision_recall": _rates(y, probability),
        "calibration": calibration_curve(y, probability),
        "cost_by_review_at": asdict(by_review_at(found, rows.days)),
        "cost_by_decline_at": asdict(by_decline_at(found, rows.days)),
        "review_at": winner.thresholds.review_at,
        "decline_at": winner.thresholds.decline_at,
        "at_thresholds": [
            _at(y, probability, limit) for limit in (winner.thresholds.review_at, winner.thresholds.decline_at)
        ],
    }


def _rates(y: Ints, probability: Floats) -> dict[str, list[float]]:
    """Return threshold, precision, recall and false positive rate, highest threshold first."""
    threshold, hits, predicted = operating_points(y, probability)
    picked = np.unique(np.r_[np.geomspace(1, len(hits), MOST_POINTS).astype(np.int64) - 1])
    positives = max(int(y.sum()), 1)
    negatives = max(len(y) - int(y.sum()), 1)
    return {
        "threshold": threshold[picked].tolist(),
        "precision": (hits / predicted)[picked].tolist(),
        "recall": (hits / positives)[picked].tolist(),
        "false_positive_rate": ((predicted - hits) / negatives)[picked].tolist(),
    }


def _at(y: Ints, probability: Floats, threshold: float) -> dict[str, Any]:
    flagged = probability >= threshold
    hits, positives, rows = int(y[flagged].sum()), int(y.sum()), int(flagged.sum())
    nan = float("nan")
    precision, recall = hits / rows if rows else nan, hits / positives if positives else nan
    return summary({"threshold": threshold, "rows": rows, "precision": precision, "recall": recall})

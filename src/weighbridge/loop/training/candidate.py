"""One candidate: a model fitted on the past, held against what came later, and finished on everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.declare.models import Model
from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.metrics import log_loss
from weighbridge.learners.fit import Fitted, fit
from weighbridge.loop.training.evaluate import Rows, choose_thresholds, figure, figures, with_interval
from weighbridge.score.scorer import Scorer, Thresholds


@dataclass(frozen=True)
class Candidate:
    """One fitted candidate: its cross-calibrated validation probabilities and what they are worth."""

    fitted: Fitted
    probability: Floats
    thresholds: Thresholds
    metrics: dict[str, float]
    interval: tuple[float, float]


@dataclass(frozen=True)
class Lessons:
    """What a model is fitted on: vectors float32[n, features], labels int64[n], and for how many events each speaks."""

    X: Vectors
    y: Ints
    weight: Floats


def hold(case: UseCase, model: Model, lessons: Lessons, selected: list[int], validation: Rows) -> Candidate:
    """Fit a model on lessons and evaluate it on validation rows."""
    fitted, probability = _said(case, model, lessons, selected, validation)
    thresholds = choose_thresholds(case, validation, probability)
    _, low, high = with_interval(case, validation, probability, thresholds, case.training.metric)
    return Candidate(fitted, probability, thresholds, figures(case, validation, probability, thresholds), (low, high))


def worth(case: UseCase, model: Model, lessons: Lessons, selected: list[int], later: Rows) -> float:
    """Return the declared metric, on later rows, of a model fitted on lessons."""
    _, probability = _said(case, model, lessons, selected, later)
    return figure(case, later, probability, choose_thresholds(case, later, probability), case.training.metric)


def finish(case: UseCase, held: Candidate, lessons: Lessons, selected: list[int], validation: Rows) -> Scorer:
    """Return a candidate's model fitted again on more rows, calibrated as it was on the validation rows."""
    from weighbridge.learners.calibration import fit_calibration

    model = held.fitted.model
    refitted = fit(case, model, lessons.X, lessons.y, selected, lessons.weight)
    calibration = fit_calibration(model.calibration, held.fitted.log_odds(validation.vectors), validation.y)
    return Scorer(refitted.encoder, refitted.predictor, calibration)


def _said(case: UseCase, model: Model, lessons: Lessons, selected: list[int], rows: Rows) -> tuple[Fitted, Floats]:
    """Return a model fitted on lessons, its calibration settled, and its cross-calibrated probabilities of rows."""
    fitted = fit(case, model, lessons.X, lessons.y, selected, lessons.weight)
    log_odds = fitted.log_odds(rows.vectors)
    ways = ("sigmoid", "isotonic") if model.calibration == "auto" else (model.calibration,)
    found = {how: _cross_calibrated(how, log_odds, rows) for how in ways}
    how = min(ways, key=lambda how: log_loss(rows.y, found[how])) if len(ways) > 1 else ways[0]
    return replace(fitted, model=replace(model, calibration=how)), found[how]


def _cross_calibrated(how: str, log_odds: Floats, rows: Rows) -> Floats:
    """Return probabilities of each half of the days by the calibration fitted on the other half."""
    from weighbridge.learners.calibration import fit_calibration

    odd = rows.day % 2 == 1
    probability = np.empty(len(rows))
    for half in (odd, ~odd):
        calibration = fit_calibration(how, log_odds[~half], rows.y[~half])
        probability[half] = calibration.probability(log_odds[half])
    return probability

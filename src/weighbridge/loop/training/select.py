"""Chooses the features that a model may use, on training rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.declare.select import AUC, PERMUTATION, Select
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats
from weighbridge.kernel.drift import benjamini_hochberg
from weighbridge.kernel.metrics import average_precision
from weighbridge.loop.report import Progress
from weighbridge.loop.training.candidate import Lessons
from weighbridge.loop.training.folds import Fold, folds
from weighbridge.loop.training.training_set import TrainingSet


@dataclass(frozen=True)
class Selection:
    """The places of the features that a model may use, rising, and what the bundle remembers of how they were chosen.

    `facts` is None where none were declared to be chosen: then all that vary are used.
    """

    columns: list[int]
    facts: dict[str, Any] | None


def select(case: UseCase, data: TrainingSet, lessons: Lessons, progress: Progress) -> Selection:
    """Return the features that the case's `Training(select=...)` keeps, of those that vary in the training rows.

    Raises InputError when none is kept, or the rows cannot be cut into the folds that are declared.
    """
    from weighbridge.learners.selection import information, separation, varying

    columns, how = varying(lessons.X), case.training.select
    if how is None:
        return Selection(columns, None)
    if how.by == PERMUTATION:
        score, helped = _permuted(case, how, folds(case, data, how.folds), columns, progress)
        kept, of = helped >= how.agreeing, [{"helped": float(times)} for times in helped]
    else:
        score, p = (separation if how.by == AUC else information)(lessons.X[:, columns], lessons.y)
        adjusted = benjamini_hochberg(p)
        kept, of = adjusted <= how.false_discovery_rate, [{"adjusted_p": float(q)} for q in adjusted]
    best = [int(place) for place in np.argsort(-score, kind="stable") if kept[place]][: how.most]
    if not best:
        raise InputError(
            f"Select(by={how.by!r}) keeps none of {len(columns)} features; loosen its bounds, or leave select= out"
        )
    told = [
        {"feature": case.feature_names[column], "score": float(score[place]), "kept": place in best, **of[place]}
        for place, column in enumerate(columns)
    ]
    facts = {"by": how.by, "kept": len(best), "of": len(case.feature_names), "features": told}
    return Selection(sorted(columns[place] for place in best), facts)


def _permuted(
    case: UseCase, how: Select, cuts: Sequence[Fold], columns: list[int], progress: Progress
) -> tuple[Floats, Floats]:
    """Return by how much average precision falls without each feature, the mean over folds, and in how many it does."""
    from weighbridge.learners.fit import fit

    if len(cuts) < how.agreeing:
        raise InputError(
            f"Select asks {how.agreeing} folds to agree, and the training rows give {len(cuts)}; give more history"
        )
    falls = np.empty((len(cuts), len(columns)))
    for number, cut in enumerate(cuts):
        model = fit(case, how.model, cut.lessons.X, cut.lessons.y, columns, cut.lessons.weight)
        vectors, y = cut.rows.vectors.copy(), cut.rows.y
        whole = average_precision(y, model.log_odds(vectors))
        for place, column in enumerate(columns):
            order = np.random.default_rng([how.seed, number, column]).permutation(len(y))
            vectors[:, column] = vectors[order, column]
            falls[number, place] = whole - average_precision(y, model.log_odds(vectors))
            vectors[:, column] = cut.rows.vectors[:, column]
        progress("selecting features, fold", number + 1, len(cuts))
    return falls.mean(axis=0), (falls > 0).sum(axis=0).astype(np.float64)

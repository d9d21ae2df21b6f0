"""Folds of the training rows by time: what came later judges what came before, as validation does with candidates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from weighbridge.clock import duration_us
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Bools, Ints
from weighbridge.loop.training.candidate import Lessons
from weighbridge.loop.training.evaluate import Rows, rows_of
from weighbridge.loop.training.training_set import TrainingSet


@dataclass(frozen=True)
class Fold:
    """Rows to fit on, bool[n], with the labels that had arrived at `from_us`, and later rows that judge, bool[n]."""

    fitting: Bools
    judging: Bools
    from_us: int
    lessons: Lessons
    rows: Rows


def folds(case: UseCase, data: TrainingSet, number: int) -> list[Fold]:
    """Return up to `number` folds of the training rows; no validation row is in any.

    The first half of the time, beside the gap in which labels arrive, is fitted on in all of them; the second half is
    cut into `number` parts of equal length that judge. A fold without both classes on either side is left out. Raises
    InputError when none is left.
    """
    train, event_us = data.split.train, data.columns.event_us
    if data.drawn is not None:
        return _by_chance(case, data, number)
    gap_us = duration_us(case.training.gap) if case.training.gap else case.label.matures_us
    first_us, last_us = int(event_us[train].min()), int(event_us[train].max())
    edges = np.linspace((first_us + gap_us + last_us) / 2, last_us, number + 1).astype(np.int64).tolist()
    found = []
    for from_us, until_us in pairwise(edges):
        known = data.known_by(case, from_us)
        fitting = train & (event_us <= from_us - gap_us) & (known >= 0)
        judging = train & (event_us > from_us) & (event_us <= until_us)
        if not _both(known[fitting]) or not _both(data.known_then[judging]):
            continue
        lessons = Lessons(data.vectors[fitting], known[fitting], data.weight[fitting])
        rows = rows_of(case, data.columns, data.vectors, data.known_then, data.places(judging))
        found.append(Fold(fitting, judging, from_us, lessons, rows))
    if not found:
        raise InputError(
            "the training rows are too few to be cut into folds by time; give more history, or shorten gap= of Training"
        )
    return found


def _both(y: Ints) -> bool:
    return 0 < int(y.sum()) < len(y)


def _by_chance(case: UseCase, data: TrainingSet, number: int) -> list[Fold]:
    """Return folds of a stratified split: rows of the same content are in the same fold."""
    assert data.drawn is not None
    train, found = data.split.train, []
    for part in range(number):
        judging = train & (data.drawn % number == part)
        fitting = train & ~judging
        if not _both(data.labels[fitting]) or not _both(data.labels[judging]):
            raise InputError("the training rows are too few to be cut into folds; give more history, or fewer folds")
        lessons = Lessons(data.vectors[fitting], data.labels[fitting], data.weight[fitting])
        rows = rows_of(case, data.columns, data.vectors, data.labels, data.places(judging))
        found.append(Fold(fitting, judging, data.split.validation_from_us, lessons, rows))
    return found

"""What a score is worth in each part of the validation rows, by the values of every declared Category."""

from __future__ import annotations

from typing import Any

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.declare.fields import Category
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.loop.training.candidate import Candidate
from weighbridge.loop.training.evaluate import Rows, known, with_interval

ENOUGH_POSITIVES = 5  # for a figure of a slice


def slices(case: UseCase, winner: Candidate, rows: Rows, values: Ints) -> list[dict[str, Any]]:
    """Return rows, positives, the recall of what is flagged and the declared metric with its interval, by slice.

    values: int64[n, fields], the events of the rows as the log's columns have them. A slice of fewer than
    ENOUGH_POSITIVES positives has counts alone, the rest is None.
    """
    flagged, found = winner.probability >= winner.thresholds.review_at, []
    for place, field in enumerate(case.events.payload):
        if not isinstance(field, Category):
            continue
        for code in np.unique(values[:, place]).tolist():
            inside = np.flatnonzero(values[:, place] == code)
            part, positives = rows.at(inside), int(rows.y[inside].sum())
            told: dict[str, Any] = {
                "field": field.name,
                "is": "missing" if code == MISSING else field.one_of[code],
                "rows": len(part),
                "positives": positives,
                "recall": None,
                "value": None,
                "interval": None,
            }
            if positives >= ENOUGH_POSITIVES:
                value, low, high = with_interval(
                    case, part, winner.probability[inside], winner.thresholds, case.training.metric
                )
                told |= known(value, (low, high))
                told["recall"] = int((flagged[inside] & (part.y == 1)).sum()) / positives
            found.append(told)
    return found

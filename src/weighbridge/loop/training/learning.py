"""The learning curve: what a model is worth by how many of the newest training rows it was fitted on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Ints
from weighbridge.loop.training.candidate import Candidate, Lessons, hold
from weighbridge.loop.training.evaluate import Rows, known

WORKERS = 2
Point = dict[str, Any]


def learning_curve(
    case: UseCase, winner: Candidate, event_us: Ints, lessons: Lessons, selected: list[int], validation: Rows
) -> list[Point]:
    """Return the declared metric on the validation rows, with its interval, by the number of rows fitted on, rising.

    A point is fitted on the newest rows, so it tells what a shorter `Training(history=...)` would have cost, and
    whether a longer one may pay. The last point is the winner. Shares without both classes are left out.
    event_us: int64[n].
    """
    order = np.argsort(event_us, kind="stable")
    metric, tails = case.training.metric, []
    for share in case.training.learning_curve:
        newest = np.sort(order[len(order) - max(int(share * len(order)), 1) :])
        if 0 < lessons.y[newest].sum() < len(newest):
            tails.append(newest)
    with ThreadPoolExecutor(WORKERS) as pool:
        held = list(
            pool.map(
                lambda rows: hold(
                    case,
                    winner.fitted.model,
                    Lessons(lessons.X[rows], lessons.y[rows], lessons.weight[rows]),
                    selected,
                    validation,
                ),
                tails,
            )
        )
    everything = np.arange(len(order))
    return [
        {
            "rows": len(rows),
            "positives": int(lessons.y[rows].sum()),
            **known(one.metrics[metric], one.interval),
        }
        for rows, one in zip([*tails, everything], [*held, winner], strict=True)
    ]

"""What a join by event time would have claimed: the same model on vectors and labels that nobody had at the time.

Elsewhere features and labels are joined to an event by their event times, so that a label counts from its event on,
however late it came, and a late event is seen by those that were decided before it arrived.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Vectors
from weighbridge.kernel.columns import ints
from weighbridge.kernel.plan import Plan, compile_plan
from weighbridge.kernel.replay import Columns, replay
from weighbridge.loop.training.candidate import Candidate, Lessons, hold
from weighbridge.loop.training.evaluate import rows_of, summary
from weighbridge.loop.training.training_set import TrainingSet, with_child_rows
from weighbridge.ports import Stores


def event_time_vectors(plan: Plan, columns: Columns, *, cores: int = 1) -> Vectors:
    """Return every row's vector as if all records had arrived when they happened, a label with its event.

    Never for training: only to show the difference.
    """
    order = np.lexsort((columns.seq, columns.event_us))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    known_at_once = replace(
        columns, seq=1 + np.arange(len(order)), event_us=columns.event_us[order], values=columns.values[order],
        label_row=place[columns.label_row], label_seq=np.zeros_like(columns.label_seq),
    )  # fmt: skip
    return replay(plan, known_at_once, cores=cores)[place]


def claim(case: UseCase, stores: Stores, data: TrainingSet, winner: Candidate, selected: list[int]) -> dict[str, Any]:
    """Return the winner's figures beside those that a join by event time would have claimed for the same model.

    `selected` are the features of ours: the same are used, or all that vary there where the case selects none. It fits
    on every labelled event before validation, without the gap in which labels arrive. `rows_ahead` counts the rows it
    fits on that hold what had not arrived: a vector of another time, or a label from after validation began;
    `rows_ahead_as_known` counts such labels in ours.
    """
    from weighbridge.learners.selection import varying

    metric, interval = case.training.metric, list(winner.interval)
    known = {"metric": metric, "as_known": winner.metrics[metric], "as_known_interval": interval}
    if data.drawn is not None:  # time says nothing: everything was known at once
        figures = {"event_time_figures": summary(winner.metrics), "rows": int(data.split.train.sum())}
        same = {"event_time": winner.metrics[metric], "event_time_interval": interval}
        return known | same | figures | {"rows_ahead": 0, "rows_ahead_as_known": 0}
    begins_us, columns = data.split.validation_from_us, data.columns
    fitting = (data.labels >= 0) & (columns.event_us <= begins_us)
    if data.split.train.any():
        fitting &= columns.event_us >= columns.event_us[data.split.train].min()
    whole = with_child_rows(case, stores, data, fitting | data.split.validation)
    X = event_time_vectors(compile_plan(case), whole, cores=stores.budget.cores)
    late = _label_arrived_after(data, begins_us)
    ahead = fitting & (late | (X.view(np.uint32) != data.vectors.view(np.uint32)).any(axis=1))
    used = varying(X[fitting]) if case.training.select is None else selected
    validation = rows_of(case, columns, X, data.labels, data.places(data.split.validation))
    lessons = Lessons(X[fitting], data.labels[fitting], data.weight[fitting])
    held = hold(case, winner.fitted.model, lessons, used, validation)
    return known | {
        "event_time": held.metrics[metric],
        "event_time_interval": list(held.interval),
        "event_time_figures": summary(held.metrics),
        "rows": int(fitting.sum()),
        "rows_ahead": int(ahead.sum()),
        "rows_ahead_as_known": int((data.split.train & late).sum()),
    }


def _label_arrived_after(data: TrainingSet, moment_us: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which rows had no label at all by a moment, bool[n]."""
    known = np.zeros(len(data.columns), dtype=np.bool_)
    known[data.columns.label_row[ints(data.told["arrived_us"]) <= moment_us]] = True
    return ~known

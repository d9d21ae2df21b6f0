"""What was decided since two bundles were trained and has its label by now: neither was fitted or chosen on it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.kernel.columns import ints, to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.split import latest_labels
from weighbridge.loop.labels.ledger import trust_of
from weighbridge.loop.training.evaluate import Rows, rows_of
from weighbridge.loop.trials.outcome import observed_weights
from weighbridge.ports import Log
from weighbridge.score.ruling import action_codes
from weighbridge.stores.tables import vectors_of

AT_ONCE = 16_384  # places of the log that are read at once


def matured(case: UseCase, log: Log, after_us: int, as_of_us: int) -> Rows | None:
    """Return the labelled rows of what happened after a moment and was mature by another, microseconds UTC, or None.

    Vectors are those of the decisions, whole ones only. A row is there as often as events it speaks for: what was
    explored speaks for would-be declines, as in training.
    """
    until_us = as_of_us - case.label.matures_us
    if until_us <= after_us:
        return None
    found = [part for first in range(0, log.head().seq, AT_ONCE)
             if (part := _decided(log, first, after_us, until_us)) is not None]  # fmt: skip
    if not found:
        return None
    events, decisions = (pa.concat_tables(tables) for tables in zip(*found, strict=True))
    labels = log.labels()
    about = pc.is_in(labels["event_id"], value_set=events["event_id"].combine_chunks())
    labels = labels.filter(pc.and_(about, pc.less_equal(labels["arrived_us"], as_of_us)))
    columns = to_columns(compile_plan(case), events, labels)
    y = latest_labels(columns.label_row, columns.label_value, len(columns), trust_of(case.label, labels))
    propensity = np.array(decisions["propensity"].fill_null(np.nan).to_numpy(), dtype=np.float64)
    weight = np.where(y >= 0, observed_weights(action_codes(decisions), propensity)[0], 0.0)
    chosen = np.repeat(np.arange(len(y)), np.rint(weight).astype(np.int64))
    return rows_of(case, columns, vectors_of(decisions), y, chosen) if len(chosen) else None


def _decided(log: Log, first: int, after_us: int, until_us: int) -> tuple[pa.Table, pa.Table] | None:
    """Return the events behind a place that happened within a time, and the whole decisions about them, by seq."""
    events = log.events(first, first + AT_ONCE)
    within = pc.and_(pc.greater(events["event_us"], after_us), pc.less_equal(events["event_us"], until_us))
    events = events.filter(within)
    if not len(events):
        return None
    decisions = log.decisions(first, first + AT_ONCE)
    decisions = decisions.filter(pc.equal(decisions["degraded"], "[]"))
    decisions = decisions.filter(pc.is_in(decisions["seq"], value_set=events["seq"].combine_chunks()))
    events = events.filter(pc.is_in(events["seq"], value_set=decisions["seq"].combine_chunks()))
    return (events, decisions) if np.array_equal(ints(events["seq"]), ints(decisions["seq"])) and len(events) else None

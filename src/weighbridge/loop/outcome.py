"""What became of decided events: labels, whether they are mature, and for how many events each one speaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.propensity import weights
from weighbridge.ports import Log
from weighbridge.score.ruling import DECLINE

NO_CHANCE = np.nan  # the propensity of an event in which chance had no say


@dataclass(frozen=True)
class Outcomes:
    """What is known of n decided events.

    y: int64[n], the newest label, -1 where none has arrived. mature: bool[n]. weight: float64[n], for how many events
    a row speaks; 0 where it may not be counted: it is immature, its label is missing, or explored ones speak for it.
    unseen: bool[n], mature declines that nobody can speak for: no label, and no chance of being let through.
    """

    y: Ints
    mature: Bools
    weight: Floats
    unseen: Bools


def outcomes(
    case: UseCase, log: Log, event_ids: pa.Array, event_us: Ints, action: Ints, propensity: Floats
) -> Outcomes:
    """Return what became of events by what had arrived when the log ends.

    action: int64[n], places in ACTIONS as decided; propensity: float64[n], as recorded, NaN where chance had no say. An
    event that chance let through counts 1 / propensity times; then its likes that were declined do not count, with or
    without a label. Nothing without a label ever counts, as good or as bad.
    """
    labels, head_us = log.labels(), log.head().arrived_us
    rows = pc.index_in(labels["event_id"], value_set=event_ids)
    known = rows.is_valid().to_numpy(zero_copy_only=False)
    y = np.full(len(event_us), -1, dtype=np.int64)
    y[np.asarray(rows.drop_null().to_numpy(), dtype=np.int64)] = labels["value"].to_numpy()[known]  # by seq: last wins
    mature = event_us + case.label.matures_us <= head_us
    weight, hidden = observed_weights(action, propensity)
    weight = np.where(mature & (y >= 0), weight, 0.0)
    return Outcomes(y, mature, weight, mature & hidden & (y < 0))


def observed_weights(action: Ints, propensity: Floats) -> tuple[Floats, Bools]:
    """Return for how many events each decided one speaks, once its label is known, and which declines none speaks for.

    action: int64[n], places in ACTIONS; propensity: float64[n]. See `outcomes`.
    """
    asked, declined = propensity > 0, action == DECLINE
    weight = np.where(asked & declined, 0.0, 1.0)
    weight[asked & ~declined] = weights(asked & ~declined, np.nan_to_num(propensity))[asked & ~declined]
    return weight, declined & ~asked

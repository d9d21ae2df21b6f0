"""A file of events scored as if each had arrived now, in the file's order; nothing is stored."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Floats
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle


def score_table(case: UseCase, stores: Stores, bundle: Bundle, accepted: pa.Table) -> pa.Table:
    """Return event_id, probability, risk_level, action and model_version of accepted events, in their order.

    An event that the log already holds is scored as of its own arrival, so that online and batch agree bit for bit;
    a new one sees the log and the rows before it.
    """
    log = stores.log.events()
    known = pc.is_in(accepted["event_id"], value_set=log["event_id"].combine_chunks())
    fresh = accepted.filter(pc.invert(known))
    seq = pa.array(np.arange(len(fresh), dtype=np.int64) + stores.log.head().seq + 1)
    events = pa.concat_tables([log, fresh.drop_columns(["row"]).add_column(0, "seq", seq).select(log.column_names)])
    asked = pc.index_in(accepted["event_id"], value_set=events["event_id"].combine_chunks())
    rows = np.asarray(asked.to_numpy(), dtype=np.int64)
    wanted = np.zeros(len(events), dtype=np.bool_)
    wanted[rows] = True
    plan = compile_plan(case)
    vectors = replay(plan, to_columns(plan, events, stores.log.labels()), wanted)
    probability = bundle.scorer.probability(vectors)[(np.cumsum(wanted) - 1)[rows]]
    return pa.table({"event_id": accepted["event_id"], **decided(bundle, probability)})


def decided(bundle: Bundle, probability: Floats) -> dict[str, pa.Array]:
    """Return the columns that a bundle's decisions on probabilities, float64[n], consist of."""
    return {
        "probability": pa.array(probability),
        "risk_level": pa.array([bundle.thresholds.level(p) for p in probability]),
        "action": pa.array([bundle.thresholds.action(p) for p in probability]),
        "model_version": pa.array([bundle.version] * len(probability)),
    }

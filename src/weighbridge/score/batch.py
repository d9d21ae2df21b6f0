"""A file of events scored as if each had arrived now, in the file's order; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.kernel.columns import ints, to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.ports import Stores
from weighbridge.score.bundle import Bundle
from weighbridge.score.rulebook import Verdict, decidables, verdicts


def score_table(case: UseCase, stores: Stores, bundle: Bundle, accepted: pa.Table) -> pa.Table:
    """Return event_id, probability, risk_level, action, rules and model_version of accepted events, in their order.

    An event that the log already holds is scored as of its own arrival, so that online and batch agree bit for bit;
    a new one sees the log and the rows before it. The rules are those of the use case now, the lists as they were then.
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
    chosen = (np.cumsum(wanted) - 1)[rows]
    probability = bundle.scorer.probability(vectors)[chosen]
    said = _verdicts(case, stores, bundle, events.take(pa.array(rows)), vectors[chosen], probability)
    return pa.table({"event_id": accepted["event_id"], **decided(bundle, probability, said)})


def decided(bundle: Bundle, probability: Floats, said: Sequence[Verdict]) -> dict[str, pa.Array]:
    """Return the columns that decisions consist of; `rules` names those that held, with spaces between."""
    return {
        "probability": pa.array(probability),
        "risk_level": pa.array([bundle.thresholds.level(p) for p in probability], pa.string()),
        "action": pa.array([verdict.action for verdict in said], pa.string()),
        "rules": pa.array([" ".join(verdict.rules) for verdict in said], pa.string()),
        "model_version": pa.array([bundle.version] * len(probability), pa.string()),
    }


def _verdicts(
    case: UseCase, stores: Stores, bundle: Bundle, events: pa.Table, vectors: Vectors, probability: Floats
) -> list[Verdict]:
    """Return the verdicts on rows of events, in their order, with every list as it was at the event's place."""
    seq = ints(events["seq"])
    order = np.argsort(seq, kind="stable")
    asked = decidables(case, events.take(pa.array(order)), vectors[order], probability[order], bundle.thresholds)
    by_seq = verdicts(case, stores.log, asked, as_noted=False)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return [by_seq[row] for row in place]

"""Events scored as if each had arrived now, in their order, by the parts that decide online; nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.case import UseCase
from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.columns import firsts, ints, to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.ports import Stores
from weighbridge.records import Reason
from weighbridge.score.bundle import Bundle
from weighbridge.score.rollups import with_rollups
from weighbridge.score.rulebook import Verdict, decidables, verdicts

REASONED_AT_ONCE = 4_096  # rows between two words to whoever watches
Told = tuple[Reason, ...] | None
COLUMNS = pa.schema(
    [("event_id", pa.string()), ("prediction", pa.int64()), ("probability", pa.float64()), ("risk_level", pa.string()),
     ("action", pa.string()), ("rules", pa.string()), ("reasons", pa.string()), ("model_version", pa.string())]
)  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """What was decided about rows, in their order: float32[n, features], float64[n], then one of each a row.

    `reasons` are those that are told at once, None where the use case asks for none.
    """

    event_ids: pa.Array
    vectors: Vectors
    probability: Floats
    levels: Sequence[str]
    verdicts: Sequence[Verdict]
    reasons: Sequence[Told]
    version: str

    def table(self) -> pa.Table:
        """Return it as `COLUMNS`: rules with spaces between, the sentences of reasons with semicolons."""
        actions = [verdict.action for verdict in self.verdicts]
        return pa.table(
            [
                self.event_ids,
                [int(action != "approve") for action in actions],
                self.probability,
                self.levels,
                actions,
                [" ".join(verdict.rules) for verdict in self.verdicts],
                ["; ".join(reason.sentence for reason in told or ()) for told in self.reasons],
                [self.version] * len(actions),
            ],
            schema=COLUMNS,
        )


def score_rows(
    case: UseCase, stores: Stores, bundle: Bundle, accepted: pa.Table, progress: Callable[[int, int], None]
) -> Batch:
    """Decide accepted events; an id that repeats has the same content every time.

    An event that the log already holds is scored as of its own arrival, so that online and batch agree bit for bit; a
    new one sees the log and the rows before it. A repeated id gets the answer of its first row. The rules are those of
    the use case now, the lists as they were then. `progress` is told rows that are done, and of how many.
    """
    rows, events = _rows_among(stores, accepted)
    wanted = np.zeros(len(events), dtype=np.bool_)
    wanted[rows] = True
    plan = compile_plan(case)
    columns = to_columns(plan, with_rollups(plan, stores, events, wanted), stores.log.labels())
    vectors = replay(plan, columns, wanted, cores=stores.budget.cores)
    vectors = vectors[(np.cumsum(wanted) - 1)[rows]]
    probability = bundle.scorer.probability(vectors)
    said = _verdicts(case, stores, bundle, events.take(pa.array(rows)), vectors, probability)
    ids = accepted["event_id"].combine_chunks()
    reasons: list[Told] = []
    for row, (event_id, verdict) in enumerate(zip(ids.to_pylist(), said, strict=True)):
        reasons.append(bundle.reasoner.told(verdict.action, event_id, vectors[row].astype("<f4").tobytes()))
        if row % REASONED_AT_ONCE == 0:
            progress(row, len(said))
    levels = [bundle.thresholds.level(p) for p in probability.tolist()]
    return Batch(ids, vectors, probability, levels, said, reasons, bundle.version)


def score_table(case: UseCase, stores: Stores, bundle: Bundle, accepted: pa.Table) -> pa.Table:
    """Return what `score_rows` decides as a table."""
    return score_rows(case, stores, bundle, accepted, lambda done, of: None).table()


def _rows_among(stores: Stores, accepted: pa.Table) -> tuple[Ints, pa.Table]:
    """Return the log's events with the new ones behind them, by seq, and at which place of it each row stands."""
    log, ids = stores.log.events(), accepted["event_id"].combine_chunks()
    known = pc.is_in(ids, value_set=log["event_id"].combine_chunks())
    fresh = accepted.filter(pc.and_(pa.array(firsts(ids)), pc.invert(known)))
    seq = pa.array(np.arange(len(fresh), dtype=np.int64) + stores.log.head().seq + 1)
    events = pa.concat_tables([log, fresh.drop_columns(["row"]).add_column(0, "seq", seq).select(log.column_names)])
    asked = pc.index_in(ids, value_set=events["event_id"].combine_chunks())
    return np.asarray(asked.to_numpy(), dtype=np.int64), events


def _verdicts(
    case: UseCase, stores: Stores, bundle: Bundle, events: pa.Table, vectors: Vectors, probability: Floats
) -> list[Verdict]:
    """Return the verdicts on rows of events, in their order, with every list as it was at the event's place."""
    seq = ints(events["seq"])
    order = np.argsort(seq, kind="stable")
    asked = decidables(case, events.take(pa.array(order)), vectors[order], probability[order], bundle.thresholds)
    by_seq = verdicts(case, stores, asked, as_noted=False)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return [by_seq[row] for row in place]

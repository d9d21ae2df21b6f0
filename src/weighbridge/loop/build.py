"""Builds the vectors of the whole log, each as known when its event arrived."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.loop.report import Report, Run
from weighbridge.ports import Stores

HEAD_SEQ = b"weighbridge.head_seq"


def table_name(case: UseCase) -> str:
    """Return the name of a use case's table of vectors: it carries the digest of what computed it."""
    return f"vectors-{case.vector_digest[:16]}"


def build(case: UseCase, stores: Stores, clock: Clock) -> Report:
    """Replay the log and store its vectors: seq, event_id, event_us, then one float32 column a feature.

    Raises InputError when the log holds no event.
    """
    run = Run("build", stores, clock)
    head = stores.log.head().data_seq
    events = stores.log.events().filter(pc.field("seq") <= head)  # traffic may go on meanwhile
    if not len(events):
        raise InputError("the log holds no events yet; run `weigh ingest` or `weigh simulate` first")
    plan = compile_plan(case)
    vectors = replay(plan, to_columns(plan, events, stores.log.labels()))
    columns = {name: pa.array(vectors[:, place]) for place, name in enumerate(case.feature_names)}
    table = pa.table({**{name: events[name] for name in ("seq", "event_id", "event_us")}, **columns})
    stores.tables.put(table_name(case), table.replace_schema_metadata({HEAD_SEQ: str(head)}))
    figures = {
        "rows": len(table),
        "features": len(columns),
        "head_seq": head,
        "table": table_name(case),
    }
    return run.finish(f"{len(table):,} vectors of {len(columns)} features, each as known at its arrival", figures)

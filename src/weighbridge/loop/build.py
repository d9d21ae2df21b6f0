"""Builds the vectors of the whole log, each as known when its event arrived."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pyarrow as pa

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Vectors
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import Plan, compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.loop.parts import row_bytes, vectors_in_parts
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.ports import Stores
from weighbridge.score.rollups import with_rollups

HEAD_SEQ = b"weighbridge.head_seq"
LEADING = ("seq", "event_id", "event_us")


def table_name(case: UseCase) -> str:
    """Return the name of a use case's table of vectors: it carries the digest of what computed it."""
    return f"vectors-{case.vector_digest[:16]}"


def build(case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Replay the log and store its vectors: seq, event_id, event_us, then one float32 column a feature.

    What does not fit into the stores' memory budget is built part by part over files. Raises InputError when the log
    holds no event.
    """
    run = Run("build", stores, clock)
    head = stores.log.head().data_seq  # traffic may go on meanwhile
    plan, budget = compile_plan(case), stores.budget
    parts = 1 + head * row_bytes(plan) // budget.memory_bytes
    rows, schema = 0, _schema(case, head)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for events, vectors in _pieces(plan, stores, head, parts, progress):
            rows += len(events)
            columns = [events[name] for name in LEADING] + list(map(pa.array, vectors.T))
            yield from pa.table(columns, schema=schema).to_batches()

    first = next(ready := batches(), None)
    if first is None:
        raise InputError("the log holds no events yet; run `weigh ingest` or `weigh simulate` first")
    stores.tables.put(table_name(case), pa.RecordBatchReader.from_batches(schema, chain([first], ready)))
    figures = {
        "rows": rows,
        "features": len(case.feature_names),
        "head_seq": head,
        "table": table_name(case),
        "parts": parts,
    }
    sentence = f"{rows:,} vectors of {len(case.feature_names)} features, each as known at its arrival"
    return run.finish(sentence + (f", in {parts} parts" if parts > 1 else ""), figures)


def _pieces(
    plan: Plan, stores: Stores, head: int, parts: int, progress: Progress
) -> Iterator[tuple[pa.Table, Vectors]]:
    """Yield the log's events and their vectors, by seq: at once, or range by range."""
    if parts > 1:
        yield from vectors_in_parts(
            plan, stores.log, head, parts, stores.budget, progress, lambda events: with_rollups(plan, stores, events)
        )
        return
    events = stores.log.events(until=head)
    if len(events):
        columns = to_columns(plan, with_rollups(plan, stores, events), stores.log.labels(until=head))
        yield events, replay(plan, columns, cores=stores.budget.cores)


def _schema(case: UseCase, head: int) -> pa.Schema:
    leading = [("seq", pa.int64()), ("event_id", pa.string()), ("event_us", pa.int64())]
    features = [(name, pa.float32()) for name in case.feature_names]
    return pa.schema([*leading, *features], metadata={HEAD_SEQ: str(head)})

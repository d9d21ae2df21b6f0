"""Builds the vectors of the whole log, each as known when its event arrived."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pyarrow as pa

from weighbridge.clock import Clock
from weighbridge.declare.case import UseCase
from weighbridge.errors import InputError
from weighbridge.kernel.columns import to_columns
from weighbridge.kernel.plan import Plan, compile_plan
from weighbridge.kernel.replay import replay
from weighbridge.loop.parts import Piece, content_of_rows, row_bytes, vectors_in_parts
from weighbridge.loop.report import Progress, Report, Run, silent
from weighbridge.ports import Stores
from weighbridge.score.rollups import with_rollups

HEAD_SEQ = b"weighbridge.head_seq"
LEADING = ("seq", "event_id", "event_us")
CONTENT = "#content"  # of a use case with rollups: what an event's child rows add to the number of its content


def table_name(case: UseCase) -> str:
    """Return the name of a use case's table of vectors: it carries the digest of what computed it."""
    return f"vectors-{case.vector_digest[:16]}"


def build(case: UseCase, stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Replay the log and store its vectors: seq, event_id, event_us, then one float32 column a feature.

    Where child rows are rolled up, `CONTENT` stands behind them, so that a split need not go through the rows again.
    What does not fit into the stores' memory budget is built part by part over files. Raises InputError when the log
    holds no event.
    """
    run = Run("build", stores, clock)
    head = stores.log.head().data_seq  # traffic may go on meanwhile
    plan, budget = compile_plan(case), stores.budget
    parts = 1 + head * row_bytes(plan) // budget.memory_bytes
    rows, schema = 0, _schema(case, head, bool(plan.partials))

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for events, vectors, content in _pieces(plan, stores, head, parts, progress):
            rows += len(events)
            columns = [events[name] for name in LEADING] + list(map(pa.array, vectors.T))
            columns += [pa.array(content)] * bool(plan.partials)
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


def _pieces(plan: Plan, stores: Stores, head: int, parts: int, progress: Progress) -> Iterator[Piece]:
    """Yield the log's events and their vectors, by seq: at once, or range by range."""
    if parts > 1:
        yield from vectors_in_parts(
            plan, stores.log, head, parts, stores.budget, progress, lambda events: with_rollups(plan, stores, events)
        )
        return
    events = stores.log.events(until=head)
    if len(events):
        columns = to_columns(plan, with_rollups(plan, stores, events), stores.log.labels(until=head))
        yield events, replay(plan, columns, cores=stores.budget.cores), content_of_rows(plan, columns.values)


def _schema(case: UseCase, head: int, rolled: bool) -> pa.Schema:
    leading = [("seq", pa.int64()), ("event_id", pa.string()), ("event_us", pa.int64())]
    features = [(name, pa.float32()) for name in case.feature_names]
    behind = [(CONTENT, pa.int64())] if rolled else []
    return pa.schema([*leading, *features, *behind], metadata={HEAD_SEQ: str(head)})

"""Child rows by HTTP: each batch becomes a segment that counts from its place in the log on; one at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from weighbridge.declare.children import Child
from weighbridge.errors import Conflict, InputError, Overloaded
from weighbridge.kernel.child_rows import parse_batch
from weighbridge.kernel.rules import json_type, reject, unknown
from weighbridge.kernel.table_check import Rejects
from weighbridge.ports.rows import ROWS
from weighbridge.score.decide import Desk
from weighbridge.serve.http.problem import Problem
from weighbridge.serve.row_schema import LONGEST_ID
from weighbridge.serve.strict import MOST_BATCHES, MOST_ROWS

NOTHING = ""  # the name of the segment of a batch without a good row: there is none


class Batches:
    """Takes batches of child rows in. The log keeps the id of each, so that a retry finds it."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._busy = desk, threading.Lock()
        notes = desk.stores.log.notes(ROWS) if desk.case.children else []
        self._known = {(body["table"], body["batch"]): str(body["name"]) for _, _, body in notes if "batch" in body}

    async def take(self, child: Child, body: dict[str, Any], by: str) -> dict[str, Any]:
        """Store a batch, `{"batch": ID, "rows": [...]}`; return what was accepted, and what was rejected and why.

        A batch of a known id with the same rows does nothing again. Raises Rejected or Problem for a body of another
        form, Conflict for a known id with other rows, InputError for a batch beyond `MOST_BATCHES`, Overloaded while
        another is on its way, StoreFailure; then nothing counts.
        """
        batch, rows = _read(body)
        if not self._busy.acquire(blocking=False):
            raise Overloaded
        try:
            name, rejects, segment = await asyncio.to_thread(self._write, child, rows)
            earlier = self._known.get((child.name, batch))
            if earlier not in (None, name):
                raise Conflict(f"batch {batch} of {child.name} is stored already with other rows; send a new id")
            if segment is not None and earlier is None:
                await self._commit(child, batch, name, segment, by)
        finally:
            self._busy.release()
        rejected = rejects.table().to_pylist()
        return {"table": child.name, "batch": batch, "rows": len(rows), "accepted": len(rows) - len(rejected),
                "repeated": earlier is not None, "rejected": rejected}  # fmt: skip

    def _write(self, child: Child, rows: Sequence[object]) -> tuple[str, Rejects, pa.Table | None]:
        """Write a batch's good rows to a segment, which counts for nothing yet."""
        stores = self._desk.stores
        good, rejects = parse_batch(child, rows, stores.pseudonyms)
        if not len(good):
            return NOTHING, rejects, None
        written = stores.rows.write(child, [good])
        rejects.add(np.array(written.twice, dtype=np.int64), reject("+".join(child.key), "unique_row"))
        return written.name, rejects, stores.rows.read(written.name)

    async def _commit(self, child: Child, batch: str, name: str, segment: pa.Table, by: str) -> None:
        """Name a segment in the log: decisions from there on see its rows."""
        desk = self._desk
        if sum(table == child.name for table, _ in self._known) >= MOST_BATCHES:
            raise InputError(f"{child.name} has {MOST_BATCHES:,} batches, the bound; "
                             "take further rows in with `weigh ingest --table`, as one file")  # fmt: skip

        def count() -> None:
            desk.intake.rollups.add(child.name, desk.stores.log.head().seq, segment)
            self._known[child.name, batch] = name

        told = {"table": child.name, "name": name, "rows": len(segment), "batch": batch}
        await desk.outcome(desk.submit_note(ROWS, told, count, by))


def _read(body: dict[str, Any]) -> tuple[str, list[object]]:
    for name in body:
        if name not in ("batch", "rows"):
            raise unknown(name)
    batch, rows = body.get("batch"), body.get("rows")
    if not isinstance(batch, str) or not 1 <= len(batch) <= LONGEST_ID:
        raise reject("batch", "type", f"text of 1 to {LONGEST_ID} characters")
    if not isinstance(rows, list):
        raise reject("rows", "type", f"a list of rows, not {json_type(rows)}")
    if not rows:
        raise reject("rows", "required")
    if len(rows) > MOST_ROWS:
        told = f"rows: send at most {MOST_ROWS:,} at once, not {len(rows):,}"
        raise Problem(413, told, field="rows", rule="longest")
    return batch, rows

"""State and log: rebuild, checkpoint, and what a durable decision costs alone and in groups."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from weighbridge.bench.workload import CASE, PAYMENT, START_US, Figure, best
from weighbridge.clock import DAY_US
from weighbridge.kernel.plan import compile_plan
from weighbridge.records import Decided, DecisionRecord, EventRecord
from weighbridge.stores.database import Database
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.state import MemoryState
from weighbridge.stores.tables import LABELS

GROUPS = (1, 8, 64)
COMMITTED = 640  # events of each measured kind
SLOW_DISK_US = 4_000.0


def state(events: int, folder: Path) -> Iterator[Figure]:
    """Yield how fast a state is rebuilt from the log's tables, and what its checkpoint costs."""
    table, plan = _events(events), compile_plan(CASE)
    state = MemoryState(plan)
    state.load(table.slice(0, 100), LABELS.empty_table(), lambda _: None)  # loads the kernels
    state = MemoryState(plan)
    seconds = best(lambda: state.load(table, LABELS.empty_table(), lambda _: None), 1)
    yield Figure("state", f"rebuild from the log, {events:,} events", events / seconds, "events/s and core")
    path = folder / "checkpoint"
    saved = best(lambda: state.save(path, events), 1, time.perf_counter)
    yield Figure("state", f"checkpoint of {events:,} events: write", saved, "s")
    yield Figure("state", f"checkpoint of {events:,} events: size", path.stat().st_size / 1e6, "MB")
    loaded = best(lambda: MemoryState(plan).restore(path, events), 2, time.perf_counter)
    yield Figure("state", f"checkpoint of {events:,} events: load", loaded, "s")
    path.unlink()


def _events(count: int) -> pa.Table:
    rng = np.random.default_rng(11)
    at_us = START_US + np.arange(count) * (25 * DAY_US // count)
    return pa.table({
        "seq": np.arange(1, count + 1), "event_id": pa.array(np.arange(count)).cast(pa.string()),
        "event_us": at_us, "arrived_us": at_us,
        "card": pa.array(rng.integers(0, max(count // 50, 1), count)).cast(pa.string()),
        "amount": rng.integers(0, 500_001, count),
    })  # fmt: skip


def commit(folder: Path) -> Iterator[Figure]:
    """Yield microseconds an event of event and decision in one durable write, beside this disk's own cost of a sync."""
    sync_us = _sync_us(folder)
    yield Figure("commit", "one fdatasync of 4 KiB on this disk", sync_us, "us")
    for acknowledge in ("synced", "written"):
        for size in GROUPS:
            with tempfile.TemporaryDirectory(dir=folder) as name:
                database = Database(Path(name) / "hot.sqlite", acknowledge)
                log, groups = SqliteLog(database, PAYMENT, Path(name) / "log"), _groups(size)
                begun = time.perf_counter()
                for group in groups:
                    log.commit(group)
                us = (time.perf_counter() - begun) / (len(groups) * size) * 1e6
                database.close()
            yield Figure("commit", f"{acknowledge}, groups of {size}", us, "us an event")
            if size == GROUPS[-1] and acknowledge == "written":
                slow = us + SLOW_DISK_US / size
                yield Figure("commit", f"groups of {size} on a disk with 4 ms a sync (computed)", slow, "us an event")


def _groups(size: int) -> list[list[Decided]]:
    def one(number: int) -> Decided:
        event = EventRecord(f"e{number}", number, number, (f"c{number % 100}", number))
        decision = DecisionRecord(
            f"d{number}", f"e{number}", "b" * 64, bytes(120), 0.25, "low", "approve", (), (), number, 20, "trace"
        )
        return event, decision

    return [[one(first + number) for number in range(size)] for first in range(0, COMMITTED, size)]


def _sync_us(folder: Path) -> float:
    with tempfile.NamedTemporaryFile(dir=folder) as file:

        def once() -> None:
            file.write(bytes(4_096))
            file.flush()
            os.fdatasync(file.fileno())

        return float(np.median([best(once, 1, time.perf_counter) for _ in range(40)])) * 1e6

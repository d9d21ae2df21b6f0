"""History to vectors: CPU time beside the peers, two cores, growth, and memory of a build in parts."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from weighbridge.bench.peers import NAMES, cpu_seconds, installed
from weighbridge.bench.workload import CASE, Figure, best, sample
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import Columns, replay
from weighbridge.loop.parts import row_bytes, vectors_in_parts
from weighbridge.loop.report import silent
from weighbridge.ports import LAST, Budget
from weighbridge.stores.files import ParquetTables

Told = Callable[[str], None]
STREAM_BYTES = 24 << 20  # the budget of a build in parts: the smallest size has to be more than one, too
LATE = 0.05


def offline(sizes: Sequence[int], told: Told) -> Iterator[Figure]:
    """Yield ours and the peers' CPU microseconds a row on one core, two cores, late arrivals and growth."""
    plan, seconds = compile_plan(CASE), {}
    replay(plan, sample(1_000, LATE))  # kernels are compiled or loaded before anything is timed
    for rows in sizes:
        columns = sample(rows)
        told(f"replaying {rows:,} rows")
        seconds[rows] = best(lambda columns=columns: replay(plan, columns), 3)  # type: ignore[misc]
        yield Figure("history", f"{rows:,} rows x 30 features", rows / seconds[rows], "rows/s and core")
        for name in installed():
            told(f"{NAMES[name]}: {rows:,} rows")
            theirs = cpu_seconds(name, rows)
            yield Figure("history", f"{rows:,} rows x 30 features", rows / seconds[rows], "rows/s and core",
                         NAMES[name], rows / theirs, theirs / seconds[rows])  # fmt: skip
    columns = sample(max(sizes))
    if (os.cpu_count() or 1) > 1:
        told("two cores")
        one, two = (best(lambda n=n: replay(plan, columns, cores=n), 3, time.perf_counter) for n in (1, 2))  # type: ignore[misc]
        yield Figure("history", "two cores beside one, by the clock", one / two, "x")
    told("late arrivals")
    rows, some = max(sizes), sample(max(sizes), LATE)
    late = best(lambda: replay(plan, some), 3)
    yield Figure("history", f"{rows:,} rows, 5 % of them late", rows / late, "rows/s and core",
                 "the same, none late", rows / seconds[rows], seconds[rows] / late)  # fmt: skip
    if len(sizes) > 1:
        grown = _exponent(min(sizes), seconds[min(sizes)], max(sizes), seconds[max(sizes)])
        yield Figure("history", f"growth of time, {min(sizes):,} to {max(sizes):,} rows", grown, "exponent")


def streamed(sizes: Sequence[int], told: Told) -> Iterator[Figure]:
    """Yield memory beyond input and time of a build in parts, each size in a process of its own."""
    found = {}
    for rows in sizes:
        told(f"building {rows:,} rows in parts")
        words = [sys.executable, "-m", "weighbridge.bench.history", str(rows)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
        found[rows] = json.loads(done.stdout.splitlines()[-1])
        parts = f"{rows:,} rows in {found[rows]['parts']} parts, to Parquet"
        yield Figure("build", f"{parts}: memory beyond input", found[rows]["memory_mb"], "MB")
        yield Figure("build", f"{parts}: CPU", found[rows]["cpu_us"], "us a row")
    if len(sizes) > 1:
        low, high = min(sizes), max(sizes)
        for name in ("memory_mb", "cpu_s"):
            grown = _exponent(low, found[low][name], high, found[high][name])
            yield Figure("build", f"growth of {name}, {low:,} to {high:,} rows", grown, "exponent")


def _exponent(low: int, at_low: float, high: int, at_high: float) -> float:
    return math.log(at_high / at_low) / math.log(high / low)


class GeneratedLog:
    """The events of a sample as a log gives them: what a build in parts asks for."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def events(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return the events with after < seq <= until."""
        c, part = self._columns, slice(after, min(until, len(self._columns)))
        seq = pa.array(c.seq[part])
        return pa.table({
            "seq": seq, "event_id": seq.cast(pa.string()), "event_us": c.event_us[part], "arrived_us": c.event_us[part],
            "card": pa.array(c.values[part, 0]).cast(pa.string()), "amount": c.values[part, 1],
        })  # fmt: skip

    def labels(self, after: int = 0, until: int = LAST) -> pa.Table:
        """Return no labels: nothing asks for them."""
        raise NotImplementedError


def _build_in_parts(rows: int) -> dict[str, float]:
    columns, plan = sample(rows), compile_plan(CASE)
    replay(plan, sample(1_000))
    parts = max(2, 1 + rows * row_bytes(plan) // STREAM_BYTES)
    schema = pa.schema([("seq", pa.int64()), *((name, pa.float32()) for name in CASE.feature_names)])
    peak, done = [_resident_mb()], threading.Event()
    before_mb, begun = peak[0], time.process_time()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], _resident_mb())

    watching = threading.Thread(target=watch)
    watching.start()
    with tempfile.TemporaryDirectory() as folder:
        budget = Budget(STREAM_BYTES, 1, Path(folder))
        pieces = vectors_in_parts(plan, GeneratedLog(columns), rows, parts, budget, silent)  # type: ignore[arg-type]
        batches = (
            batch
            for events, vectors, _ in pieces
            for batch in pa.table([events["seq"], *map(pa.array, vectors.T)], schema=schema).to_batches()
        )
        ParquetTables(Path(folder)).put("vectors", pa.RecordBatchReader.from_batches(schema, batches))
    done.set()
    watching.join()
    cpu_s = time.process_time() - begun
    return {"parts": parts, "memory_mb": peak[0] - before_mb, "cpu_s": cpu_s, "cpu_us": cpu_s / rows * 1e6}


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


if __name__ == "__main__":
    print(json.dumps(_build_in_parts(int(sys.argv[1]))))

"""Seven related tables: to take their rows in, to build all applications' rollups, and to work out those of one."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from weighbridge.bench.workload import Figure
from weighbridge.clock import ManualClock
from weighbridge.declare import (
    Category,
    Child,
    Contract,
    Feature,
    Id,
    Integer,
    Key,
    Label,
    Money,
    UseCase,
    above,
    equal,
    lightgbm,
    minus,
    ratio,
    value,
)
from weighbridge.declare.features import flatten
from weighbridge.identity import Draws, Pseudonyms
from weighbridge.kernel.plan import compile_plan
from weighbridge.loop.build import build, table_name
from weighbridge.loop.children import ingest_rows
from weighbridge.loop.ingest import ingest
from weighbridge.ports import Budget, Stores
from weighbridge.records import EventRecord
from weighbridge.score.rollups import rollups_of
from weighbridge.score.signing import HomeSigner
from weighbridge.stores.database import Database
from weighbridge.stores.files import ParquetTables
from weighbridge.stores.locks import MemoryLocks
from weighbridge.stores.memory import MemoryBundles, MemoryKeys, MemoryShadows
from weighbridge.stores.rows import FolderRows
from weighbridge.stores.sqlite_audit import SqliteAudit
from weighbridge.stores.sqlite_log import SqliteLog
from weighbridge.stores.sqlite_registry import SqliteRegistry, SqliteTracker
from weighbridge.stores.state import MemoryState

MEMORY_MB = 1_024  # the declared budget
PIECE = 65_536
ASKED = 2_000  # applications that are worked out one by one
ROWS = {"bureau": 5, "balance": 30, "previous": 5, "pos": 20, "card": 10, "payments": 30}  # an application's, as real
STATES = ("active", "closed", "sold", "bad")


def _child(name: str, unique: str | None = None, of: Child | None = None) -> Child:
    """Return a table with two days, three amounts and a state; `of` gives it a parent."""
    days = [Integer(day, at_least=-3_000, at_most=0) for day in ("day", "due_day")]
    amounts = [Money(amount, at_least=0, at_most=1e8) for amount in ("paid", "due", "limit")]
    keys = [Key("loan")] if of else [Key("person"), *([Key(unique)] if unique else [])]
    return Child(
        name, [*keys, *days, *amounts, Category("state", one_of=STATES)], by="loan" if of else "person", of=of,
        unique=unique, derived=[minus("paid", "due", name="short"), minus("day", "due_day", name="late")],
    )  # fmt: skip


def _features(child: Child) -> Iterator[Feature]:
    """Yield sixteen rollups of a table."""
    made = [
        child.count(), child.count(last=["365d", "1095d"], on="day"), child.share(where=equal("state", "active")),
        child.sum("short"), child.max("late"), child.count(where=above("late", 0)), child.distinct("state"),
        child.latest("state", order="day"), child.mean("paid", last=["365d", "1095d"], on="day"), child.std("paid"),
        child.min("day"), child.max("limit", where=equal("state", "active")), child.sum("due"), child.mean("limit"),
    ]  # fmt: skip
    yield from flatten(made)


BUREAU = _child("bureau", "loan")
CHILDREN = [
    BUREAU,
    _child("balance", of=BUREAU),
    _child("previous", "loan"),
    *map(_child, ("pos", "card", "payments")),
]
CASE = UseCase(
    "bench_rollups",
    events=Contract("application", [Id("person"), Money("asked", at_least=0, at_most=1e7)]),
    children=CHILDREN,
    features=[
        value("asked"), ratio("asked", BUREAU.sum("due", name="owed")), *(f for c in CHILDREN for f in _features(c)),
    ],
    label=Label("bad", matures="0d"),
    models=[lightgbm()],
)  # fmt: skip


def rollups(applications: int, told: Callable[[str], None]) -> Iterator[Figure]:
    """Yield minutes and memory of so many applications with a hundred child rows each, in a process of its own."""
    told(f"{applications:,} applications with {applications * sum(ROWS.values()):,} child rows")
    words = [sys.executable, "-m", "weighbridge.bench.rollups", str(applications)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    found = json.loads(done.stdout.splitlines()[-1])
    shape = f"{applications:,} applications, {found['rows']:,} child rows of 6 tables"
    for name, unit, what in (
        ("ingest_s", "s", "ingest"), ("ingest_mb", "MB", "ingest: memory beyond input"),
        ("build_s", "s", f"build of {found['rollups']} rollups"), ("build_mb", "MB", "build: memory beyond input"),
        ("p50_us", "us", "rollups of one application, p50"), ("p95_us", "us", "rollups of one application, p95"),
    ):  # fmt: skip
        yield Figure("rollups", f"{shape}: {what}", found[name], unit)
    yield Figure("rollups", f"{ASKED:,} single vectors that differ from the build's", found["differing"], "")


def _measured(applications: int, folder: Path) -> dict[str, float]:
    stores, clock = _stores(folder), ManualClock(1_700_000_000_000_000)
    rng, plan = np.random.default_rng(7), compile_plan(CASE)
    with _Watch() as taking:
        rows = sum(_take(stores, clock, child, applications, rng) for child in CHILDREN)
    people, asked = pa.array(np.arange(applications)).cast(pa.string()), rng.integers(1, 10**6, applications)
    ingest(CASE, stores, clock, pa.table({"person": people, "asked": asked}))
    with _Watch() as building:
        build(CASE, stores, clock)
    built = stores.tables.get(table_name(CASE))
    assert built is not None
    places = rng.integers(0, applications, ASKED)
    vectors = np.stack([built[name].to_numpy()[places] for name in CASE.feature_names], axis=1)
    events = [EventRecord(str(place), 0, 0, (int(asked[place]) * 100,)) for place in places]
    online, state, seconds, differing = rollups_of(plan, stores), MemoryState(plan), list[float](), 0
    state.vector(online.of(events[0]))  # kernels are compiled or loaded before anything is timed
    for event, vector in zip(events, vectors, strict=True):
        begun = time.perf_counter()
        worked_out = online.of(event)
        seconds.append(time.perf_counter() - begun)
        differing += int(state.vector(worked_out) != vector.tobytes())
    p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1e6
    return {
        "rows": rows, "rollups": len(plan.rollups), "ingest_s": taking.seconds, "ingest_mb": taking.grown_mb,
        "build_s": building.seconds, "build_mb": building.grown_mb, "p50_us": p50, "p95_us": p95,
        "differing": differing,
    }  # fmt: skip


def _take(stores: Stores, clock: ManualClock, child: Child, applications: int, rng: np.random.Generator) -> int:
    """Take in a generated table piece by piece; return its number of rows."""
    rows = applications * ROWS[child.name]
    owners = applications * (ROWS["bureau"] if child.of else 1)

    def pieces() -> Iterator[pa.Table]:
        for first in range(0, rows, PIECE):
            n = min(PIECE, rows - first)
            columns = {child.by: pa.array(rng.integers(0, owners, n)).cast(pa.string())}
            if child.row_key:
                columns[child.row_key] = pa.array(np.arange(first, first + n)).cast(pa.string())
            columns |= {day: pa.array(-rng.integers(0, 3_000, n)) for day in ("day", "due_day")}
            columns |= {name: pa.array(rng.integers(0, 10**8, n) / 100) for name in ("paid", "due", "limit")}
            states = pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, len(STATES), n)), list(STATES))
            yield pa.table({**columns, "state": states})

    return int(ingest_rows(CASE, stores, clock, child.name, pieces()).figures["accepted"])


class _Watch:
    """Seconds and the most memory that a block takes beyond what was there; files mapped into it are input."""

    def __enter__(self) -> _Watch:
        self._before, self._peak, self._done = _anonymous_mb(), 0.0, threading.Event()
        self._begun, self._thread = time.perf_counter(), threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, _anonymous_mb())

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.seconds, self.grown_mb = time.perf_counter() - self._begun, max(self._peak - self._before, 0.0)


def _anonymous_mb() -> float:
    """Return the memory of this process that is no file's, MB."""
    _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
    return (int(resident) - int(shared)) * resource.getpagesize() / 1e6


def _stores(folder: Path) -> Stores:
    database = Database(folder / "hot.sqlite", "written")
    audit = SqliteAudit(database)
    return Stores(
        SqliteLog(database, CASE.events, folder / "log"), ParquetTables(folder / "tables"), SqliteRegistry(database),
        SqliteTracker(database), MemoryBundles(), HomeSigner(b"b" * 32), Pseudonyms(b"b" * 32), Draws(b"d" * 32),
        MemoryKeys(), audit, MemoryShadows(), MemoryLocks(),
        FolderRows(folder / "rows", MEMORY_MB << 20), folder / "reports",
        Budget(MEMORY_MB << 20, os.cpu_count() or 1, folder),
    )  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as place:
        print(json.dumps(_measured(int(sys.argv[1]), Path(place))))

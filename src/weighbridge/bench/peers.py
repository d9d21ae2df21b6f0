"""The same thirty columns by pandas, Polars and DuckDB, on one core each.

`python -m weighbridge.bench.peers NAME ROWS` checks and times one of them.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from weighbridge.bench.workload import CASE, KINDS, WINDOWS, sample
from weighbridge.clock import DAY_US
from weighbridge.errors import InputError
from weighbridge.kernel.arrays import Floats, Vectors
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import Columns, replay

CHECKED_ROWS = 3_000


def of_pandas(columns: Columns, closed: str = "neither") -> Floats:
    """`groupby.rolling` with a time offset."""
    import pandas as pd

    frame = pd.DataFrame(
        {"card": columns.values[:, 0], "amount": columns.values[:, 1] / 100},
        index=pd.to_datetime(columns.event_us, unit="us"),
    )
    found = []
    for window in WINDOWS:
        rolled = frame.groupby("card")["amount"].rolling(window.replace("d", "D"), closed=closed)
        found += [getattr(rolled, kind)().to_numpy() for kind in KINDS]
    return np.column_stack(found)


def of_polars(columns: Columns) -> Floats:
    """`rolling(...).agg`, the faster of its two forms for six aggregates of one window."""
    import polars as pl

    frame = pl.DataFrame(
        {"card": columns.values[:, 0], "amount": columns.values[:, 1] / 100,
         "at": pl.Series(columns.event_us).cast(pl.Datetime("us"))}
    )  # fmt: skip
    x, found = pl.col("amount"), []
    for window in WINDOWS:
        aggregates = [x.len().alias("count"), *(getattr(x, kind)().alias(kind) for kind in KINDS[1:])]
        rolled = frame.rolling("at", period=window, closed="none", group_by="card").agg(aggregates)
        found += [rolled[kind].to_numpy() for kind in KINDS]
    order = np.lexsort((rolled["at"].to_numpy(), rolled["card"].to_numpy()))
    return np.column_stack(found)[order]


def of_duckdb(columns: Columns) -> Floats:
    """`RANGE` windows, all in one query."""
    import duckdb
    import pyarrow as pa

    history = pa.table({"card": columns.values[:, 0], "amount": columns.values[:, 1] / 100, "moment": columns.event_us})
    unit = {"h": DAY_US // 24, "d": DAY_US}
    frames, selected = list[str](), list[str]()
    for window in WINDOWS:
        beyond = int(window[:-1]) * unit[window[-1]] - 1
        edges = f"range between {beyond} preceding and 1 preceding"
        frames.append(f"w{window} as (partition by card order by moment {edges})")
        called = ("count(*)", "sum(amount)", "avg(amount)", "stddev_samp(amount)", "min(amount)", "max(amount)")
        selected += [f"{call} over w{window} as c{len(selected) + n}" for n, call in enumerate(called)]
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.register("history", history)
        connection.execute(
            f"create table found as select card, moment, {', '.join(selected)} from history window {', '.join(frames)}"
        )
        if len(columns) > CHECKED_ROWS:  # the table is the answer; reading it back is not timed
            return np.zeros((0, len(selected)))
        rows = connection.execute("select * exclude (card, moment) from found order by card, moment").fetchall()
    return np.array(rows, dtype=np.float64)


PEERS: dict[str, Callable[[Columns], Floats]] = {"pandas": of_pandas, "polars": of_polars, "duckdb": of_duckdb}
NAMES = {"pandas": "pandas groupby.rolling", "polars": "Polars rolling", "duckdb": "DuckDB RANGE windows"}


def installed() -> list[str]:
    """Return the peers that are installed here."""
    return [name for name in PEERS if importlib.util.find_spec(name)]


def check(name: str, call: Callable[[Columns], Floats]) -> None:
    """Compare a peer's columns with ours on a small sample. Raises InputError when it computes something else."""
    columns = sample(CHECKED_ROWS)
    ours = by_key(columns, replay(compile_plan(CASE), columns))
    theirs = np.nan_to_num(call(columns))
    if theirs.shape != ours.shape or not np.allclose(np.nan_to_num(ours), theirs, rtol=1e-3, atol=0.05):
        raise InputError(f"{name} computes other features than ours; it cannot be compared")


def by_key(columns: Columns, vectors: Vectors) -> Floats:
    """Return vectors sorted by key and time, window by window as the peers give them, float64[rows, 30]."""
    order = np.lexsort((columns.event_us, columns.values[:, 0]))
    places = [kind * len(WINDOWS) + window for window in range(len(WINDOWS)) for kind in range(len(KINDS))]
    return vectors[order][:, places].astype(np.float64)


def cpu_seconds(name: str, rows: int) -> float:
    """Return the CPU seconds that a peer takes, in a process of its own with one thread."""
    words = [sys.executable, "-m", "weighbridge.bench.peers", name, str(rows)]
    threads = [f"{library}_NUM_THREADS=1" for library in ("OMP", "OPENBLAS", "MKL")] + ["POLARS_MAX_THREADS=1"]
    done = subprocess.run(["/usr/bin/env", *threads, *words], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise InputError(f"{name} failed: {done.stderr.strip().splitlines()[-1]}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def main(name: str, rows: int) -> None:
    """Check a peer and print the CPU seconds it takes."""
    check(name, PEERS[name])
    columns = sample(rows)
    begun = time.process_time()
    PEERS[name](columns)
    print(json.dumps(time.process_time() - begun))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""History to exact window features, beside peers measured in the same run: `make bench ARGS="--rows 100000 --json"`.

Every line is a ratio: how many times longer the peer takes for the same columns on the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # one core each: ours, theirs

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from weighbridge.clock import DAY_US
from weighbridge.declare import Contract, Id, Key, Label, Money, Time, UseCase, lightgbm
from weighbridge.kernel.plan import compile_plan
from weighbridge.kernel.replay import Columns, replay
from weighbridge.kernel.step import History, step

WINDOWS = ("1d", "7d", "30d")
KINDS = ("count", "mean", "std", "max")
PAYMENT = Contract("payment", [Id("id"), Time("at"), Key("card"), Money("amount", at_least=0, at_most=5_000)])
CARD = PAYMENT.by("card")
CASE = UseCase(
    "bench", events=PAYMENT, label=Label("bad", matures="7d"), models=[lightgbm()],
    features=[CARD.count(last=WINDOWS), CARD.mean("amount", last=WINDOWS), CARD.std("amount", last=WINDOWS),
              CARD.max("amount", last=WINDOWS)],
)  # fmt: skip


def sample(rows: int) -> Columns:
    rng, none = np.random.default_rng(7), np.zeros(0, dtype=np.int64)
    at_us = np.sort(rng.choice(180 * DAY_US, rows, replace=False)) + 1_700_000_000_000_000
    values = np.stack([rng.integers(0, max(rows // 100, 1), rows), rng.integers(0, 500_001, rows)], axis=1)
    return Columns(np.arange(rows), at_us, values, none, none, none)


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def of_pandas(columns: Columns) -> None:
    frame = pd.DataFrame({"card": columns.values[:, 0], "amount": columns.values[:, 1] / 100},
                         index=pd.to_datetime(columns.event_us, unit="us"))  # fmt: skip
    for window in WINDOWS:
        rolled = frame.groupby("card")["amount"].rolling(window.replace("d", "D"), closed="neither")
        for kind in KINDS:
            getattr(rolled, kind)()


def of_polars(columns: Columns) -> None:
    frame = pl.DataFrame({"card": columns.values[:, 0], "amount": columns.values[:, 1] / 100,
                          "at": pl.Series(columns.event_us).cast(pl.Datetime("us"))})  # fmt: skip
    amount = pl.col("amount")
    for window in WINDOWS:
        frame.rolling("at", period=window, closed="none", group_by="card").agg(
            amount.len().alias("n"), amount.mean().alias("mean"), amount.std().alias("std"), amount.max().alias("max")
        )


def of_duckdb(columns: Columns) -> None:
    history = pd.DataFrame(
        {"card": columns.values[:, 0], "amount": columns.values[:, 1] / 100, "moment": columns.event_us}
    )
    frames, selected = [], []
    for window in WINDOWS:
        edges = f"range between {int(window[:-1]) * DAY_US - 1} preceding and 1 preceding"
        frames.append(f"w{window} as (partition by card order by moment {edges})")
        selected += [f"{f} over w{window}" for f in ("count(*)", "avg(amount)", "stddev_samp(amount)", "max(amount)")]
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.register("history", history)
        connection.execute(
            f"create table found as select {', '.join(selected)} from history window {', '.join(frames)}"
        )


def online(columns: Columns, length: int) -> float:
    """Microseconds to read a history of a length, compute the vector and take the event in."""
    plan, history = compile_plan(CASE), History.new(compile_plan(CASE).entities[0])
    for row in range(length):
        history.add(plan.entities[0], int(columns.event_us[row]), row, -1, columns.values[row])
    count = 2_000

    def events() -> None:
        for row in range(length, length + count):
            step(plan, int(columns.event_us[row]), columns.values[row], [history])
            history.add(plan.entities[0], int(columns.event_us[row]), row, -1, columns.values[row])

    return seconds(events) / count * 1e6


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rows", type=int, default=100_000)
    reader.add_argument("--json", action="store_true", help="print one JSON object")
    options = reader.parse_args()
    plan, columns = compile_plan(CASE), sample(options.rows)
    replay(plan, sample(1_000))  # kernels are compiled or loaded before anything is timed
    ours = min(seconds(lambda: replay(plan, columns)) for _ in range(3))
    figures: dict[str, float] = {
        "rows": options.rows,
        "features": len(CASE.vector),
        "ours_rows_per_second": options.rows / ours,
    }
    for name, peer in (("pandas", of_pandas), ("polars", of_polars), ("duckdb", of_duckdb)):
        figures[f"times_{name}"] = seconds(lambda peer=peer: peer(columns)) / ours
    for length in (10, 1_000, 10_000):
        figures[f"online_us_at_{length}"] = online(sample(length + 2_000), length)
    if options.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:<24} {figure:>14,.1f}")


if __name__ == "__main__":
    main()

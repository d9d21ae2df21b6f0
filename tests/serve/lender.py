"""The home of a lender whose loans tell who pays, trained and in production."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from tests.conftest import START_US, memory_stores
from tests.lending import CASE, LOANS, MONTHS, PAYMENTS, table_of_rows
from weighbridge.clock import DAY_US, ManualClock, us_to_iso
from weighbridge.loop.build import build
from weighbridge.loop.children import ingest_rows
from weighbridge.loop.gate import gate
from weighbridge.loop.ingest import ingest
from weighbridge.loop.promote import promote
from weighbridge.loop.train import train
from weighbridge.stores.rows import FolderRows

PEOPLE = 400


def lender(folder):
    """Stores and their clock: child rows came first, then applications."""
    stores = replace(memory_stores(CASE, folder), rows=FolderRows(folder / "rows", 64 << 20))
    clock, rng = ManualClock(START_US + 30 * DAY_US), np.random.default_rng(5)
    many = rng.integers(0, 6, PEOPLE)
    loans = [{"applicant": f"p{p}", "loan": f"l{p}-{n}", "day": -int(rng.integers(0, 900)), "state": "open",
              "owed": float(rng.integers(0, 10**7)) / 100} for p in range(PEOPLE) for n in range(many[p])]  # fmt: skip
    months = [{"loan": row["loan"], "month": -1, "status": "C"} for row in loans[::2]]
    paid = [{"number": f"e{p}", "paid": 1.5, "due": 2.125, "paid_on": -1, "due_on": -3} for p in range(0, PEOPLE, 3)]
    for child, rows in ((LOANS, loans), (MONTHS, months), (PAYMENTS, paid)):
        ingest_rows(CASE, stores, clock, child.name, [table_of_rows(child, rows)])
    table = pa.table({
        "number": [f"e{p}" for p in range(PEOPLE)], "person": [f"p{p}" for p in range(PEOPLE)],
        "asked": rng.integers(1, 10**6, PEOPLE).astype(np.float64),
        "bad": (rng.random(PEOPLE) < 0.1 + 0.15 * many).astype(np.int64),
        "seen": [us_to_iso(START_US + p * DAY_US // 20) for p in range(PEOPLE)],
    })  # fmt: skip
    ingest(CASE, stores, clock, table, mapping={"arrived": "seen"})
    build(CASE, stores, clock)
    train(CASE, stores, clock)
    gate(CASE, stores, clock)
    promote(CASE, stores, clock)
    return stores, clock

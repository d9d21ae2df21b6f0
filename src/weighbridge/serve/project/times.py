"""Which columns hold times: those that `weigh ingest` reads, and those in a form that it does not read."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.declare.contract import ARRIVED
from weighbridge.kernel.arrays import Bools, Ints
from weighbridge.kernel.table_check import TableCheck

LEAST_READ = 0.9  # of the rows, for the time of a contract
FIRST = 20
WRITTEN = re.compile(r"(\d{1,2}([./-])\d{1,2}\2\d{4}|\d{1,2}/\d{1,2}/\d{2}|\d{4}([./-])\d{1,2}\3\d{1,2}|"
                     r"\d{1,2}[ -][A-Za-z]{3,9}\.?[ -]\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4})([T ,].*)?")  # fmt: skip


@dataclass(frozen=True)
class Times:
    """A column's times: microseconds UTC, 0 where `good` is false, and why the first other value is no time."""

    us: Ints
    good: Bools
    fault: str

    @property
    def usual(self) -> bool:
        """Whether nearly every row has a time."""
        return bool(self.good.mean() >= LEAST_READ)


def times_of(values: pa.Array) -> Times | None:
    """Return a column's times as `weigh ingest` reads them; None for a column that does not look like times."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        first = values.drop_null().slice(0, FIRST)
        dates = sum(WRITTEN.fullmatch(text) is not None for text in first.to_pylist())
        if dates < LEAST_READ * len(first) and not _read(first).good.any():
            return None
        found = _read(values)
        return found if found.usual or dates >= LEAST_READ * len(first) else None
    return _read(values) if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type) else None


def _read(values: pa.Array) -> Times:
    check = TableCheck(pa.table({"time": values}), {})
    us = check.times(ARRIVED, "time", "time")
    told = zip(check.rejects.rules, check.rejects.details, strict=True)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):  # digits alone are a number
        check.good &= pc.match_substring_regex(values, "[-:]").fill_null(False).to_numpy(zero_copy_only=False)
    return Times(np.where(check.good, us, 0), check.good, next((why for rule, why in told if rule != "required"), ""))

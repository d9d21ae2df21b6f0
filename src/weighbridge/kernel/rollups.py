"""What each rollup means: one float64 formula on exact integers, written once, for a table and for one event."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Floats, Ints
from weighbridge.kernel.formulas import wide_product

RollOp = IntEnum("RollOp", ("TOTAL", "MEAN", "STD", "VALUE", "SHARE"), start=0)
OPERATION = {
    "count": RollOp.TOTAL, "sum": RollOp.TOTAL, "distinct": RollOp.TOTAL, "mean": RollOp.MEAN, "std": RollOp.STD,
    "min": RollOp.VALUE, "max": RollOp.VALUE, "latest": RollOp.VALUE, "share": RollOp.SHARE,
}  # fmt: skip


@njit(cache=True, nogil=True)
def wide_spread(n: int, total: int, high: int, low: int) -> float:
    """Return n * squares - total**2, exact in 128 bits, as float64; `high` and `low` are the halves of squares.

    It is n * (n - 1) times the sample variance (ddof = 1) of n integers, as `formulas.spread` is.
    """
    carried, low_1 = wide_product(np.uint64(n), np.uint64(low))
    high_1 = carried + np.uint64(n) * np.uint64(high)
    size = np.uint64(abs(total))
    high_2, low_2 = wide_product(size, size)
    borrow = np.uint64(1) if low_1 < low_2 else np.uint64(0)
    return float(high_1 - high_2 - borrow) * 18446744073709551616.0 + float(low_1 - low_2)


@njit(cache=True, nogil=True)
def rollup(operation: int, a: int, b: int, high: int, low: int, scale: float) -> float:
    """Return a rollup of its partials: what is undefined is one canonical NaN."""
    if operation == RollOp.TOTAL:
        return float(a) / scale
    if operation == RollOp.VALUE:
        return float(a) / scale if a != MISSING else np.nan
    if operation == RollOp.MEAN:
        return float(b) / (float(a) * scale) if a > 0 else np.nan
    if operation == RollOp.SHARE:
        return float(b) / float(a) if a > 0 else np.nan
    if a < 2:
        return np.nan
    return math.sqrt(wide_spread(a, b, high, low) / float(a * (a - 1))) / scale


@njit(cache=True, nogil=True)
def rollups(specs: Ints, scales: Floats, values: Ints, rows: int, registers: Floats) -> None:
    """Write the rollups of events to their registers.

    specs: int64[r, 6] (operation, register, four columns of values); scales: float64[r]; values: int64[>= rows, _].
    """
    for number in range(len(specs)):
        operation, out = specs[number, 0], registers[specs[number, 1]]
        a, b, high, low = specs[number, 2], specs[number, 3], specs[number, 4], specs[number, 5]
        for i in range(rows):
            out[i] = rollup(operation, values[i, a], values[i, b], values[i, high], values[i, low], scales[number])

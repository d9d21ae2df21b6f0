"""Row features: functions of events and of registers already filled, for many rows at once or for one."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from weighbridge.clock import DAY_US
from weighbridge.kernel.arrays import MISSING, Floats, Ints, Vectors
from weighbridge.kernel.plan import (
    ROLLUP_SCALES,
    ROLLUPS,
    ROW_OPS,
    ROW_OUT,
    ROW_PARAMETERS,
    SCALES,
    VECTOR,
    ZONE_OFFSETS,
    ZONE_TIMES,
    RowOp,
)
from weighbridge.kernel.program import count_of, table
from weighbridge.kernel.rollups import rollups

HOUR_US = DAY_US // 24


@njit(cache=True, nogil=True)
def reach(times: Ints, n: int, at_us: int) -> int:
    """Return how many of the first n rising times are <= at_us."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if times[middle] <= at_us:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def calendar(operation: int, local_us: int, start: int, end: int) -> float:
    """Hour, weekday and what follows from them, of a local time in microseconds."""
    hour = (local_us % DAY_US) // HOUR_US
    weekday = (local_us // DAY_US + 3) % 7  # 1970-01-01 was a Thursday
    if operation == RowOp.HOUR_OF_DAY:
        return float(hour)
    if operation == RowOp.DAY_OF_WEEK:
        return float(weekday)
    if operation == RowOp.IS_WEEKEND:
        return 1.0 if weekday >= 5 else 0.0
    if operation == RowOp.IS_BUSINESS_HOURS and weekday >= 5:
        return 0.0
    return 1.0 if start <= hour < end else 0.0


@njit(cache=True, nogil=True)
def arithmetic(operation: int, a: float, b: float, c: float, parameters: Floats) -> float:
    """Value, logarithm, roundness, bucket, z-score, ratio and difference; what is undefined is one canonical NaN."""
    if math.isnan(a):
        return np.nan
    if operation == RowOp.VALUE:
        return a
    if operation == RowOp.LOG:
        return math.log(1.0 + a) if a > -1.0 else np.nan
    if operation == RowOp.IS_ROUND:
        return 1.0 if a / parameters[0] == math.floor(a / parameters[0]) else 0.0
    if operation == RowOp.BUCKET:
        reached = 0
        for number in range(len(parameters)):
            if a >= parameters[number]:
                reached += 1
        return float(reached)
    if math.isnan(b):
        return np.nan
    if operation == RowOp.ZSCORE:
        return (a - b) / c if not math.isnan(c) and c != 0.0 else np.nan
    if operation == RowOp.RATIO:
        return a / b if b != 0.0 else np.nan
    return a - b


@njit(cache=True, nogil=True)
def present(operation: int, a: float, b: float, c: float, parameters: Floats) -> float:
    """Whether a is missing, and the mean, the least and the most of those of two or three numbers that are there."""
    if operation == RowOp.IS_MISSING:
        return 1.0 if math.isnan(a) else 0.0
    total, there, least, most = 0.0, 0, np.nan, np.nan
    for place in range(int(parameters[0])):
        x = a if place == 0 else (b if place == 1 else c)
        if math.isnan(x):
            continue
        least = x if there == 0 or x < least else least
        most = x if there == 0 or x > most else most
        total += x
        there += 1
    if operation == RowOp.MEAN_OF:
        return total / there if there > 0 else np.nan
    return least if operation == RowOp.LEAST_OF else most


@njit(cache=True, nogil=True)
def load_fields(program: Ints, values: Ints, rows: int, registers: Floats) -> None:
    """Write the fields of events (int64[rows, f], stored) as float64 in major units; a missing one is NaN."""
    scales = table(program, SCALES)[0].view(np.float64)
    for field in range(len(scales)):
        for i in range(rows):
            value = values[i, field]
            registers[field, i] = np.nan if value == MISSING else float(value) / scales[field]


@njit(cache=True, nogil=True)
def row_features(program: Ints, event_us: Ints, rows: int, registers: Floats) -> None:
    """Fill the registers of the row features, in order."""
    if count_of(program, ROW_OPS) == 0:
        return
    ops, outs, every = table(program, ROW_OPS), table(program, ROW_OUT)[0], table(program, ROW_PARAMETERS)[0]
    parameters = every.view(np.float64)
    zone_times, zone_offsets = table(program, ZONE_TIMES), table(program, ZONE_OFFSETS)
    for number in range(len(ops)):
        operation, start, count, out = ops[number, 0], ops[number, 4], ops[number, 5], registers[outs[number]]
        mine = parameters[start : start + count]
        if operation >= RowOp.HOUR_OF_DAY:
            times, offsets = zone_times[ops[number, 6]], zone_offsets[ops[number, 6]]
            first, last = (int(mine[0]), int(mine[1])) if count == 2 else (0, 0)
            for i in range(rows):
                offset = offsets[reach(times, len(times), event_us[i]) - 1]
                out[i] = calendar(operation, event_us[i] + offset, first, last)
            continue
        a = registers[ops[number, 1]]
        b = registers[ops[number, 2]] if ops[number, 2] >= 0 else a
        c = registers[ops[number, 3]] if ops[number, 3] >= 0 else a
        if operation >= RowOp.IS_MISSING:
            for i in range(rows):
                out[i] = present(operation, a[i], b[i], c[i], mine)
            continue
        for i in range(rows):
            out[i] = arithmetic(operation, a[i], b[i], c[i], mine)


@njit(cache=True, nogil=True)
def finish(program: Ints, event_us: Ints, values: Ints, rows: int, registers: Floats) -> None:
    """Fill the registers of fields, rollups and row features beside those of the aggregates.

    event_us: int64[rows]; values: int64[rows, f]; registers: float64[registers, >= rows].
    """
    load_fields(program, values, rows, registers)
    if count_of(program, ROLLUPS):
        scales = table(program, ROLLUP_SCALES)[0].view(np.float64)
        rollups(table(program, ROLLUPS), scales, values, rows, registers)
    row_features(program, event_us, rows, registers)


@njit(cache=True, nogil=True)
def write_vector(program: Ints, registers: Floats, vector: Vectors) -> None:
    """Write the vector of the first row as float32."""
    picked = table(program, VECTOR)[0]
    for number in range(len(picked)):
        vector[number] = np.float32(registers[picked[number], 0])

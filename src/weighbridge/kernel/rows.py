"""Row features: functions of one event and of registers already filled. Written once, used by replay and step."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from weighbridge.clock import DAY_US
from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.history import reach
from weighbridge.kernel.plan import MISSING, RowOp

HOUR_US = DAY_US // 24


@njit(cache=True, nogil=True)
def load_fields(values: Ints, scales: Floats, registers: Floats) -> None:
    """Write an event's stored values as float64 in major units; a missing one is NaN."""
    for number in range(len(scales)):
        registers[number] = np.nan if values[number] == MISSING else float(values[number]) / scales[number]


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
def arithmetic(operation: int, a: float, b: float, c: float, parameters: Floats, start: int, count: int) -> float:
    """Value, logarithm, roundness, bucket, z-score, ratio and difference; what is undefined is one canonical NaN."""
    if math.isnan(a):
        return np.nan
    if operation == RowOp.VALUE:
        return a
    if operation == RowOp.LOG:
        return math.log(1.0 + a) if a > -1.0 else np.nan
    if operation == RowOp.IS_ROUND:
        return 1.0 if a / parameters[start] == math.floor(a / parameters[start]) else 0.0
    if operation == RowOp.BUCKET:
        reached = 0
        for number in range(start, start + count):
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
def row_features(
    event_us: int,
    row_ops: Ints,
    row_out: Ints,
    row_parameters: Floats,
    zone_times: Ints,
    zone_offsets: Ints,
    registers: Floats,
) -> None:
    """Fill the registers of the row features, in order."""
    for number in range(len(row_ops)):
        operation, start, count = row_ops[number, 0], row_ops[number, 4], row_ops[number, 5]
        if operation >= RowOp.HOUR_OF_DAY:
            zone = row_ops[number, 6]
            offset = zone_offsets[zone, reach(zone_times[zone], zone_times.shape[1], event_us) - 1]
            first = int(row_parameters[start]) if count == 2 else 0
            last = int(row_parameters[start + 1]) if count == 2 else 0
            registers[row_out[number]] = calendar(operation, event_us + offset, first, last)
            continue
        a = registers[row_ops[number, 1]]
        b = registers[row_ops[number, 2]] if row_ops[number, 2] >= 0 else 0.0
        c = registers[row_ops[number, 3]] if row_ops[number, 3] >= 0 else 0.0
        registers[row_out[number]] = arithmetic(operation, a, b, c, row_parameters, start, count)


@njit(cache=True, nogil=True)
def finish(
    event_us: int,
    values: Ints,
    scales: Floats,
    row_ops: Ints,
    row_out: Ints,
    row_parameters: Floats,
    zone_times: Ints,
    zone_offsets: Ints,
    picked: Ints,
    registers: Floats,
    vector: Vectors,
) -> None:
    """Fill the registers of fields and row features beside those of the aggregates; write the vector as float32."""
    load_fields(values, scales, registers)
    row_features(event_us, row_ops, row_out, row_parameters, zone_times, zone_offsets, registers)
    for number in range(len(picked)):
        vector[number] = np.float32(registers[picked[number]])

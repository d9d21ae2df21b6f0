"""Aggregates over the windows of one history, as of one decision: one function for replay and for one event.

Every sum is an integer; means and deviations are one float64 formula on exact integers, written once, here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.history import BITS, EVENT_US, FIELDS, LABEL, reach
from weighbridge.kernel.plan import (
    COUNT,
    HIGH_EDGE,
    LOW_EDGE,
    MISSING,
    OP,
    OUT,
    SELECTION,
    SQUARES,
    SUM,
    VALUE,
    Op,
)

_HALF = np.uint64(32)
_MASK = np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def wide_product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the 128-bit product of two uint64 as (high, low)."""
    a_high, a_low, b_high, b_low = a >> _HALF, a & _MASK, b >> _HALF, b & _MASK
    low, first, second, high = a_low * b_low, a_high * b_low, a_low * b_high, a_high * b_high
    middle = (low >> _HALF) + (first & _MASK) + (second & _MASK)
    return high + (first >> _HALF) + (second >> _HALF) + (middle >> _HALF), (middle << _HALF) | (low & _MASK)


@njit(cache=True, nogil=True)
def spread(n: int, total: int, squares: int) -> float:
    """Return n * squares - total**2, exact in 128 bits, as float64: high * 2**64 + low.

    It is n * (n - 1) times the sample variance (ddof = 1) of n integers.
    """
    high, low = wide_product(np.uint64(n), np.uint64(squares))
    size = np.uint64(abs(total))
    high_2, low_2 = wide_product(size, size)
    borrow = np.uint64(1) if low < low_2 else np.uint64(0)
    return float(high - high_2 - borrow) * 18446744073709551616.0 + float(low - low_2)


@njit(cache=True, nogil=True)
def between(line: Ints, low: int, high: int) -> int:
    """Return what a running sum grew by over the columns low to high."""
    if high <= low:
        return 0
    return line[high - 1] - (line[low - 1] if low > 0 else 0)


@njit(cache=True, nogil=True)
def chosen(rows: Ints, low: int, high: int, selection: int, line: int) -> Ints:
    """Return the values of a line in the window, those of the selection only."""
    found = np.empty(max(high - low, 0), dtype=np.int64)
    count = 0
    for place in range(low, high):
        if selection < 0 or (rows[BITS, place] >> selection) & 1:
            found[count] = rows[line, place]
            count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def moments(operation: int, rows: Ints, kept: int, low: int, high: int, spec: Ints, scale: float) -> float:
    """Count, sum, mean or std from running sums."""
    n = between(rows[FIELDS + kept + spec[COUNT]], low, high)
    if operation == Op.COUNT:
        return float(n)
    total = between(rows[FIELDS + kept + spec[SUM]], low, high)
    if operation == Op.SUM:
        return float(total) / scale
    if operation == Op.MEAN:
        return float(total) / (float(n) * scale) if n > 0 else np.nan
    if n < 2:
        return np.nan
    squares = between(rows[FIELDS + kept + spec[SQUARES]], low, high)
    return math.sqrt(spread(n, total, squares) / float(n * (n - 1))) / scale


@njit(cache=True, nogil=True)
def ordered(operation: int, found: Ints, scale: float, level: float) -> float:
    """Min, max or quantile of the chosen values; the quantile is type 7 of Hyndman and Fan (1996)."""
    n = len(found)
    if n == 0:
        return np.nan
    if operation == Op.MIN:
        return float(found.min()) / scale
    if operation == Op.MAX:
        return float(found.max()) / scale
    found.sort()
    rank = float(n - 1) * level
    below = math.floor(rank)
    above = min(below + 1, n - 1)
    return (float(found[below]) + (rank - float(below)) * float(found[above] - found[below])) / scale


@njit(cache=True, nogil=True)
def identities(operation: int, rows: Ints, low: int, high: int, spec: Ints, current: int) -> float:
    """Number of distinct values, or whether the current event's value was seen."""
    found = chosen(rows, low, high, spec[SELECTION], FIELDS + spec[VALUE])
    if operation == Op.DISTINCT:
        found.sort()
        count = 0
        for place in range(len(found)):
            if place == 0 or found[place] != found[place - 1]:
                count += 1
        return float(count)
    if current == MISSING:
        return np.nan
    for place in range(len(found)):
        if found[place] == current:
            return 1.0
    return 0.0


@njit(cache=True, nogil=True)
def labels(operation: int, rows: Ints, low: int, high: int, selection: int, at_us: int) -> float:
    """Labelled events, positive ones, their share, and the run of positives that ends at the newest labelled one."""
    labelled, positive, run, running, first_us = 0, 0, 0, True, 0
    for place in range(high - 1, low - 1, -1):
        label = rows[LABEL, place]
        if label < 0 or (selection >= 0 and not (rows[BITS, place] >> selection) & 1):
            continue
        labelled += 1
        positive += label
        running = running and label == 1
        if running:
            run += 1
            first_us = rows[EVENT_US, place]
        elif operation >= Op.STREAK_LENGTH:
            break
    if operation == Op.LABELLED:
        return float(labelled)
    if operation == Op.POSITIVE:
        return float(positive)
    if operation == Op.LABEL_RATE:
        return float(positive) / float(labelled) if labelled > 0 else np.nan
    if operation == Op.STREAK_LENGTH:
        return float(run)
    return float(at_us - first_us) / 1e6 if run > 0 else np.nan


@njit(cache=True, nogil=True)
def newest(rows: Ints, low: int, high: int, selection: int, at_us: int) -> float:
    """Seconds since the newest event of the window."""
    for place in range(high - 1, low - 1, -1):
        if selection < 0 or (rows[BITS, place] >> selection) & 1:
            return float(at_us - rows[EVENT_US, place]) / 1e6
    return np.nan


@njit(cache=True, nogil=True)
def aggregate(
    rows: Ints,
    n: int,
    at_us: int,
    values: Ints,
    fields: Ints,
    offsets: Ints,
    specs: Ints,
    parameters: Floats,
    registers: Floats,
) -> None:
    """Write every aggregate of an entity, as of a decision at `at_us` about an event with `values`, to its register."""
    edges = np.empty(len(offsets), dtype=np.int64)
    for number in range(len(offsets)):
        edges[number] = reach(rows[EVENT_US], n, at_us - offsets[number])
    kept = len(fields)
    for number in range(len(specs)):
        spec, scale = specs[number], parameters[number, 0]
        operation, low, high = spec[OP], edges[spec[LOW_EDGE]], edges[spec[HIGH_EDGE]]
        if operation <= Op.STD:
            result = moments(operation, rows, kept, low, high, spec, scale)
        elif operation <= Op.QUANTILE:
            found = chosen(rows, low, high, spec[SELECTION], FIELDS + spec[VALUE])
            result = ordered(operation, found, scale, parameters[number, 1])
        elif operation == Op.SINCE_LAST:
            result = newest(rows, low, high, spec[SELECTION], at_us)
        elif operation <= Op.SEEN_BEFORE:
            result = identities(operation, rows, low, high, spec, values[fields[spec[VALUE]]])
        else:
            result = labels(operation, rows, low, high, spec[SELECTION], at_us)
        registers[spec[OUT]] = result

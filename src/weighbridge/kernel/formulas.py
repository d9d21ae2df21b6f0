"""What each aggregate means: one float64 formula on exact integers, written once, for replay and for one event."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Floats, Ints
from weighbridge.kernel.entity_plan import FIRST, OP, OUT, PARAMETERS, SECOND, SPECS, THIRD, Op
from weighbridge.kernel.program import table

_HALF = np.uint64(32)
_MASK = np.uint64(0xFFFFFFFF)
FITS = 9e18  # below 2**63 by more than float64 can be wrong


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
def rank_below(n: int, level: float) -> int:
    """Return the place, from 0, of the value at or below a quantile of n > 0 values."""
    return math.floor(float(n - 1) * level)


# Below, the raws are named by their lines: raws[n], raws[total] ... are int64[>= rows]; so is the register `out`.


@njit(cache=True, nogil=True, error_model="numpy")
def means(raws: Ints, n: int, total: int, rows: int, scale: float, registers: Floats, out: int) -> None:
    """Mean, undefined without a value."""
    for i in range(rows):
        mean = float(raws[total, i]) / (float(max(raws[n, i], 1)) * scale)
        registers[out, i] = mean if raws[n, i] > 0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def deviations(
    raws: Ints, n: int, total: int, squares: int, rows: int, scale: float, registers: Floats, out: int
) -> None:
    """Sample standard deviation, undefined below two values; in 64 bits where all products fit, the same in 128."""
    most = 0.0
    for i in range(rows):
        most = max(most, float(raws[n, i]) * float(raws[squares, i]))
    narrow = most < FITS
    for i in range(rows):
        many, sum_, square = max(raws[n, i], 2), raws[total, i], raws[squares, i]
        wide = float(many * square - sum_ * sum_) if narrow else spread(many, sum_, square)
        deviation = math.sqrt(wide / float(many * (many - 1))) / scale
        registers[out, i] = deviation if raws[n, i] > 1 else np.nan


@njit(cache=True, nogil=True)
def quantiles(
    raws: Ints, n: int, below: int, above: int, rows: int, scale: float, level: float, registers: Floats, out: int
) -> None:
    """Quantile, type 7 of Hyndman and Fan (1996): between the values of two ranks."""
    for i in range(rows):
        count, value = raws[n, i], raws[below, i]
        if count == 0:
            registers[out, i] = np.nan
        else:
            part = float(count - 1) * level - float(rank_below(count, level))
            registers[out, i] = (float(value) + part * float(raws[above, i] - value)) / scale


@njit(cache=True, nogil=True)
def ages(raws: Ints, run: int, since_us: int, at_us: Ints, rows: int, registers: Floats, out: int) -> None:
    """Seconds since a time; undefined for MISSING, and where the run that began then is empty (line run, or -1)."""
    for i in range(rows):
        none = raws[since_us, i] == MISSING or (run >= 0 and raws[run, i] == 0)
        registers[out, i] = np.nan if none else float(at_us[i] - raws[since_us, i]) / 1e6


@njit(cache=True, nogil=True, error_model="numpy")
def formulas(program: Ints, raws: Ints, at_us: Ints, rows: int, registers: Floats) -> None:
    """Write every aggregate of an entity, for `rows` decisions.

    raws: int64[raws, >= rows]; at_us: int64[rows], the event times of the decisions; registers: float64[_, >= rows].
    """
    specs, parameters = table(program, SPECS), table(program, PARAMETERS).view(np.float64)
    for number in range(len(specs)):
        operation, out = specs[number, OP], specs[number, OUT]
        scale, level = parameters[number, 0], parameters[number, 1]
        first, second, third = specs[number, FIRST], specs[number, SECOND], specs[number, THIRD]
        if operation == Op.SUM:
            for i in range(rows):
                registers[out, i] = float(raws[first, i]) / scale
        elif operation == Op.MEAN:
            means(raws, first, second, rows, scale, registers, out)
        elif operation == Op.STD:
            deviations(raws, first, second, third, rows, scale, registers, out)
        elif operation in (Op.MIN, Op.MAX):
            for i in range(rows):
                registers[out, i] = float(raws[second, i]) / scale if raws[first, i] > 0 else np.nan
        elif operation == Op.QUANTILE:
            quantiles(raws, first, second, third, rows, scale, level, registers, out)
        elif operation == Op.SINCE_LAST:
            ages(raws, -1, first, at_us, rows, registers, out)
        elif operation == Op.STREAK_AGE:
            ages(raws, first, second, at_us, rows, registers, out)
        elif operation == Op.SEEN_BEFORE:
            for i in range(rows):
                registers[out, i] = float(raws[first, i]) if raws[first, i] != MISSING else np.nan
        elif operation == Op.LABEL_RATE:
            for i in range(rows):
                rate = float(raws[second, i]) / float(max(raws[first, i], 1))
                registers[out, i] = rate if raws[first, i] > 0 else np.nan
        else:  # a plain number of events, values, labels
            for i in range(rows):
                registers[out, i] = float(raws[first, i])

"""The partials of one event from its child rows, int64[n, columns] as `kernel.partials` numbers them."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Bools, Ints
from weighbridge.kernel.formulas import wide_product
from weighbridge.kernel.partials import Kind


@njit(cache=True, nogil=True)
def roll(rows: Ints, event_us: int, specs: Ints, terms: Ints, found: Ints) -> None:
    """Write the partials of one event's rows in one table. rows: int64[n, columns]; found: int64[p]."""
    meets = np.empty(len(rows), dtype=np.bool_)
    for number in range(len(specs)):
        kind, column, order, first, count = specs[number]
        for i in range(len(rows)):
            meets[i] = _meets(rows[i], event_us, terms, first, count)
        if kind == Kind.DISTINCT:
            found[number] = _distinct(rows, column, meets)
        elif kind == Kind.LATEST:
            found[number] = _latest(rows, column, order, meets)
        elif kind == Kind.SQUARES_HIGH or kind == Kind.SQUARES_LOW:
            found[number] = _squares(rows, column, meets, kind == Kind.SQUARES_HIGH)
        else:
            found[number] = _plain(rows, column, meets, kind)


@njit(cache=True, nogil=True)
def _meets(row: Ints, event_us: int, terms: Ints, first: int, count: int) -> bool:
    for number in range(first, first + count):
        value, operator = row[terms[number, 0]], terms[number, 1]
        bound = terms[number, 2] + (event_us if terms[number, 3] else 0)
        if value == MISSING:
            return False
        if operator == 0:
            met = value == bound
        elif operator == 1:
            met = value != bound
        elif operator == 2:
            met = value >= bound
        elif operator == 3:
            met = value <= bound
        elif operator == 4:
            met = value > bound
        else:
            met = value < bound
        if not met:
            return False
    return True


@njit(cache=True, nogil=True)
def _plain(rows: Ints, column: int, meets: Bools, kind: int) -> int:
    total, n, least, most = 0, 0, MISSING, MISSING
    for i in range(len(rows)):
        if not meets[i]:
            continue
        if kind == Kind.ROWS:
            n += 1
            continue
        value = rows[i, column]
        if value != MISSING:
            n += 1
            total += value
            least = value if least == MISSING or value < least else least
            most = value if value > most else most
    if kind == Kind.SUM:
        return total
    if kind == Kind.LEAST:
        return least
    return most if kind == Kind.MOST else n


@njit(cache=True, nogil=True)
def _distinct(rows: Ints, column: int, meets: Bools) -> int:
    values, n = np.empty(len(rows), dtype=np.int64), 0
    for i in range(len(rows)):
        if meets[i] and rows[i, column] != MISSING:
            values[n] = rows[i, column]
            n += 1
    ordered, different = np.sort(values[:n]), 0
    for i in range(n):
        if i == 0 or ordered[i] != ordered[i - 1]:
            different += 1
    return different


@njit(cache=True, nogil=True)
def _latest(rows: Ints, column: int, order: int, meets: Bools) -> int:
    newest, latest = MISSING, MISSING
    for i in range(len(rows)):
        when, value = rows[i, order], rows[i, column]
        if not meets[i] or when == MISSING or value == MISSING:
            continue
        if latest == MISSING or when > newest or (when == newest and value > latest):
            newest, latest = when, value
    return latest


@njit(cache=True, nogil=True)
def _squares(rows: Ints, column: int, meets: Bools, wanted_high: bool) -> int:
    """Return one half of the sum of squares in 128 bits, each half as 64 bits."""
    high, low = np.uint64(0), np.uint64(0)
    for i in range(len(rows)):
        if meets[i] and rows[i, column] != MISSING:
            size = np.uint64(abs(rows[i, column]))
            more_high, more_low = wide_product(size, size)
            low += more_low
            high += more_high + (np.uint64(1) if low < more_low else np.uint64(0))
    return int(np.int64(high) if wanted_high else np.int64(low))

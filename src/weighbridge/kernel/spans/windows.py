"""Raws of the rows of a tile, from the windows their edges cut: one loop an aggregate, as if nothing came late."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import EXTREMES, OFFSETS
from weighbridge.kernel.history import FOREVER
from weighbridge.kernel.program import table
from weighbridge.kernel.spans.layout import BITS, CODE, FIELDS, NEXT, PREVIOUS, START, TIME, chosen

WIDEST = 4_096  # rows of the longest stretch in a table of extremes, a power of two


@njit(cache=True, nogil=True)
def ahead(times: Ints, place: int, until_us: int) -> int:
    """Return the first row from `place` on that is later than a time; mostly three looks, and no jump to foresee."""
    place += int(times[place] <= until_us) + int(times[place + 1] <= until_us) + int(times[place + 2] <= until_us)
    while times[place] <= until_us:
        place += 1
    return place


@njit(cache=True, nogil=True)
def cut(program: Ints, span: Ints, a: int, b: int, pointers: Ints, edges: Ints) -> None:
    """Find the window edges of the rows a to b; pointers: int64[offsets], where the last call left off.

    Two pointers of a window move through two halves of the rows, so that neither waits for the other.
    """
    offsets, times, half = table(program, OFFSETS), span[TIME], (b - a) // 2
    for number in range(len(offsets)):
        offset, edge, first = offsets[number, 0], edges[number], pointers[number]
        if offset == 0:
            for r in range(a, b):
                edge[r - a] = r
            continue
        second = first + np.searchsorted(times[first:b], times[a + half] - offset, side="right")
        for i in range(half):
            first = ahead(times, first, times[a + i] - offset)
            second = ahead(times, second, times[a + half + i] - offset)
            edge[i], edge[half + i] = first, second
        if b - a > 2 * half:
            second = ahead(times, second, times[b - 1] - offset)
            edge[b - a - 1] = second
        pointers[number] = second


@njit(cache=True, nogil=True)
def differences(line: Ints, low: Ints, high: Ints, rows: int, out: Ints) -> None:
    """Write what a running sum grew by over each window."""
    for i in range(rows):
        out[i] = line[high[i]] - line[low[i]]


@njit(cache=True, nogil=True)
def lengths(low: Ints, high: Ints, rows: int, out: Ints) -> None:
    """Write the number of rows of each window."""
    for i in range(rows):
        out[i] = high[i] - low[i]


@njit(cache=True, nogil=True)
def halvings(longest: int) -> Ints:
    """Return int64[n + 1], the whole logarithm to base 2 of each number up to n = min(longest, WIDEST)."""
    found = np.zeros(min(longest, WIDEST) + 1, dtype=np.int64)
    for number in range(2, len(found)):
        found[number] = found[number >> 1] + 1
    return found


@njit(cache=True, nogil=True)
def lift(program: Ints, span: Ints, rows: int, number: int, levels: Ints) -> None:
    """Fill a table of extremes: levels[k, r] is the smallest (signed) selected value of the 2**k rows from r on."""
    row, bits = table(program, EXTREMES)[number], span[BITS]
    values = span[FIELDS + row[2]]
    for r in range(rows):
        levels[0, r] = row[0] * values[r] if chosen(bits, r, row[1]) else FOREVER
    for level in range(1, len(levels)):
        half, below, line = 1 << (level - 1), levels[level - 1], levels[level]
        for r in range(rows - 2 * half + 1):
            line[r] = min(below[r], below[r + half])


@njit(cache=True, nogil=True)
def smallest(levels: Ints, logs: Ints, first: int, last: int) -> int:
    """Return the least of the rows first to last in a table of extremes: of the two stretches that cover them."""
    level = logs[min(last - first, len(logs) - 1)]
    line, width = np.uint64(level), 1 << level  # unsigned: numba looks whether a signed place counts from the end
    end = max(last - width, first)
    found, place = min(levels[line, np.uint64(first)], levels[line, np.uint64(end)]), first + width
    while place < end:  # only where they are more than two of the longest stretches
        found = min(found, levels[line, np.uint64(place)])
        place += width
    return found


@njit(cache=True, nogil=True)
def extremes(levels: Ints, logs: Ints, sign: int, low: Ints, high: Ints, rows: int, out: Ints) -> None:
    """Write the extreme of each window; 0 for an empty one."""
    for i in range(rows):
        found = smallest(levels, logs, low[i], high[i])
        out[i] = sign * found if low[i] < high[i] else 0


@njit(cache=True, nogil=True)
def distincts(
    span: Ints, a: int, b: int, first: int, bits_of: int, state: Ints, low: Ints, high: Ints, out: Ints
) -> None:
    """Write the number of distinct values of each window; state: (low, high, count) where the last call left off."""
    previous, following, bits, starts = span[first + PREVIOUS], span[first + NEXT], span[BITS], span[START]
    left, right, count = state[0], state[1], state[2]
    for r in range(a, b):
        if starts[r] == r:
            left, right, count = r, r, 0
        while left < low[r - a]:
            if left < right and chosen(bits, left, bits_of) and following[left] >= right:
                count -= 1
            left += 1
        right = max(right, left)
        while right < high[r - a]:
            if chosen(bits, right, bits_of) and previous[right] < left:
                count += 1
            right += 1
        out[r - a] = count
    state[0], state[1], state[2] = left, right, count


@njit(cache=True, nogil=True)
def sightings(
    span: Ints, a: int, b: int, field: int, first: int, selection: int, state: Ints, last: Ints, low: Ints, high: Ints,
    out: Ints,
) -> None:  # fmt: skip
    """Write whether the row's own value is in its window; last: int64[codes], the newest row of each value so far."""
    codes, values, bits, starts, taken = span[first + CODE], span[FIELDS + field], span[BITS], span[START], state[0]
    for r in range(a, b):
        if starts[r] == r:
            taken = r
        while taken < high[r - a]:
            if chosen(bits, taken, selection):
                last[codes[taken]] = taken
            taken += 1
        if values[r] == MISSING:
            out[r - a] = MISSING
        else:
            out[r - a] = 1 if last[codes[r]] >= low[r - a] else 0
    state[0] = taken


@njit(cache=True, nogil=True)
def latest(span: Ints, a: int, b: int, selection: int, state: Ints, low: Ints, high: Ints, out: Ints) -> None:
    """Write the time of the newest selected row of each window, or MISSING."""
    times, bits, starts, taken, newest = span[TIME], span[BITS], span[START], state[0], state[1]
    for r in range(a, b):
        if starts[r] == r:
            taken, newest = r, -1
        while taken < high[r - a]:
            if chosen(bits, taken, selection):
                newest = taken
            taken += 1
        out[r - a] = times[newest] if newest >= low[r - a] else MISSING
    state[0], state[1] = taken, newest

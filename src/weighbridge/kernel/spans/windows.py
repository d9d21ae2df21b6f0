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
def cut(program: Ints, span: Ints, rows: int, edges: Ints) -> int:
    """Find the window edges of all rows; return how many rows the longest window has.

    Two pointers of a window move through two halves of the rows, so that neither waits for the other.
    """
    offsets, times, half, longest = table(program, OFFSETS), span[TIME], rows // 2, 0
    for number in range(len(offsets)):
        offset, edge = offsets[number, 0], edges[number]
        if offset == 0:
            for r in range(rows):
                edge[r] = r
            continue
        first, second = 0, np.searchsorted(times[:rows], times[half] - offset, side="right")
        for r in range(half):
            first = ahead(times, first, times[r] - offset)
            second = ahead(times, second, times[half + r] - offset)
            edge[r], edge[half + r] = first, second
        if rows > 2 * half:
            edge[rows - 1] = ahead(times, second, times[rows - 1] - offset)
        for r in range(rows):
            longest = max(longest, r - edge[r])
    return longest


@njit(cache=True, nogil=True)
def differences(line: Ints, low: Ints, high: Ints, rows: int, out: Ints) -> None:
    """Write what a running sum grew by over each window."""
    for i in range(rows):  # unsigned: numba looks whether a signed place counts from the end
        out[i] = line[np.uint64(high[i])] - line[np.uint64(low[i])]


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
def smallest(cells: Ints, width: int, logs: Ints, first: int, last: int) -> int:
    """Return the least of the rows first to last: of the two stretches that cover them.

    cells: a table of extremes in one line, `width` a level; first is a row even where first == last.
    """
    level = logs[np.uint64(min(last - first, len(logs) - 1))]
    base, length = np.uint64(level * width), 1 << level
    end = max(last - length, first)
    found, place = min(cells[base + np.uint64(first)], cells[base + np.uint64(end)]), first + length
    while place < end:  # only where they are more than two of the longest stretches
        found = min(found, cells[base + np.uint64(place)])
        place += length
    return found


@njit(cache=True, nogil=True)
def extremes(levels: Ints, logs: Ints, sign: int, low: Ints, high: Ints, rows: int, out: Ints) -> None:
    """Write the extreme of each window; 0 for an empty one."""
    cells, width = levels.reshape(-1), levels.shape[1]
    for i in range(rows):
        found = smallest(cells, width, logs, low[i], high[i])
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

"""The raws of many decisions at once, where every event of a key arrived in the order of its time: two pointers.

A *span* is a run of such keys, one behind the other, as lines of integers: row r of the span sees the rows from its
key's START to r - 1. Windows are cut by pointers that only move on, sums are differences of running sums, extremes
come from a table of stretches of 1, 2, 4 ... rows, distinct counts from previous and next occurrences.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import (
    EXTREMES,
    FIELD_PLACES,
    OCCURRENCES,
    OFFSETS,
    SUMS,
    TERMS,
)
from weighbridge.kernel.history import FOREVER
from weighbridge.kernel.newest import home_of
from weighbridge.kernel.program import table
from weighbridge.kernel.selection import addend, selected

TIME, START, BITS, ROW, FIELDS = range(5)  # lines of a span; then fields, running sums, (code, previous, next)
CODE, PREVIOUS, NEXT, PER_OCCURRENCE = range(4)
WIDEST = 4_096  # rows of the longest stretch in a table of extremes, a power of two


@njit(cache=True, nogil=True)
def sum_line(program: Ints, number: int) -> int:
    """Return the span line of a running sum."""
    return FIELDS + len(table(program, FIELD_PLACES)) + number


@njit(cache=True, nogil=True)
def occurrence_line(program: Ints, number: int) -> int:
    """Return the first span line of an occurrence."""
    return sum_line(program, len(table(program, SUMS))) + PER_OCCURRENCE * number


@njit(cache=True, nogil=True)
def span_lines(program: Ints) -> int:
    """Return how many lines a span has."""
    return occurrence_line(program, len(table(program, OCCURRENCES)))


@njit(cache=True, nogil=True)
def chosen(bits: Ints, r: int, selection: int) -> bool:
    """Return whether a row belongs to a selection."""
    return selection < 0 or (bits[r] >> selection) & 1 == 1


@njit(cache=True, nogil=True)
def fill_span(program: Ints, span: Ints, at: int, rows: Ints, event_us: Ints, values: Ints) -> bool:
    """Put one key's events, given by their rows in the log, behind the first `at` rows of a span.

    Returns False where an event arrived after a later one: the key is not in order.
    """
    fields, terms, times = table(program, FIELD_PLACES), table(program, TERMS), span[TIME, at : at + len(rows)]
    for i in range(len(rows)):
        times[i] = event_us[rows[i]]
    for i in range(1, len(rows)):
        if times[i] < times[i - 1]:
            return False
    span[START, at : at + len(rows)] = at
    span[ROW, at : at + len(rows)] = rows
    for line in range(len(fields)):
        kept, place = span[FIELDS + line, at : at + len(rows)], fields[line, 0]
        for i in range(len(rows)):
            kept[i] = values[rows[i], place]
    if len(terms):
        for i in range(len(rows)):
            span[BITS, at + i] = selected(terms, values[rows[i]])
    return True


@njit(cache=True, nogil=True)
def sum_up(program: Ints, span: Ints, rows: int) -> None:
    """Fill the running sums: what all rows before a row add up to; they run on from key to key."""
    sums, bits = table(program, SUMS), span[BITS]
    for number in range(len(sums)):
        kind, selection = sums[number, 0], sums[number, 1]
        line, values = span[sum_line(program, number)], span[FIELDS + max(sums[number, 2], 0)]
        total = 0
        for r in range(rows):
            line[r] = total
            if chosen(bits, r, selection):
                total += addend(kind, values[r] if sums[number, 2] >= 0 else 1)
        line[rows] = total


@njit(cache=True, nogil=True)
def code_values(values: Ints, rows: int, slots: Ints, codes: Ints) -> None:
    """Number the different values of a line: equal values, equal codes. slots: int64[power of two > rows, 2]."""
    mask, known = len(slots) - 1, 0
    slots[:, 1] = -1
    for r in range(rows):
        slot = home_of(values[r], mask)
        while slots[slot, 1] >= 0 and slots[slot, 0] != values[r]:
            slot = (slot + 1) & mask
        if slots[slot, 1] < 0:
            slots[slot, 0], slots[slot, 1] = values[r], known
            known += 1
        codes[r] = slots[slot, 1]


@njit(cache=True, nogil=True)
def chain_values(program: Ints, span: Ints, rows: int, slots: Ints, last: Ints) -> None:
    """Fill code, previous and next row of each occurrence; -1 and `rows` stand for none of the same key."""
    occurrences = table(program, OCCURRENCES)
    for number in range(len(occurrences)):
        first = occurrence_line(program, number)
        codes, previous, following = span[first + CODE], span[first + PREVIOUS], span[first + NEXT]
        code_values(span[FIELDS + occurrences[number, 1]], rows, slots, codes)
        last[:rows] = -1
        for r in range(rows):
            following[r] = rows
            before = last[codes[r]]
            previous[r] = before if before >= span[START, r] else -1
            if chosen(span[BITS], r, occurrences[number, 0]):
                if previous[r] >= 0:
                    following[previous[r]] = r
                last[codes[r]] = r


@njit(cache=True, nogil=True)
def cut(program: Ints, span: Ints, a: int, b: int, pointers: Ints, edges: Ints) -> None:
    """Find the window edges of the rows a to b; pointers: int64[offsets], where the last call left off."""
    offsets, times, starts = table(program, OFFSETS), span[TIME], span[START]
    for number in range(len(offsets)):
        offset, edge, pointer = offsets[number, 0], edges[number], pointers[number]
        if offset == 0:
            for r in range(a, b):
                edge[r - a] = r
            continue
        for r in range(a, b):
            pointer = max(pointer, starts[r])
            until_us = times[r] - offset
            while times[pointer] <= until_us:
                pointer += 1
            edge[r - a] = pointer
        pointers[number] = pointer


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
    row, values, bits = table(program, EXTREMES)[number], span[FIELDS], span[BITS]
    values = span[FIELDS + row[2]]
    for r in range(rows):
        levels[0, r] = row[0] * values[r] if chosen(bits, r, row[1]) else FOREVER
    for level in range(1, len(levels)):
        half, below, line = 1 << (level - 1), levels[level - 1], levels[level]
        for r in range(rows - 2 * half + 1):
            line[r] = min(below[r], below[r + half])


@njit(cache=True, nogil=True)
def extremes(levels: Ints, logs: Ints, sign: int, low: Ints, high: Ints, rows: int, out: Ints) -> None:
    """Write the extreme of each window: of the two stretches of 2**k rows that cover it; more for a very long one."""
    widest = len(logs) - 1
    for i in range(rows):
        first, last = low[i], high[i]
        if first == last:
            out[i] = 0
            continue
        level = logs[min(last - first, widest)]
        width, line = 1 << level, levels[level]
        found = min(line[first], line[last - width])
        first += width
        while first + width < last:
            found = min(found, line[first])
            first += width
        out[i] = sign * found


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

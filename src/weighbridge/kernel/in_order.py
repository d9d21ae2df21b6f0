"""The raws of many decisions at once, where every event of a key arrived in the order of its time: two pointers.

A *span* is a run of such keys, one behind the other, as lines of integers: row r of the span sees the rows from its
key's START to r - 1. Windows are cut by pointers that only move on, sums are differences of running sums, extremes
come from one stack for all windows that end alike, distinct counts from previous and next occurrences.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import (
    EXTREMES,
    FIELD_PLACES,
    LOW,
    OCCURRENCES,
    OFFSETS,
    RAWS,
    SHARES,
    STACKS,
    SUMS,
    TERMS,
)
from weighbridge.kernel.history import addend, selected
from weighbridge.kernel.program import table

TIME, START, BITS, ROW, FIELDS = range(5)  # lines of a span; then fields, running sums, (code, previous, next)
CODE, PREVIOUS, NEXT, PER_OCCURRENCE = range(4)


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
def fill_span(program: Ints, span: Ints, at: int, rows: Ints, event_us: Ints, values: Ints) -> None:
    """Put one key's events, given by their rows in the log, behind the first `at` rows of a span."""
    fields, terms = table(program, FIELD_PLACES), table(program, TERMS)
    for i in range(len(rows)):
        row = rows[i]
        span[TIME, at + i] = event_us[row]
        span[START, at + i] = at
        span[ROW, at + i] = row
        for line in range(len(fields)):
            span[FIELDS + line, at + i] = values[row, fields[line, 0]]
        if len(terms):
            span[BITS, at + i] = selected(terms, values[row])


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
        mixed = values[r] * -7046029254386353131  # 2**64 / golden ratio, as int64
        slot = (mixed ^ (mixed >> 29)) & mask
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
def extremes(
    program: Ints, span: Ints, a: int, b: int, stack: int, kept: Ints, places: Ints, state: Ints, edges: Ints, raws: Ints
) -> None:
    """Write the extremes of all windows that end at one edge.

    kept, places: int64[rows], a stack of values (times their sign) and rows, each smaller than all behind it, so that a
    window's extreme is its first entry; state: (size, next row to take in, then one pointer into the stack a window).
    """
    row, shares = table(program, STACKS)[stack], table(program, SHARES)
    what, wanted = table(program, EXTREMES)[row[0]], table(program, RAWS)
    sign, values, bits = what[0], span[FIELDS + what[2]], span[BITS]
    high, first, last = edges[row[1]], row[2], row[3]
    size, taken = state[0], state[1]
    for r in range(a, b):
        if span[START, r] == r:
            size, taken = 0, r
            state[2 : 2 + last - first] = 0
        lowest = size
        while taken < high[r - a]:
            if chosen(bits, taken, what[1]):
                value = sign * values[taken]
                while size > 0 and kept[size - 1] >= value:
                    size -= 1
                lowest = min(lowest, size)
                kept[size], places[size] = value, taken
                size += 1
            taken += 1
        for share in range(first, last):
            raw = shares[share, 0]
            low, pointer = edges[wanted[raw, LOW], r - a], min(state[2 + share - first], lowest)
            while pointer < size and places[pointer] < low:
                pointer += 1
            state[2 + share - first] = pointer
            raws[raw, r - a] = sign * kept[pointer] if pointer < size else 0
    state[0], state[1] = size, taken


@njit(cache=True, nogil=True)
def distincts(span: Ints, a: int, b: int, first: int, bits_of: int, state: Ints, low: Ints, high: Ints, out: Ints) -> None:
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

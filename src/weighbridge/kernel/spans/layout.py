"""The lines of a span, and how a key's events are put into them."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.entity_plan import FIELD_PLACES, OCCURRENCES, OFFSETS, SUMS, TERMS
from weighbridge.kernel.newest import home_of
from weighbridge.kernel.program import table
from weighbridge.kernel.selection import addend, selected

# TIME runs on from key to key, so far apart that no window reaches into the key before: only differences mean anything.
# ROW is the row of the log, so larger is later in arrival; PLACED says where the key's first, second ... arrival lies.
# Of the rows before a row, those before SETTLED had all arrived when it did; SETTLED is the row itself where no event
# came late. Then fields, running sums, occurrences.
TIME, START, BITS, ROW, PLACED, SETTLED, FIELDS = range(7)
CODE, PREVIOUS, NEXT, PER_OCCURRENCE = range(4)
FILLED, DISORDERED, FULL = range(3)
LAST_TIME = 1 << 62
MOST_STEPS = 32  # a row of a key: with more, its events are taken one by one


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
def fill_span(program: Ints, span: Ints, at: int, rows: Ints, event_us: Ints, values: Ints) -> int:
    """Put one key's events, given by their rows in the log, behind the first `at` rows of a span.

    Returns FILLED, DISORDERED where too much came late, or FULL where the times of another span must be begun.
    """
    end = at + len(rows)
    times = span[TIME, at:end]
    for i in range(len(rows)):
        times[i] = event_us[rows[i]]
    if in_order(times):
        span[ROW, at:end] = rows
        for r in range(at, end):
            span[PLACED, r] = span[SETTLED, r] = r
    elif sort_by_time(span, at, rows) > MOST_STEPS * len(rows) or settle(span, at, end) > MOST_STEPS * len(rows):
        return DISORDERED
    span[START, at:end] = at
    offsets, first_us = table(program, OFFSETS), times[0]
    begin_us = span[TIME, at - 1] + offsets[:, 0].max() + 1 if at else 0
    if begin_us + (times[-1] - first_us) >= LAST_TIME:
        return FULL
    times += begin_us - first_us
    fields, terms = table(program, FIELD_PLACES), table(program, TERMS)
    for line in range(len(fields)):
        kept, own, place = span[FIELDS + line, at:end], span[ROW, at:end], fields[line, 0]
        for i in range(len(own)):
            kept[i] = values[own[i], place]
    if len(terms):
        for r in range(at, end):
            span[BITS, r] = selected(terms, values[span[ROW, r]])
    return FILLED


@njit(cache=True, nogil=True)
def in_order(times: Ints) -> bool:
    """Return whether times never fall."""
    falls = 0
    for i in range(1, len(times)):
        falls += int(times[i] < times[i - 1])
    return falls == 0


@njit(cache=True, nogil=True)
def sort_by_time(span: Ints, at: int, rows: Ints) -> int:
    """Sort a key's arrivals by time, ties by arrival; return how many steps they moved, or stop at too many."""
    times, arrivals, steps = span[TIME, at:], span[SETTLED, at:], 0
    for i in range(len(rows)):
        now_us, place = times[i], i
        while place > 0 and times[place - 1] > now_us:
            times[place], arrivals[place] = times[place - 1], arrivals[place - 1]
            place -= 1
        times[place], arrivals[place] = now_us, i
        steps += i - place
        if steps > MOST_STEPS * len(rows):
            return steps
    for i in range(len(rows)):
        span[ROW, at + i], span[PLACED, at + arrivals[i]] = rows[arrivals[i]], at + i
    return steps


@njit(cache=True, nogil=True)
def settle(span: Ints, at: int, end: int) -> int:
    """Fill SETTLED of a key with late events; return how many rows lie between SETTLED and their row in all."""
    own, settled, steps = span[ROW], span[SETTLED], 0
    settled[at] = own[at]
    for r in range(at + 1, end):  # first the latest arrival up to each row, which rises
        settled[r] = max(settled[r - 1], own[r])
    for r in range(end - 1, at - 1, -1):
        settled[r] = at + np.searchsorted(settled[at:r], own[r], side="right")
        steps += r - settled[r]
    return steps


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

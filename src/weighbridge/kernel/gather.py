"""The raws of one decision from one history: exact integers about its windows, whatever the order of arrival was."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arena import at_most
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import (
    EXTREMES,
    FIELD_PLACES,
    HIGH,
    KIND,
    LINE,
    LOW,
    OCCURRENCES,
    OFFSETS,
    ORDERS,
    PART,
    RAWS,
    Raw,
)
from weighbridge.kernel.formulas import rank_below
from weighbridge.kernel.history import (
    ADDED,
    BITS,
    BLOCKS,
    FIELDS,
    FOREVER,
    NEVER,
    Edge,
    block_at,
    count_at,
    extreme_line,
    find,
    holds,
    length,
    line_at,
    running_line,
    sum_before,
    summary_at,
)
from weighbridge.kernel.known_labels import labelled, streak
from weighbridge.kernel.occurrences import distinct, previous_line, seen
from weighbridge.kernel.ordered import ranked
from weighbridge.kernel.program import cell, table


@njit(cache=True, nogil=True)
def total(arena: Ints, program: Ints, root: int, low: Edge, high: Edge, line: int) -> int:
    """Return what a running sum grew by between two edges; line -1 counts all events."""
    if line < 0:
        return length(arena, root, low, high)
    return sum_before(arena, program, root, high[0], high[1], line) - sum_before(
        arena, program, root, low[0], low[1], line
    )


@njit(cache=True, nogil=True)
def least(arena: Ints, first: int, last: int) -> int:
    """Return the smallest of neighbouring words; of none, a value above all."""
    found = FOREVER
    for place in range(first, last):
        found = min(found, arena[place])
    return found


@njit(cache=True, nogil=True)
def greatest(arena: Ints, first: int, last: int) -> int:
    """Return the largest of neighbouring words; of none, a value below all."""
    found = NEVER
    for place in range(first, last):
        found = max(found, arena[place])
    return found


@njit(cache=True, nogil=True)
def extreme_of_slots(arena: Ints, program: Ints, root: int, line: int, number: int, begin: int, end: int) -> int:
    """Return the smallest or largest selected value of some slots of a block."""
    smallest, selection = cell(program, EXTREMES, line, 0) > 0, cell(program, EXTREMES, line, 1)
    values = line_at(arena, root, number, FIELDS + cell(program, EXTREMES, line, 2))
    if selection < 0:
        if smallest:
            return least(arena, values + begin, values + end)
        return greatest(arena, values + begin, values + end)
    bits, found = line_at(arena, root, number, BITS), FOREVER if smallest else NEVER
    for slot in range(begin, end):
        if holds(arena, bits, slot, selection):
            value = arena[values + slot]
            found = min(found, value) if smallest else max(found, value)
    return found


@njit(cache=True, nogil=True)
def extreme(arena: Ints, program: Ints, root: int, low: Edge, high: Edge, line: int) -> int:
    """Return the smallest or largest selected value between two edges; of no value, a value beyond all."""
    if arena[root + BLOCKS] == 0:
        return 0
    if low[0] == high[0] and (low[1] > 0 or high[1] < count_at(arena, root, high[0])):
        return extreme_of_slots(arena, program, root, line, low[0], low[1], high[1])
    first, last = low[0], high[0] + 1  # the blocks that lie whole between the edges
    smallest = cell(program, EXTREMES, line, 0) > 0
    found = FOREVER if smallest else NEVER
    if low[1] > 0:
        found = extreme_of_slots(arena, program, root, line, low[0], low[1], count_at(arena, root, low[0]))
        first += 1
    if high[1] < count_at(arena, root, high[0]):
        part = extreme_of_slots(arena, program, root, line, high[0], 0, high[1])
        found = min(found, part) if smallest else max(found, part)
        last -= 1
    summary = summary_at(arena, root, extreme_line(program, line))
    if smallest:
        return min(found, least(arena, summary + first, summary + last))
    return max(found, greatest(arena, summary + first, summary + last))


@njit(cache=True, nogil=True)
def newest(arena: Ints, program: Ints, root: int, low: Edge, high: Edge, line: int) -> int:
    """Return the time of the newest event between two edges that a running count counts (-1: of any), or MISSING."""
    if total(arena, program, root, low, high, line) == 0:
        return MISSING
    number, slot = high
    if line < 0:
        if slot == 0:
            number -= 1
            slot = count_at(arena, root, number)
        return arena[block_at(arena, root, number) + slot - 1]
    counts, below = summary_at(arena, root, ADDED + line), sum_before(arena, program, root, number, slot, line) - 1
    number = at_most(arena, counts, number + 1, below) - 1
    running = line_at(arena, root, number, running_line(program, line))
    slot = at_most(arena, running, count_at(arena, root, number), below - arena[counts + number])
    return arena[block_at(arena, root, number) + slot]


@njit(cache=True, nogil=True)
def quantile_part(
    arena: Ints, program: Ints, root: int, order: int, kind: int, level: float, at_us: int, low: Edge, high: Edge
) -> int:
    """Return the value at the rank below a quantile's level, or at the next one; 0 where the window is empty."""
    row, offsets = table(program, ORDERS)[order], table(program, OFFSETS)
    n = total(arena, program, root, low, high, row[4])
    if n == 0:
        return 0
    rank = rank_below(n, level)
    if kind == Raw.ABOVE:
        rank = min(rank + 1, n - 1)
    low_us, high_us = at_us - offsets[row[0], 0], at_us - offsets[row[1], 0]
    return ranked(arena, program, root, order, low_us, high_us, low, high, n, rank)


@njit(cache=True, nogil=True)
def gather(arena: Ints, program: Ints, root: int, at_us: int, values: Ints, raws: Ints, row: int) -> None:
    """Write every raw of a history, as of a decision at `at_us` about an event with `values`, to raws[:, row]."""
    offsets, wanted = table(program, OFFSETS), table(program, RAWS)
    levels = wanted.view(np.float64)
    fields, occurrences = table(program, FIELD_PLACES), table(program, OCCURRENCES)
    edges = np.empty((len(offsets), 2), dtype=np.int64)
    for number in range(len(offsets)):
        edges[number, 0], edges[number, 1] = find(arena, root, at_us - offsets[number, 0])
    for number in range(len(wanted)):
        kind, line = wanted[number, KIND], wanted[number, LINE]
        low = (edges[wanted[number, LOW], 0], edges[wanted[number, LOW], 1])
        high = (edges[wanted[number, HIGH], 0], edges[wanted[number, HIGH], 1])
        low_us, high_us = at_us - offsets[wanted[number, LOW], 0], at_us - offsets[wanted[number, HIGH], 0]
        if kind <= Raw.TOTAL:
            found = total(arena, program, root, low, high, line)
        elif kind == Raw.EXTREME:
            found = extreme(arena, program, root, low, high, line)
        elif kind <= Raw.ABOVE:
            found = quantile_part(arena, program, root, line, kind, levels[number, PART], at_us, low, high)
        elif kind == Raw.DISTINCT:
            found = distinct(arena, program, root, wanted[number, PART], low_us, high_us, low, high)
        elif kind == Raw.NEWEST_US:
            found = newest(arena, program, root, low, high, line)
        elif kind == Raw.SEEN:
            value = values[fields[occurrences[line, 1], 0]]
            found = seen(arena, root, occurrences[line], line, previous_line(program, line), low_us, high_us, value)
        elif kind <= Raw.POSITIVE:
            found = labelled(arena, program, root, low, high, line, 1)
            if kind == Raw.LABELLED:
                found += labelled(arena, program, root, low, high, line, 0)
        else:
            run, since_us = streak(arena, program, root, low, high, line)
            found = run if kind == Raw.RUN else since_us
        raws[number, row] = found

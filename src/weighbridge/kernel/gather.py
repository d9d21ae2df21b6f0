"""The raws of one decision from one history: exact integers about its windows, whatever the order of arrival was."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arena import at_most
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import (
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
from weighbridge.kernel.extremes import extreme
from weighbridge.kernel.formulas import rank_below
from weighbridge.kernel.history import (
    ADDED,
    Edge,
    block_at,
    count_at,
    find,
    length,
    line_at,
    running_line,
    sum_before,
    summary_at,
)
from weighbridge.kernel.known_labels import labelled, streak
from weighbridge.kernel.occurrences import distinct, previous_line, seen
from weighbridge.kernel.ordered import ranked, settled
from weighbridge.kernel.program import count_of, table


@njit(cache=True, nogil=True)
def total(arena: Ints, program: Ints, root: int, low: Edge, high: Edge, line: int) -> int:
    """Return what a running sum grew by between two edges; line -1 counts all events."""
    if line < 0:
        return length(arena, root, low, high)
    return sum_before(arena, program, root, high[0], high[1], line) - sum_before(
        arena, program, root, low[0], low[1], line
    )


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
def gather_ranks(
    arena: Ints, program: Ints, root: int, order: int, at_us: int, edges: Ints, raws: Ints, row: int
) -> None:
    """Write the values at the ranks below and above each quantile level of a window; 0 where it is empty."""
    spec, offsets, wanted = table(program, ORDERS)[order], table(program, OFFSETS), table(program, RAWS)
    levels = wanted.view(np.float64)
    low, high = (edges[spec[0], 0], edges[spec[0], 1]), (edges[spec[1], 0], edges[spec[1], 1])
    n = total(arena, program, root, low, high, spec[4])
    low_us, high_us = at_us - offsets[spec[0], 0], at_us - offsets[spec[1], 0]
    rising = settled(arena, program, root, order, low_us, high_us, low, high, n)
    for number in range(len(wanted)):
        kind = wanted[number, KIND]
        if (kind == Raw.BELOW or kind == Raw.ABOVE) and wanted[number, LINE] == order:
            raws[number, row] = 0
            if n > 0:
                rank = rank_below(n, levels[number, PART])
                rank = min(rank + 1, n - 1) if kind == Raw.ABOVE else rank
                raws[number, row] = ranked(arena, program, root, order, rising, rank)


@njit(cache=True, nogil=True)
def gather(arena: Ints, program: Ints, root: int, at_us: int, values: Ints, raws: Ints, row: int) -> None:
    """Write every raw of a history, as of a decision at `at_us` about an event with `values`, to raws[:, row]."""
    offsets, wanted = table(program, OFFSETS), table(program, RAWS)
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
            continue  # written by gather_ranks, for all levels of a window at once
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
    for order in range(count_of(program, ORDERS)):
        gather_ranks(arena, program, root, order, at_us, edges, raws, row)

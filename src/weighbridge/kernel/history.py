"""One key's history: a sorted table of its events that takes late events and labels exactly.

rows: int64[lines, capacity]; each line is one attribute, each column one event, sorted by (event_us, seq). Lines:
EVENT_US, SEQ, LABEL (-1 unknown, 0, 1), BITS (which selections hold), then the kept field values, then running sums.
`seq` rises with every insert, so an event goes behind all events of its own time.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.plan import MISSING, EntityPlan, RunningSum

EVENT_US, SEQ, LABEL, BITS, FIELDS = range(5)
UNKNOWN = -1


def empty(plan: EntityPlan, capacity: int) -> Ints:
    """Return a history with room for `capacity` events."""
    return np.empty((FIELDS + len(plan.fields) + len(plan.prefixes), capacity), dtype=np.int64)


@njit(cache=True, nogil=True)
def reach(times: Ints, n: int, at_us: int) -> int:
    """Return how many of the first n rising times are <= at_us."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if times[middle] <= at_us:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def selected(terms: Ints, values: Ints) -> int:
    """Return the bits of the selections that an event's values (int64[f]) meet."""
    bits = 0
    for number in range(len(terms)):
        bits |= 1 << terms[number, 0]
    for number in range(len(terms)):
        value, operator, operand = values[terms[number, 1]], terms[number, 2], terms[number, 3]
        if value == MISSING:
            holds = False
        elif operator == 0:
            holds = value == operand
        elif operator == 1:
            holds = value != operand
        elif operator == 2:
            holds = value >= operand
        elif operator == 3:
            holds = value <= operand
        elif operator == 4:
            holds = value > operand
        elif operator == 5:
            holds = value < operand
        else:
            holds = True
        if not holds:
            bits &= ~(1 << terms[number, 0])
    return bits


@njit(cache=True, nogil=True)
def insert(
    rows: Ints, n: int, event_us: int, seq: int, label: int, values: Ints, fields: Ints, terms: Ints, prefixes: Ints
) -> None:
    """Put an event into a history of n events that has room for it; late ones move what follows."""
    position = reach(rows[EVENT_US], n, event_us)
    kept = len(fields)
    for line in range(FIELDS + kept):
        for place in range(n, position, -1):
            rows[line, place] = rows[line, place - 1]
    rows[EVENT_US, position] = event_us
    rows[SEQ, position] = seq
    rows[LABEL, position] = label
    rows[BITS, position] = selected(terms, values)
    for number in range(kept):
        rows[FIELDS + number, position] = values[fields[number]]
    add_up(rows, position, n + 1, kept, prefixes)


@njit(cache=True, nogil=True)
def add_up(rows: Ints, start: int, stop: int, kept: int, prefixes: Ints) -> None:
    """Write the running sums of the columns start to stop; the columns before them are right already."""
    for number in range(len(prefixes)):
        kind, selection, field = prefixes[number, 0], prefixes[number, 1], prefixes[number, 2]
        line = FIELDS + kept + number
        total = rows[line, start - 1] if start > 0 else 0
        for place in range(start, stop):
            if selection < 0 or (rows[BITS, place] >> selection) & 1:
                if kind == RunningSum.COUNT:
                    total += 1
                else:
                    value = rows[FIELDS + field, place]
                    total += value if kind == RunningSum.SUM else value * value
            rows[line, place] = total


@njit(cache=True, nogil=True)
def set_label(rows: Ints, n: int, event_us: int, seq: int, label: int) -> bool:
    """Write the label of the event (event_us, seq); False where the history does not hold it."""
    place = reach(rows[EVENT_US], n, event_us) - 1
    while place >= 0 and rows[EVENT_US, place] == event_us:
        if rows[SEQ, place] == seq:
            rows[LABEL, place] = label
            return True
        place -= 1
    return False


@njit(cache=True, nogil=True)
def evict(rows: Ints, n: int, before_us: int, kept: int, prefixes: Ints) -> int:
    """Drop the events at or before `before_us`; return how many stay."""
    gone = reach(rows[EVENT_US], n, before_us)
    if gone == 0:
        return n
    for line in range(FIELDS + kept):
        for place in range(gone, n):
            rows[line, place - gone] = rows[line, place]
    add_up(rows, 0, n - gone, kept, prefixes)
    return n - gone

"""The k-th smallest value of a window of a history: sorted on the spot where short, a set that moves where long."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.entity_plan import ORDERS
from weighbridge.kernel.history import (
    BITS,
    BLOCKS,
    FIELDS,
    Edge,
    holds,
    length,
    line_at,
    moved,
    order_at,
    slots_between,
)
from weighbridge.kernel.program import count_of, table
from weighbridge.kernel.sorted_values import add_value, drop_value, free_set, new_set, value_at

SHORT = 256  # events of a window that is sorted on the spot


@njit(cache=True, nogil=True)
def forget_orders(arena: Ints, program: Ints, root: int, before_us: int) -> None:
    """Free the sets of windows that begin before a time; the next question builds them anew."""
    for number in range(count_of(program, ORDERS)):
        place = order_at(program, root, number)
        if arena[place + 2] and arena[place] < before_us:
            free_set(arena, arena[place + 2])
            arena[place + 2] = 0


@njit(cache=True, nogil=True)
def move_values(arena: Ints, root: int, values: int, row: Ints, first: Edge, last: Edge, add: bool) -> None:
    """Put the selected values between two edges into a set, or take them out."""
    for number in range(first[0], min(last[0] + 1, arena[root + BLOCKS])):
        begin, end = slots_between(arena, root, number, first, last)
        line, bits = line_at(arena, root, number, FIELDS + row[3]), line_at(arena, root, number, BITS)
        for slot in range(begin, end):
            if holds(arena, bits, slot, row[2]):
                if add:
                    add_value(arena, values, arena[line + slot])
                else:
                    drop_value(arena, values, arena[line + slot])


@njit(cache=True, nogil=True)
def sorted_window(arena: Ints, root: int, row: Ints, low: Edge, high: Edge, n: int) -> Ints:
    """Return the n selected values between two edges, rising."""
    found, count = np.empty(n, dtype=np.int64), 0
    for number in range(low[0], min(high[0] + 1, arena[root + BLOCKS])):
        begin, end = slots_between(arena, root, number, low, high)
        line, bits = line_at(arena, root, number, FIELDS + row[3]), line_at(arena, root, number, BITS)
        for slot in range(begin, end):
            if holds(arena, bits, slot, row[2]):
                found[count] = arena[line + slot]
                count += 1
    found.sort()
    return found


@njit(cache=True, nogil=True)
def settled(
    arena: Ints, program: Ints, root: int, order: int, low_us: int, high_us: int, low: Edge, high: Edge, n: int
) -> Ints:
    """Return the n selected values of the window (low, high], rising; of a long one none, but move its set there."""
    row, place = table(program, ORDERS)[order], order_at(program, root, order)
    events = length(arena, root, low, high)
    if events <= SHORT:
        return sorted_window(arena, root, row, low, high, n)
    if arena[place + 2]:
        was_low, was_high, left, right = moved(arena, root, place, low, high)
        if abs(left) + abs(right) >= events:
            free_set(arena, arena[place + 2])
            arena[place + 2] = 0
        else:
            values = arena[place + 2]
            if right >= 0:
                move_values(arena, root, values, row, was_high, high, True)
            if left >= 0:
                move_values(arena, root, values, row, was_low, low, False)
            else:
                move_values(arena, root, values, row, low, was_low, True)
            if right < 0:
                move_values(arena, root, values, row, high, was_high, False)
    if arena[place + 2] == 0:
        arena[place + 2] = new_set(arena)
        move_values(arena, root, arena[place + 2], row, low, high, True)
    arena[place], arena[place + 1] = low_us, high_us
    return np.empty(0, dtype=np.int64)


@njit(cache=True, nogil=True)
def ranked(arena: Ints, program: Ints, root: int, order: int, rising: Ints, rank: int) -> int:
    """Return the value of a rank, from 0, of a window that is settled: of its rising values, or of its set."""
    if len(rising):
        return rising[rank]
    return value_at(arena, arena[order_at(program, root, order) + 2], rank)

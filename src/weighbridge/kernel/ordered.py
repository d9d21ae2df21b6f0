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
    count_at,
    find,
    holds,
    line_at,
    order_at,
    position,
)
from weighbridge.kernel.program import count_of, table
from weighbridge.kernel.sorted_values import add_value, drop_value, free_set, new_set, value_at

SHORT = 256  # events of a window that is sorted on the spot


@njit(cache=True, nogil=True)
def forget_orders(arena: Ints, program: Ints, root: int) -> None:
    """Free the sets of a history; the next question builds them anew."""
    for number in range(count_of(program, ORDERS)):
        place = order_at(program, root, number)
        if arena[place + 2]:
            free_set(arena, arena[place + 2])
            arena[place + 2] = 0


@njit(cache=True, nogil=True)
def move_values(
    arena: Ints, root: int, values: int, row: Ints, first: tuple[int, int], last: tuple[int, int], add: bool
) -> None:
    """Put the selected values between two edges into a set, or take them out."""
    for number in range(first[0], min(last[0] + 1, arena[root + BLOCKS])):
        begin = first[1] if number == first[0] else 0
        end = last[1] if number == last[0] else count_at(arena, root, number)
        line, bits = line_at(arena, root, number, FIELDS + row[3]), line_at(arena, root, number, BITS)
        for slot in range(begin, end):
            if holds(arena, bits, slot, row[2]):
                if add:
                    add_value(arena, values, arena[line + slot])
                else:
                    drop_value(arena, values, arena[line + slot])


@njit(cache=True, nogil=True)
def sorted_window(arena: Ints, root: int, row: Ints, low: tuple[int, int], high: tuple[int, int], n: int) -> Ints:
    """Return the n selected values between two edges, rising."""
    found, count = np.empty(n, dtype=np.int64), 0
    for number in range(low[0], min(high[0] + 1, arena[root + BLOCKS])):
        begin = low[1] if number == low[0] else 0
        end = high[1] if number == high[0] else count_at(arena, root, number)
        line, bits = line_at(arena, root, number, FIELDS + row[3]), line_at(arena, root, number, BITS)
        for slot in range(begin, end):
            if holds(arena, bits, slot, row[2]):
                found[count] = arena[line + slot]
                count += 1
    found.sort()
    return found


@njit(cache=True, nogil=True)
def ranked(
    arena: Ints, program: Ints, root: int, order: int, low_us: int, high_us: int, low: tuple[int, int],
    high: tuple[int, int], n: int, rank: int,
) -> int:  # fmt: skip
    """Return the value of a rank (from 0) among the n > rank selected values of the window (low, high]."""
    row, place = table(program, ORDERS)[order], order_at(program, root, order)
    at_low, at_high = position(arena, root, low[0], low[1]), position(arena, root, high[0], high[1])
    if at_high - at_low <= SHORT:
        return sorted_window(arena, root, row, low, high, n)[rank]
    if arena[place + 2]:
        was_low, was_high = find(arena, root, arena[place]), find(arena, root, arena[place + 1])
        left = at_low - position(arena, root, was_low[0], was_low[1])
        right = at_high - position(arena, root, was_high[0], was_high[1])
        if abs(left) + abs(right) >= at_high - at_low:
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
    return value_at(arena, arena[place + 2], rank)

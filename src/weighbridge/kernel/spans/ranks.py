"""Quantiles of a span: a set of sorted values that moves with its window."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.entity_plan import KIND, LINE, ORDERS, PART, RAWS, Raw
from weighbridge.kernel.formulas import rank_below
from weighbridge.kernel.program import table
from weighbridge.kernel.sorted_values import VALUES, add_value, drop_value, free_set, new_set, value_at
from weighbridge.kernel.spans.layout import BITS, FIELDS, ROW, SETTLED, START, chosen

SET, LEFT, RIGHT, WIDTH = range(4)  # of the state: the set's address, the first row in it, the first behind it


@njit(cache=True, nogil=True)
def rank_values(
    program: Ints, span: Ints, a: int, b: int, order: int, arena: Ints, state: Ints, edges: Ints, tile: Ints
) -> None:
    """Write the values at the ranks that the quantiles of one window ask for."""
    row = table(program, ORDERS)[order]
    for r in range(a, b):
        if span[START, r] == r:
            if state[SET]:
                free_set(arena, state[SET])
            state[SET], state[LEFT], state[RIGHT] = new_set(arena), r, r
        low, high = edges[row[0], r], edges[row[1], r]
        while state[RIGHT] < high:
            move(span, arena, state[SET], row, state[RIGHT], True)
            state[RIGHT] += 1
        while state[LEFT] < low:
            move(span, arena, state[SET], row, state[LEFT], False)
            state[LEFT] += 1
        begin = max(low, span[SETTLED, r])
        move_missing(span, arena, state[SET], row, r, begin, high, False)
        answer(program, order, arena, state[SET], tile, r - a)
        move_missing(span, arena, state[SET], row, r, begin, high, True)


@njit(cache=True, nogil=True)
def move(span: Ints, arena: Ints, values: int, row: Ints, r: int, add: bool) -> None:
    """Put the value of a row into a set, or take it out, if it is selected."""
    if chosen(span[BITS], r, row[2]):
        if add:
            add_value(arena, values, span[FIELDS + row[3], r])
        else:
            drop_value(arena, values, span[FIELDS + row[3], r])


@njit(cache=True, nogil=True)
def move_missing(span: Ints, arena: Ints, values: int, row: Ints, r: int, begin: int, high: int, add: bool) -> None:
    """Do so with the values of the rows that had not arrived when row r did."""
    for j in range(begin, high):
        if span[ROW, j] > span[ROW, r]:
            move(span, arena, values, row, j, add)


@njit(cache=True, nogil=True)
def answer(program: Ints, order: int, arena: Ints, values: int, tile: Ints, i: int) -> None:
    """Write the raws of a window's quantiles from its set; 0 where it is empty."""
    wanted, n = table(program, RAWS), arena[values + VALUES]
    levels = wanted.view(np.float64)
    for raw in range(len(wanted)):
        kind = wanted[raw, KIND]
        if wanted[raw, LINE] == order and (kind == Raw.BELOW or kind == Raw.ABOVE):
            rank = rank_below(n, levels[raw, PART]) + (1 if kind == Raw.ABOVE else 0)
            tile[raw, i] = value_at(arena, values, min(rank, n - 1)) if n > 0 else 0

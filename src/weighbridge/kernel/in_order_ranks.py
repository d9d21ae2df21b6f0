"""Quantiles of keys whose events arrived in order: a set of sorted values that moves with its window."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.entity_plan import KIND, LINE, ORDERS, PART, RAWS, Raw
from weighbridge.kernel.formulas import rank_below
from weighbridge.kernel.in_order import BITS, FIELDS, START, chosen
from weighbridge.kernel.program import table
from weighbridge.kernel.sorted_values import VALUES, add_value, drop_value, free_set, new_set, value_at

SET, LEFT, RIGHT, WIDTH = range(4)  # of the state: the set's address, the first row in it, the first behind it


@njit(cache=True, nogil=True)
def rank_values(
    program: Ints, span: Ints, a: int, b: int, order: int, arena: Ints, state: Ints, edges: Ints, raws: Ints
) -> None:
    """Write the values at the ranks that the quantiles of one window ask for."""
    row, wanted = table(program, ORDERS)[order], table(program, RAWS)
    levels, values, bits = wanted.view(np.float64), span[FIELDS + row[3]], span[BITS]
    for r in range(a, b):
        if span[START, r] == r:
            if state[SET]:
                free_set(arena, state[SET])
            state[SET], state[LEFT], state[RIGHT] = new_set(arena), r, r
        low, high = edges[row[0], r - a], edges[row[1], r - a]
        while state[RIGHT] < high:
            if chosen(bits, state[RIGHT], row[2]):
                add_value(arena, state[SET], values[state[RIGHT]])
            state[RIGHT] += 1
        while state[LEFT] < low:
            if chosen(bits, state[LEFT], row[2]):
                drop_value(arena, state[SET], values[state[LEFT]])
            state[LEFT] += 1
        n = arena[state[SET] + VALUES]
        for raw in range(len(wanted)):
            asked = wanted[raw, LINE] == order and (wanted[raw, KIND] == Raw.BELOW or wanted[raw, KIND] == Raw.ABOVE)
            if asked and n > 0:
                rank = rank_below(n, levels[raw, PART])
                raws[raw, r - a] = value_at(
                    arena, state[SET], rank if wanted[raw, KIND] == Raw.BELOW else min(rank + 1, n - 1)
                )
            elif asked:
                raws[raw, r - a] = 0

"""Which selections an event belongs to, and what it adds to a running sum."""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import RunningSum


@njit(cache=True, nogil=True)
def selected(terms: Ints, values: Ints) -> int:
    """Return the bits of the selections that an event's values (int64[f]) meet."""
    bits = 0
    for number in range(len(terms)):
        bits |= 1 << terms[number, 0]
    for number in range(len(terms)):
        value, operator, operand = values[terms[number, 1]], terms[number, 2], terms[number, 3]
        if value == MISSING:
            met = False
        elif operator == 0:
            met = value == operand
        elif operator == 1:
            met = value != operand
        elif operator == 2:
            met = value >= operand
        elif operator == 3:
            met = value <= operand
        elif operator == 4:
            met = value > operand
        elif operator == 5:
            met = value < operand
        else:
            met = True
        if not met:
            bits &= ~(1 << terms[number, 0])
    return bits


@njit(cache=True, nogil=True)
def addend(kind: int, value: int) -> int:
    """Return what a value adds to a running sum."""
    if kind == RunningSum.COUNT:
        return 1
    return value if kind == RunningSum.SUM else value * value

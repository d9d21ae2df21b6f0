"""The labels that a history knows: counted in windows, and the run of positives that ends at the newest.

The directory keeps how many negative and how many positive labels of each selection lie before each block, so that a
label changes a number of each later block, and a decision finds what it asks for by binary search.
"""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arena import at_most
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import LABELS
from weighbridge.kernel.history import (
    BITS,
    BLOCKS,
    LABEL,
    Edge,
    block_at,
    holds,
    label_line,
    line_at,
    summary_at,
)
from weighbridge.kernel.program import cell


@njit(cache=True, nogil=True)
def labels_in(arena: Ints, program: Ints, root: int, number: int, begin: int, end: int, line: int, label: int) -> int:
    """Return how many selected events in some slots of a block have a label of this value."""
    labels, bits = line_at(arena, root, number, LABEL), line_at(arena, root, number, BITS)
    selection, count = cell(program, LABELS, line, 0), 0
    for slot in range(begin, end):
        count += arena[labels + slot] == label and holds(arena, bits, slot, selection)
    return count


@njit(cache=True, nogil=True)
def labels_before(arena: Ints, program: Ints, root: int, number: int, slot: int, line: int, label: int) -> int:
    """Return how many labels of this value lie before an edge; only differences between edges mean something."""
    if arena[root + BLOCKS] == 0:
        return 0
    before = arena[summary_at(arena, root, label_line(program, line) + label) + number]
    return before + labels_in(arena, program, root, number, 0, slot, line, label)


@njit(cache=True, nogil=True)
def labelled(arena: Ints, program: Ints, root: int, low: Edge, high: Edge, line: int, label: int) -> int:
    """Return how many selected events between two edges have a label of this value."""
    if low[0] == high[0]:
        return labels_in(arena, program, root, low[0], low[1], high[1], line, label)
    return labels_before(arena, program, root, high[0], high[1], line, label) - labels_before(
        arena, program, root, low[0], low[1], line, label
    )


@njit(cache=True, nogil=True)
def place_of_label(arena: Ints, program: Ints, root: int, below: int, last: int, line: int, label: int) -> Edge:
    """Return (block, slot) of the label of this value that has `below` of them before it, in blocks up to `last`."""
    counts = summary_at(arena, root, label_line(program, line) + label)
    number = at_most(arena, counts, last + 1, below) - 1
    labels, bits = line_at(arena, root, number, LABEL), line_at(arena, root, number, BITS)
    selection, slot, before = cell(program, LABELS, line, 0), 0, arena[counts + number]
    while True:
        if arena[labels + slot] == label and holds(arena, bits, slot, selection):
            if before == below:
                return number, slot
            before += 1
        slot += 1


@njit(cache=True, nogil=True)
def streak(arena: Ints, program: Ints, root: int, low: Edge, high: Edge, line: int) -> tuple[int, int]:
    """Return the run of positives that ends at the newest labelled event: its length and its first event's time."""
    first, last = low, labels_before(arena, program, root, high[0], high[1], line, 1)
    negatives = labels_before(arena, program, root, high[0], high[1], line, 0)
    if negatives > labels_before(arena, program, root, low[0], low[1], line, 0):
        first = place_of_label(arena, program, root, negatives - 1, high[0], line, 0)
    below = labels_before(arena, program, root, first[0], first[1], line, 1)
    if below == last:
        return 0, MISSING
    number, slot = place_of_label(arena, program, root, below, high[0], line, 1)
    return last - below, arena[block_at(arena, root, number) + slot]

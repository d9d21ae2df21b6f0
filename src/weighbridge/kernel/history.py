"""One key's history: its events in time order, in blocks, with a directory that says what each block adds up to.

It lives in an arena. A root names the directory; a block holds up to 128 events as lines (EVENT_US, ID, LABEL, BITS,
the kept fields, the running sums within the block, then for each occurrence the times of the previous and the next
event of the same value). The directory has one column a block: its address, its first event's time, its events, how
many events came before it, the running sums before it, its smallest and largest values, the negative and positive
labels before it. So an edge of a window is found by two binary searches, a sum over a window is one subtraction, and
a late event moves at most one block. When old blocks are forgotten the directory begins GONE columns further on.

An event goes behind all events of its own time: histories are filled in the order of arrival.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arena import LARGEST, LONGEST, at_most, take
from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import (
    CURSORS,
    EXTREMES,
    FIELD_PLACES,
    LABELS,
    OCCURRENCES,
    ORDERS,
    SUMS,
)
from weighbridge.kernel.program import cell, count_of

# words of a root; behind them three for each hash (address, size, used), cursor (low, high, count) and order (low,
# high, address)
N, DIRECTORY, BLOCKS, ROOM, GONE, CAPACITY, ROOT = range(7)
EVENT_US, ID, LABEL, BITS, FIELDS = range(5)  # lines of a block
ADDRESS, FIRST_US, COUNT, BEFORE, ADDED = range(5)  # lines of a directory
UNKNOWN = -1  # a label that has not arrived
FULL = 128  # events of a block; the only block of a short history is smaller
GROUP = 64  # blocks whose extremes are summed up once more
NEVER, FOREVER = MISSING, np.iinfo(np.int64).max
Edge = tuple[int, int]  # (block, slot) of the first event behind it


@njit(cache=True, nogil=True)
def block_lines(program: Ints) -> int:
    """Return how many lines a block has."""
    return running_line(program, count_of(program, SUMS)) + 2 * count_of(program, OCCURRENCES)


@njit(cache=True, nogil=True)
def running_line(program: Ints, number: int) -> int:
    """Return the block line of a running sum."""
    return FIELDS + count_of(program, FIELD_PLACES) + number


@njit(cache=True, nogil=True)
def directory_lines(program: Ints) -> int:
    """Return how many lines a directory has."""
    return label_line(program, count_of(program, LABELS))


@njit(cache=True, nogil=True)
def extreme_line(program: Ints, number: int) -> int:
    """Return the directory line of an extreme."""
    return ADDED + count_of(program, SUMS) + number


@njit(cache=True, nogil=True)
def label_line(program: Ints, number: int) -> int:
    """Return the directory line of a selection's negative labels; that of the positive ones follows it."""
    return extreme_line(program, count_of(program, EXTREMES)) + 2 * number


@njit(cache=True, nogil=True)
def groups_of(room: int) -> int:
    """Return how many groups of blocks a directory with so much room has for each extreme."""
    return room // GROUP + 1


@njit(cache=True, nogil=True)
def directory_words(program: Ints, room: int) -> int:
    """Return how many words a directory takes: its lines, then the groups of its extremes."""
    return directory_lines(program) * room + count_of(program, EXTREMES) * groups_of(room)


@njit(cache=True, nogil=True)
def root_words(program: Ints) -> int:
    """Return how many words a root has."""
    parts = count_of(program, OCCURRENCES) + count_of(program, CURSORS) + count_of(program, ORDERS)
    return ROOT + 3 * parts


@njit(cache=True, nogil=True)
def words_for_one(arena: Ints, program: Ints) -> int:
    """Return a number of words that one event, its decision and its insertion, cannot exceed."""
    orders, parts = count_of(program, ORDERS), 3 + count_of(program, OCCURRENCES)
    grown = 3 * arena[LARGEST] + 2 * FULL * (block_lines(program) + directory_lines(program))
    return (parts + 2 * orders) * grown + 4 * orders * arena[LONGEST]


@njit(cache=True, nogil=True)
def cursor_at(program: Ints, root: int, number: int) -> int:
    """Return the address of a distinct count's cursor."""
    return root + ROOT + 3 * (count_of(program, OCCURRENCES) + number)


@njit(cache=True, nogil=True)
def order_at(program: Ints, root: int, number: int) -> int:
    """Return the address of an ordered window's cursor."""
    return cursor_at(program, root, count_of(program, CURSORS) + number)


@njit(cache=True, nogil=True)
def new_history(arena: Ints, program: Ints) -> int:
    """Return the root of an empty history."""
    words = root_words(program)
    root = take(arena, words)
    arena[root : root + words] = 0
    forget_cursors(arena, program, root, FOREVER)
    return root


@njit(cache=True, nogil=True)
def forget_cursors(arena: Ints, program: Ints, root: int, before_us: int) -> None:
    """Set the distinct counts' cursors that begin before a time to an empty window before all events."""
    for number in range(count_of(program, CURSORS)):
        place = cursor_at(program, root, number)
        if arena[place] < before_us:
            arena[place], arena[place + 1], arena[place + 2] = NEVER, NEVER, 0


@njit(cache=True, nogil=True)
def find(arena: Ints, root: int, at_us: int) -> Edge:
    """Return the edge behind the events at or before a time."""
    number = at_most(arena, arena[root + DIRECTORY] + FIRST_US * arena[root + ROOM], arena[root + BLOCKS], at_us) - 1
    if number < 0:
        return 0, 0
    return number, at_most(arena, block_at(arena, root, number), count_at(arena, root, number), at_us)


@njit(cache=True, nogil=True)
def block_at(arena: Ints, root: int, number: int) -> int:
    """Return the address of a block."""
    return arena[arena[root + DIRECTORY] + number]


@njit(cache=True, nogil=True)
def count_at(arena: Ints, root: int, number: int) -> int:
    """Return the number of events in a block."""
    return arena[arena[root + DIRECTORY] + COUNT * arena[root + ROOM] + number]


@njit(cache=True, nogil=True)
def line_at(arena: Ints, root: int, number: int, line: int) -> int:
    """Return the address of a line of a block."""
    return block_at(arena, root, number) + line * arena[root + CAPACITY]


@njit(cache=True, nogil=True)
def summary_at(arena: Ints, root: int, line: int) -> int:
    """Return the address of a line of the directory."""
    return arena[root + DIRECTORY] + line * arena[root + ROOM]


@njit(cache=True, nogil=True)
def position(arena: Ints, root: int, number: int, slot: int) -> int:
    """Return how many events lie before an edge, counted from a start that is common to all edges of a history."""
    if arena[root + BLOCKS] == 0:
        return 0
    return arena[summary_at(arena, root, BEFORE) + number] + slot


@njit(cache=True, nogil=True)
def length(arena: Ints, root: int, low: Edge, high: Edge) -> int:
    """Return how many events lie between two edges."""
    return position(arena, root, high[0], high[1]) - position(arena, root, low[0], low[1])


@njit(cache=True, nogil=True)
def slots_between(arena: Ints, root: int, number: int, low: Edge, high: Edge) -> tuple[int, int]:
    """Return (begin, end): which slots of a block, one of the blocks low[0] to high[0], lie between two edges."""
    return low[1] if number == low[0] else 0, high[1] if number == high[0] else count_at(arena, root, number)


@njit(cache=True, nogil=True)
def moved(arena: Ints, root: int, cursor: int, low: Edge, high: Edge) -> tuple[Edge, Edge, int, int]:
    """Return where the window of a cursor (address of: low, high) begins and ends, and how far both have to move."""
    was_low, was_high = find(arena, root, arena[cursor]), find(arena, root, arena[cursor + 1])
    left = position(arena, root, low[0], low[1]) - position(arena, root, was_low[0], was_low[1])
    right = position(arena, root, high[0], high[1]) - position(arena, root, was_high[0], was_high[1])
    return was_low, was_high, left, right


@njit(cache=True, nogil=True)
def holds(arena: Ints, bits: int, slot: int, selection: int) -> bool:
    """Return whether the event in a slot belongs to a selection; bits: address of the block's BITS line."""
    return selection < 0 or (arena[bits + slot] >> selection) & 1 == 1


@njit(cache=True, nogil=True)
def sum_before(arena: Ints, program: Ints, root: int, number: int, slot: int, line: int) -> int:
    """Return a running sum at an edge; only differences between edges mean something."""
    if arena[root + BLOCKS] == 0:
        return 0
    total = arena[summary_at(arena, root, ADDED + line) + number]
    if slot > 0:
        total += arena[line_at(arena, root, number, running_line(program, line)) + slot - 1]
    return total


@njit(cache=True, nogil=True)
def locate(arena: Ints, root: int, event_us: int, identity: int) -> tuple[int, int]:
    """Return (block, slot) of an event, or (-1, -1) where the history does not hold it."""
    number, slot = find(arena, root, event_us)
    while number >= 0 and arena[root + BLOCKS] > 0:
        times, ids = line_at(arena, root, number, EVENT_US), line_at(arena, root, number, ID)
        while slot > 0:
            slot -= 1
            if arena[times + slot] != event_us:
                return -1, -1
            if arena[ids + slot] == identity:
                return number, slot
        number -= 1
        if number >= 0:
            slot = count_at(arena, root, number)
    return -1, -1


@njit(cache=True, nogil=True)
def set_label(arena: Ints, program: Ints, root: int, event_us: int, identity: int, label: int) -> None:
    """Write the label of an event where the history holds it."""
    number, slot = locate(arena, root, event_us, identity)
    if number < 0:
        return
    place = line_at(arena, root, number, LABEL) + slot
    if arena[place] != label:
        shift_label(arena, program, root, number, slot, -1)
        arena[place] = label
        shift_label(arena, program, root, number, slot, 1)


@njit(cache=True, nogil=True)
def shift_label(arena: Ints, program: Ints, root: int, number: int, slot: int, sign: int) -> None:
    """Add the label of the event in a slot to what lies before all later blocks, or take it off (sign -1)."""
    label = arena[line_at(arena, root, number, LABEL) + slot]
    if label == UNKNOWN:
        return
    bits, blocks = line_at(arena, root, number, BITS), arena[root + BLOCKS]
    for line in range(count_of(program, LABELS)):
        if holds(arena, bits, slot, cell(program, LABELS, line, 0)):
            place = summary_at(arena, root, label_line(program, line) + label)
            for later in range(number + 1, blocks):
                arena[place + later] += sign

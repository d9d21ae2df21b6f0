"""The newest occurrence of each value of a history of several blocks: one hash table for each occurrence line.

A table forgets what lies before the history when it grows, so it never needs to delete.
"""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arena import give_back, take
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.entity_plan import OCCURRENCES
from weighbridge.kernel.history import (
    BITS,
    BLOCKS,
    FIELDS,
    FIRST_US,
    NEVER,
    ROOT,
    block_at,
    count_at,
    holds,
    line_at,
    summary_at,
)
from weighbridge.kernel.program import table

FIRST_SIZE = 256  # slots of a new table, a power of two
GONE = NEVER + 1  # the time of a value whose only occurrence was taken back
_SPREAD = 0x9E3779B97F4A7C15 - (1 << 64)  # 2**64 / golden ratio (Knuth, TAOCP 6.4), as int64


@njit(cache=True, nogil=True)
def home_of(value: int, mask: int) -> int:
    """Return the slot where a value belongs in a hash table of mask + 1 slots, a power of two."""
    mixed = value * _SPREAD
    return (mixed ^ (mixed >> 29)) & mask


@njit(cache=True, nogil=True)
def slot_of(arena: Ints, hashed: int, size: int, value: int) -> int:
    """Return the address of a value's slot (value, newest time), or of the empty slot where it belongs."""
    slot = home_of(value, size - 1)
    while arena[hashed + 2 * slot + 1] != NEVER and arena[hashed + 2 * slot] != value:
        slot = (slot + 1) & (size - 1)
    return hashed + 2 * slot


@njit(cache=True, nogil=True)
def newest_time(arena: Ints, root: int, line: int, value: int) -> int:
    """Return the time of a value's newest occurrence (of a history of several blocks), or NEVER."""
    place = root + ROOT + 3 * line
    found = arena[slot_of(arena, arena[place], arena[place + 1], value) + 1]
    return found if found != GONE else NEVER


@njit(cache=True, nogil=True)
def set_newest(arena: Ints, root: int, line: int, value: int, at_us: int) -> None:
    """Write the time of a value's newest occurrence; the table grows, and forgets what the history has forgotten."""
    place = root + ROOT + 3 * line
    slot = slot_of(arena, arena[place], arena[place + 1], value)
    if arena[slot + 1] == NEVER:
        arena[place + 2] += 1
    arena[slot] = value
    arena[slot + 1] = max(at_us, GONE)
    if 2 * arena[place + 2] > arena[place + 1]:
        old, size = arena[place], arena[place + 1]
        first_us, kept = arena[summary_at(arena, root, FIRST_US)], 0
        for number in range(size):
            kept += 1 if arena[old + 2 * number + 1] >= first_us else 0
        empty_table(arena, place, max(FIRST_SIZE, size if 4 * kept <= size else 2 * size))
        for number in range(size):
            if arena[old + 2 * number + 1] >= first_us:
                slot = slot_of(arena, arena[place], arena[place + 1], arena[old + 2 * number])
                arena[slot] = arena[old + 2 * number]
                arena[slot + 1] = arena[old + 2 * number + 1]
                arena[place + 2] += 1
        give_back(arena, old, 2 * size)


@njit(cache=True, nogil=True)
def empty_table(arena: Ints, place: int, size: int) -> None:
    """Put an empty hash table at a place of a root (address, size, used)."""
    found = take(arena, 2 * size)
    for number in range(size):
        arena[found + 2 * number + 1] = NEVER
    arena[place], arena[place + 1], arena[place + 2] = found, size, 0


@njit(cache=True, nogil=True)
def hash_values(arena: Ints, program: Ints, root: int) -> None:
    """Build the hash tables of a history that has just got its second block."""
    lines = table(program, OCCURRENCES)
    for line in range(len(lines)):
        place = root + ROOT + 3 * line
        if arena[place]:
            give_back(arena, arena[place], 2 * arena[place + 1])
        empty_table(arena, place, FIRST_SIZE)
        for number in range(arena[root + BLOCKS]):
            values, times = line_at(arena, root, number, FIELDS + lines[line, 1]), block_at(arena, root, number)
            bits = line_at(arena, root, number, BITS)
            for slot in range(count_at(arena, root, number)):
                if holds(arena, bits, slot, lines[line, 0]):
                    set_newest(arena, root, line, arena[values + slot], arena[times + slot])

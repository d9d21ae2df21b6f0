"""Where a value occurred before and next in a history: distinct counts, and whether a value was seen.

The number of distinct values in a window (low, high] is the number of its events whose previous occurrence is at or
before `low`, and also of those whose next one is after `high`. So a count moves with its window: the events that
enter or leave on the right are asked for the previous occurrence, those on the left for the next.

Of a history with more than one block, `newest` knows each value's newest occurrence; a single block is searched.
"""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arrays import MISSING, Ints
from weighbridge.kernel.entity_plan import CURSORS, OCCURRENCES, SUMS
from weighbridge.kernel.history import (
    BITS,
    BLOCKS,
    FIELDS,
    FOREVER,
    NEVER,
    Edge,
    block_at,
    count_at,
    cursor_at,
    find,
    holds,
    length,
    line_at,
    moved,
    running_line,
    slots_between,
)
from weighbridge.kernel.newest import newest_time, set_newest
from weighbridge.kernel.program import cell, count_of, table


@njit(cache=True, nogil=True)
def previous_line(program: Ints, line: int) -> int:
    """Return the block line of an occurrence's previous times; the next times follow it."""
    return running_line(program, count_of(program, SUMS)) + 2 * line


@njit(cache=True, nogil=True)
def before(
    arena: Ints, root: int, number: int, slot: int, row: Ints, value: int, not_before_us: int
) -> tuple[int, int]:
    """Return (block, slot) of the newest occurrence of a value before an edge, not before a time; (-1, -1) if none."""
    while number >= 0:
        values, bits = line_at(arena, root, number, FIELDS + row[1]), line_at(arena, root, number, BITS)
        times = block_at(arena, root, number)
        while slot > 0:
            slot -= 1
            if arena[times + slot] < not_before_us:
                return -1, -1
            if arena[values + slot] == value and holds(arena, bits, slot, row[0]):
                return number, slot
        number -= 1
        if number >= 0:
            slot = count_at(arena, root, number)
    return -1, -1


@njit(cache=True, nogil=True)
def after(arena: Ints, root: int, number: int, slot: int, row: Ints, value: int) -> tuple[int, int]:
    """Return (block, slot) of the first occurrence of a value behind an edge; (-1, -1) if there is none."""
    while number < arena[root + BLOCKS]:
        values, bits = line_at(arena, root, number, FIELDS + row[1]), line_at(arena, root, number, BITS)
        for place in range(slot, count_at(arena, root, number)):
            if arena[values + place] == value and holds(arena, bits, place, row[0]):
                return number, place
        number, slot = number + 1, 0
    return -1, -1


@njit(cache=True, nogil=True)
def link(arena: Ints, program: Ints, root: int, number: int, slot: int) -> None:
    """Connect an event that has just been put in a slot with the neighbours of its values."""
    if count_of(program, OCCURRENCES) == 0:
        return
    lines = table(program, OCCURRENCES)
    event_us = arena[block_at(arena, root, number) + slot]
    for line in range(len(lines)):
        previous = previous_line(program, line)
        mine = line_at(arena, root, number, previous) + slot
        my_next = line_at(arena, root, number, previous + 1) + slot
        if not holds(arena, line_at(arena, root, number, BITS), slot, lines[line, 0]):
            arena[mine], arena[my_next] = FOREVER, NEVER  # counts on neither side
            continue
        value = arena[line_at(arena, root, number, FIELDS + lines[line, 1]) + slot]
        many, newest = arena[root + BLOCKS] > 1, FOREVER
        if many:
            newest = newest_time(arena, root, line, value)
            set_newest(arena, root, line, value, max(newest, event_us))
        arena[mine], arena[my_next] = NEVER, FOREVER
        if newest == NEVER:
            continue
        left, right, place = -1, -1, 0
        if newest > event_us:
            right, place = after(arena, root, number, slot + 1, lines[line], value)
        if right >= 0:
            theirs = line_at(arena, root, right, previous) + place
            arena[my_next] = arena[block_at(arena, root, right) + place]
            arena[mine], arena[theirs] = arena[theirs], event_us
        elif many:
            arena[mine] = newest
        if right < 0 or arena[mine] != NEVER:
            oldest = arena[mine] if right >= 0 or many else NEVER
            first, behind = find(arena, root, oldest) if NEVER < oldest < event_us else (number, slot)
            left, place = before(arena, root, first, behind, lines[line], value, oldest)
            if right < 0 and not many and left >= 0:
                arena[mine] = arena[block_at(arena, root, left) + place]
            if left >= 0:
                arena[line_at(arena, root, left, previous + 1) + place] = event_us


@njit(cache=True, nogil=True)
def unlink(arena: Ints, program: Ints, root: int, number: int, slot: int) -> None:
    """Take an event that is about to leave its slot out of the chains of its values."""
    lines = table(program, OCCURRENCES)
    for line in range(len(lines)):
        previous = previous_line(program, line)
        if not holds(arena, line_at(arena, root, number, BITS), slot, lines[line, 0]):
            continue
        value = arena[line_at(arena, root, number, FIELDS + lines[line, 1]) + slot]
        was = arena[line_at(arena, root, number, previous) + slot]
        follows = arena[line_at(arena, root, number, previous + 1) + slot]
        if follows != FOREVER:
            right, place = after(arena, root, number, slot + 1, lines[line], value)
            arena[line_at(arena, root, right, previous) + place] = was
        elif arena[root + BLOCKS] > 1:
            set_newest(arena, root, line, value, was)
        if was != NEVER:
            event_us = arena[block_at(arena, root, number) + slot]
            first, behind = find(arena, root, was) if was < event_us else (number, slot)
            left, place = before(arena, root, first, behind, lines[line], value, was)
            if left >= 0:
                arena[line_at(arena, root, left, previous + 1) + place] = follows


@njit(cache=True, nogil=True)
def seen(arena: Ints, root: int, row: Ints, line: int, previous: int, low_us: int, high_us: int, value: int) -> int:
    """Return 1 when a value occurred in the window (low, high], else 0; MISSING for a missing value."""
    if value == MISSING or arena[root + BLOCKS] == 0:
        return MISSING if value == MISSING else 0
    if arena[root + BLOCKS] > 1:
        newest = newest_time(arena, root, line, value)
        if newest <= high_us:
            return 1 if newest > low_us and newest != NEVER else 0
        number, slot = find(arena, root, high_us)
        number, slot = after(arena, root, number, slot, row, value)
        return 1 if arena[line_at(arena, root, number, previous) + slot] > low_us else 0
    number, slot = find(arena, root, high_us)
    number, slot = before(arena, root, number, slot, row, value, low_us + 1)
    return 1 if number >= 0 else 0


@njit(cache=True, nogil=True)
def count_times(arena: Ints, root: int, line: int, first: Edge, last: Edge, edge_us: int, later: bool) -> int:
    """Return how many events between two edges have a line's time after `edge_us` (not `later`: at or before it)."""
    count = 0
    for number in range(first[0], min(last[0] + 1, arena[root + BLOCKS])):
        begin, end = slots_between(arena, root, number, first, last)
        times = line_at(arena, root, number, line)
        for place in range(times + begin, times + end):
            count += (arena[place] > edge_us) == later
    return count


@njit(cache=True, nogil=True)
def distinct(
    arena: Ints, program: Ints, root: int, cursor: int, low_us: int, high_us: int, low: Edge, high: Edge
) -> int:  # fmt: skip
    """Return the number of distinct values in the window (low, high], and leave the cursor there."""
    previous = previous_line(program, cell(program, CURSORS, cursor, 2))
    if arena[root + BLOCKS] <= 1:
        return count_times(arena, root, previous, low, high, low_us, False)
    place = cursor_at(program, root, cursor)
    was_low_us, count = arena[place], arena[place + 2]
    was_low, was_high, left, right = moved(arena, root, place, low, high)
    if abs(left) + abs(right) >= length(arena, root, low, high):
        count = count_times(arena, root, previous, low, high, low_us, False)
    else:
        if right >= 0:
            count += count_times(arena, root, previous, was_high, high, was_low_us, False)
        else:
            count -= count_times(arena, root, previous, high, was_high, was_low_us, False)
        if left >= 0:
            count -= count_times(arena, root, previous + 1, was_low, low, high_us, True)
        else:
            count += count_times(arena, root, previous + 1, low, was_low, high_us, True)
    arena[place], arena[place + 1], arena[place + 2] = low_us, high_us, count
    return count

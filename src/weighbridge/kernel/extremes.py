"""The smallest and largest values of a history: of each block, and of each group of 64 neighbouring ones.

A group is 64 columns of the directory as it lies in memory, so that it stays when old blocks are forgotten.
"""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.entity_plan import EXTREMES
from weighbridge.kernel.history import (
    BITS,
    BLOCKS,
    DIRECTORY,
    FIELDS,
    FOREVER,
    GONE,
    GROUP,
    NEVER,
    ROOM,
    Edge,
    count_at,
    directory_lines,
    extreme_line,
    groups_of,
    holds,
    line_at,
    summary_at,
)
from weighbridge.kernel.program import cell, count_of


@njit(cache=True, nogil=True)
def group_at(arena: Ints, program: Ints, root: int, line: int) -> int:
    """Return the address of the groups of an extreme: behind the lines of the directory."""
    room, begin = arena[root + ROOM], arena[root + DIRECTORY] - arena[root + GONE]
    return begin + directory_lines(program) * room + line * groups_of(room)


@njit(cache=True, nogil=True)
def extreme_of_words(arena: Ints, first: int, last: int, smallest: bool) -> int:
    """Return the smallest or largest of neighbouring words; of none, a value beyond all."""
    found = FOREVER if smallest else NEVER
    if smallest:
        for place in range(first, last):
            found = min(found, arena[place])
    else:
        for place in range(first, last):
            found = max(found, arena[place])
    return found


@njit(cache=True, nogil=True)
def regroup(arena: Ints, program: Ints, root: int, number: int) -> None:
    """Write the groups from that of a block on, from the blocks."""
    gone, blocks = arena[root + GONE], arena[root + BLOCKS]
    for line in range(count_of(program, EXTREMES)):
        smallest, groups = cell(program, EXTREMES, line, 0) > 0, group_at(arena, program, root, line)
        summary = summary_at(arena, root, extreme_line(program, line))
        for group in range((gone + number) // GROUP, (gone + blocks - 1) // GROUP + 1):
            first, last = max(group * GROUP - gone, 0), min((group + 1) * GROUP - gone, blocks)
            arena[groups + group] = extreme_of_words(arena, summary + first, summary + last, smallest)


@njit(cache=True, nogil=True)
def empty_extremes(arena: Ints, program: Ints, root: int, number: int) -> None:
    """Set a block's extremes to those of no event."""
    for line in range(count_of(program, EXTREMES)):
        none = FOREVER if cell(program, EXTREMES, line, 0) > 0 else NEVER
        arena[summary_at(arena, root, extreme_line(program, line)) + number] = none


@njit(cache=True, nogil=True)
def summarise(arena: Ints, program: Ints, root: int, number: int) -> None:
    """Write a block's extremes from its events."""
    empty_extremes(arena, program, root, number)
    for slot in range(count_at(arena, root, number)):
        widen_extremes(arena, program, root, number, slot)
    regroup(arena, program, root, number)


@njit(cache=True, nogil=True)
def widen_extremes(arena: Ints, program: Ints, root: int, number: int, slot: int) -> None:
    """Let the extremes of a block and of its group take in the event in a slot."""
    bits, group = line_at(arena, root, number, BITS), (arena[root + GONE] + number) // GROUP
    for line in range(count_of(program, EXTREMES)):
        if holds(arena, bits, slot, cell(program, EXTREMES, line, 1)):
            value = arena[line_at(arena, root, number, FIELDS + cell(program, EXTREMES, line, 2)) + slot]
            smallest = cell(program, EXTREMES, line, 0) > 0
            of_block = summary_at(arena, root, extreme_line(program, line)) + number
            of_group = group_at(arena, program, root, line) + group
            arena[of_block] = min(arena[of_block], value) if smallest else max(arena[of_block], value)
            arena[of_group] = min(arena[of_group], value) if smallest else max(arena[of_group], value)


@njit(cache=True, nogil=True)
def extreme_of_slots(arena: Ints, program: Ints, root: int, line: int, number: int, begin: int, end: int) -> int:
    """Return the smallest or largest selected value of some slots of a block."""
    smallest, selection = cell(program, EXTREMES, line, 0) > 0, cell(program, EXTREMES, line, 1)
    values = line_at(arena, root, number, FIELDS + cell(program, EXTREMES, line, 2))
    if selection < 0:
        return extreme_of_words(arena, values + begin, values + end, smallest)
    bits, found = line_at(arena, root, number, BITS), FOREVER if smallest else NEVER
    for slot in range(begin, end):
        if holds(arena, bits, slot, selection):
            value = arena[values + slot]
            found = min(found, value) if smallest else max(found, value)
    return found


@njit(cache=True, nogil=True)
def extreme_of_blocks(arena: Ints, program: Ints, root: int, line: int, first: int, last: int) -> int:
    """Return the smallest or largest selected value of the blocks from first up to last, by whole groups inside."""
    smallest, gone = cell(program, EXTREMES, line, 0) > 0, arena[root + GONE]
    summary = summary_at(arena, root, extreme_line(program, line))
    from_group, to_group = (gone + first + GROUP - 1) // GROUP, (gone + last) // GROUP
    if from_group >= to_group:
        return extreme_of_words(arena, summary + first, summary + last, smallest)
    groups = group_at(arena, program, root, line)
    whole = extreme_of_words(arena, groups + from_group, groups + to_group, smallest)
    left = extreme_of_words(arena, summary + first, summary + from_group * GROUP - gone, smallest)
    right = extreme_of_words(arena, summary + to_group * GROUP - gone, summary + last, smallest)
    return min(left, whole, right) if smallest else max(left, whole, right)


@njit(cache=True, nogil=True)
def extreme(arena: Ints, program: Ints, root: int, low: Edge, high: Edge, line: int) -> int:
    """Return the smallest or largest selected value between two edges; of no value, a value beyond all."""
    if arena[root + BLOCKS] == 0:
        return 0
    if low[0] == high[0] and (low[1] > 0 or high[1] < count_at(arena, root, high[0])):
        return extreme_of_slots(arena, program, root, line, low[0], low[1], high[1])
    first, last = low[0], high[0] + 1  # the blocks that lie whole between the edges
    smallest = cell(program, EXTREMES, line, 0) > 0
    found = FOREVER if smallest else NEVER
    if low[1] > 0:
        found = extreme_of_slots(arena, program, root, line, low[0], low[1], count_at(arena, root, low[0]))
        first += 1
    if high[1] < count_at(arena, root, high[0]):
        part = extreme_of_slots(arena, program, root, line, high[0], 0, high[1])
        found = min(found, part) if smallest else max(found, part)
        last -= 1
    part = extreme_of_blocks(arena, program, root, line, first, last)
    return min(found, part) if smallest else max(found, part)

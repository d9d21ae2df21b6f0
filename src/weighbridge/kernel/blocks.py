"""The blocks of a history: opened, widened, split, summed up and dropped."""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arena import give_back, take
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.entity_plan import LABELS, OCCURRENCES, SUMS
from weighbridge.kernel.extremes import empty_extremes, regroup, summarise
from weighbridge.kernel.history import (
    ADDED,
    BEFORE,
    BITS,
    BLOCKS,
    CAPACITY,
    COUNT,
    DIRECTORY,
    FIELDS,
    FIRST_US,
    FULL,
    GONE,
    ROOM,
    ROOT,
    block_at,
    block_lines,
    count_at,
    directory_lines,
    directory_words,
    holds,
    label_line,
    line_at,
    root_words,
    running_line,
    sum_before,
    summary_at,
)
from weighbridge.kernel.known_labels import labels_before
from weighbridge.kernel.program import cell, count_of
from weighbridge.kernel.selection import addend

FIRST_CAPACITY = 4


@njit(cache=True, nogil=True)
def move_lines(arena: Ints, source: int, source_room: int, target: int, target_room: int, lines: int, n: int) -> None:
    """Copy the first n columns of so many lines to another place."""
    for line in range(lines):
        for column in range(n):
            arena[target + line * target_room + column] = arena[source + line * source_room + column]


@njit(cache=True, nogil=True)
def see_to_directory(arena: Ints, program: Ints, root: int) -> None:
    """Make place for a block at the end of a full directory: where half of it is gone, the rest moves to its front."""
    room, gone, lines = arena[root + ROOM], arena[root + GONE], directory_lines(program)
    begin, wider = arena[root + DIRECTORY] - gone, room if 2 * gone > room else max(2 * room, 1)
    found = begin if wider == room else take(arena, directory_words(program, wider))
    move_lines(arena, begin + gone, room, found, wider, lines, arena[root + BLOCKS])
    if room and wider > room:
        give_back(arena, begin, directory_words(program, room))
    arena[root + DIRECTORY], arena[root + ROOM], arena[root + GONE] = found, wider, 0
    regroup(arena, program, root, 0)


@njit(cache=True, nogil=True)
def open_block(arena: Ints, program: Ints, root: int, number: int) -> None:
    """Put an empty block into the directory; its running sums are those at its beginning."""
    blocks, lines = arena[root + BLOCKS], directory_lines(program)
    if arena[root + GONE] + blocks == arena[root + ROOM]:
        see_to_directory(arena, program, root)
    if blocks == 0:
        arena[root + CAPACITY] = FIRST_CAPACITY
    for line in range(lines):
        place = summary_at(arena, root, line)
        for column in range(blocks, number, -1):
            arena[place + column] = arena[place + column - 1]
        if line >= COUNT:
            arena[place + number] = 0
    arena[arena[root + DIRECTORY] + number] = take(arena, block_lines(program) * arena[root + CAPACITY])
    arena[root + BLOCKS] = blocks + 1
    empty_extremes(arena, program, root, number)
    regroup(arena, program, root, number)
    if number > 0:
        add_up(arena, program, root, number)


@njit(cache=True, nogil=True)
def add_up(arena: Ints, program: Ints, root: int, number: int) -> None:
    """Write what lies before a block, from the block before it."""
    count = count_at(arena, root, number - 1)
    before = summary_at(arena, root, BEFORE)
    arena[before + number] = arena[before + number - 1] + count
    for line in range(count_of(program, SUMS)):
        place = summary_at(arena, root, ADDED + line)
        arena[place + number] = sum_before(arena, program, root, number - 1, count, line)
    for line in range(count_of(program, LABELS)):
        for label in range(2):
            place = summary_at(arena, root, label_line(program, line) + label)
            arena[place + number] = labels_before(arena, program, root, number - 1, count, line, label)


@njit(cache=True, nogil=True)
def run_up(arena: Ints, program: Ints, root: int, number: int, slot: int) -> None:
    """Write a block's running sums from a slot on; those before it are right already."""
    bits, count = line_at(arena, root, number, BITS), count_at(arena, root, number)
    for line in range(count_of(program, SUMS)):
        kind, selection = cell(program, SUMS, line, 0), cell(program, SUMS, line, 1)
        values = line_at(arena, root, number, FIELDS + max(cell(program, SUMS, line, 2), 0))
        running = line_at(arena, root, number, running_line(program, line))
        total = arena[running + slot - 1] if slot > 0 else 0
        for each in range(slot, count):
            if holds(arena, bits, each, selection):
                total += addend(kind, arena[values + each])
            arena[running + each] = total


@njit(cache=True, nogil=True)
def widen_block(arena: Ints, program: Ints, root: int) -> None:
    """Give the only block of a short history four times its room, up to a full block."""
    capacity, lines = arena[root + CAPACITY], block_lines(program)
    wider = min(4 * capacity, FULL)
    found = take(arena, lines * wider)
    move_lines(arena, block_at(arena, root, 0), capacity, found, wider, lines, count_at(arena, root, 0))
    give_back(arena, block_at(arena, root, 0), lines * capacity)
    arena[arena[root + DIRECTORY]], arena[root + CAPACITY] = found, wider


@njit(cache=True, nogil=True)
def split_block(arena: Ints, program: Ints, root: int, number: int) -> None:
    """Move the second half of a full block to a new one behind it."""
    open_block(arena, program, root, number + 1)
    half, rest = FULL // 2, FULL - FULL // 2
    source, target = block_at(arena, root, number) + half, block_at(arena, root, number + 1)
    move_lines(arena, source, FULL, target, FULL, block_lines(program), rest)
    counts, firsts = summary_at(arena, root, COUNT), summary_at(arena, root, FIRST_US)
    arena[counts + number], arena[counts + number + 1] = half, rest
    arena[firsts + number + 1] = arena[target]
    run_up(arena, program, root, number + 1, 0)
    add_up(arena, program, root, number + 1)
    for part in (number, number + 1):
        summarise(arena, program, root, part)


@njit(cache=True, nogil=True)
def drop_blocks(arena: Ints, program: Ints, root: int, first: int, last: int) -> None:
    """Free the blocks from first up to last and close the gap in the directory."""
    for number in range(first, last):
        give_back(arena, block_at(arena, root, number), block_lines(program) * arena[root + CAPACITY])
    arena[root + BLOCKS] -= last - first
    if first == 0:
        arena[root + DIRECTORY] += last
        arena[root + GONE] += last
        return
    for line in range(directory_lines(program)):
        place = summary_at(arena, root, line)
        for number in range(first, arena[root + BLOCKS]):
            arena[place + number] = arena[place + number - first + last]
    regroup(arena, program, root, first)


@njit(cache=True, nogil=True)
def free_history(arena: Ints, program: Ints, root: int) -> None:
    """Free a history without events in blocks."""
    if arena[root + ROOM]:
        give_back(arena, arena[root + DIRECTORY] - arena[root + GONE], directory_words(program, arena[root + ROOM]))
    for number in range(count_of(program, OCCURRENCES)):
        place = root + ROOT + 3 * number
        if arena[place]:
            give_back(arena, arena[place], 2 * arena[place + 1])
    give_back(arena, root, root_words(program))

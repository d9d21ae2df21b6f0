"""What changes a history: an event put in, the newest one taken back, and old blocks forgotten."""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arena import LONGEST
from weighbridge.kernel.arrays import Ints
from weighbridge.kernel.blocks import (
    drop_blocks,
    free_history,
    open_block,
    run_up,
    split_block,
    widen_block,
)
from weighbridge.kernel.entity_plan import CURSORS, FIELD_PLACES, ORDERS, SUMS, TERMS
from weighbridge.kernel.extremes import summarise, widen_extremes
from weighbridge.kernel.history import (
    ADDED,
    BEFORE,
    BITS,
    BLOCKS,
    CAPACITY,
    COUNT,
    EVENT_US,
    FIELDS,
    FIRST_US,
    FOREVER,
    FULL,
    ID,
    LABEL,
    NEVER,
    N,
    block_at,
    block_lines,
    count_at,
    cursor_at,
    find,
    forget_cursors,
    holds,
    line_at,
    locate,
    order_at,
    shift_label,
    summary_at,
)
from weighbridge.kernel.newest import hash_values
from weighbridge.kernel.occurrences import link, previous_line, unlink
from weighbridge.kernel.ordered import forget_orders
from weighbridge.kernel.program import cell, count_of, table
from weighbridge.kernel.selection import addend, selected
from weighbridge.kernel.sorted_values import add_value, drop_value


@njit(cache=True, nogil=True)
def shift_sums(arena: Ints, program: Ints, root: int, number: int, slot: int, sign: int) -> None:
    """Add the event in a slot to the running sums of all later blocks, or take it off (sign -1)."""
    blocks = arena[root + BLOCKS]
    if number + 1 == blocks:
        return
    place, sums = summary_at(arena, root, BEFORE), table(program, SUMS)
    for later in range(number + 1, blocks):
        arena[place + later] += sign
    bits = line_at(arena, root, number, BITS)
    for line in range(len(sums)):
        if holds(arena, bits, slot, sums[line, 1]):
            value = arena[line_at(arena, root, number, FIELDS + sums[line, 2]) + slot] if sums[line, 2] >= 0 else 1
            place, part = summary_at(arena, root, ADDED + line), sign * addend(sums[line, 0], value)
            for later in range(number + 1, blocks):
                arena[place + later] += part


@njit(cache=True, nogil=True)
def shift_cursors(arena: Ints, program: Ints, root: int, number: int, slot: int, add: bool) -> None:
    """Let the moving windows that hold an event take it in, or leave it out."""
    event_us = arena[block_at(arena, root, number) + slot]
    for cursor in range(count_of(program, CURSORS)):
        place = cursor_at(program, root, cursor)
        previous = previous_line(program, cell(program, CURSORS, cursor, 2))
        was = arena[line_at(arena, root, number, previous) + slot]
        follows = arena[line_at(arena, root, number, previous + 1) + slot]
        if arena[place] < event_us <= arena[place + 1] and was <= arena[place] and follows > arena[place + 1]:
            arena[place + 2] += 1 if add else -1
    for order in range(count_of(program, ORDERS)):
        place = order_at(program, root, order)
        inside = arena[place + 2] != 0 and arena[place] < event_us <= arena[place + 1]
        if inside and holds(arena, line_at(arena, root, number, BITS), slot, cell(program, ORDERS, order, 2)):
            value = arena[line_at(arena, root, number, FIELDS + cell(program, ORDERS, order, 3)) + slot]
            if add:
                add_value(arena, arena[place + 2], value)
            else:
                drop_value(arena, arena[place + 2], value)


@njit(cache=True, nogil=True)
def place_for(arena: Ints, program: Ints, root: int, event_us: int) -> tuple[int, int]:
    """Return (block, slot) for an event behind all of its time, in a block that has room."""
    if arena[root + BLOCKS] == 0:
        open_block(arena, program, root, 0)
        return 0, 0
    number, slot = find(arena, root, event_us)
    count = count_at(arena, root, number)
    if count < arena[root + CAPACITY]:
        return number, slot
    if arena[root + CAPACITY] < FULL:
        widen_block(arena, program, root)
        return number, slot
    if number + 1 == arena[root + BLOCKS] and slot == count:
        open_block(arena, program, root, number + 1)
        number, slot = number + 1, 0
    else:
        split_block(arena, program, root, number)
        if slot > FULL // 2:
            number, slot = number + 1, slot - FULL // 2
    if arena[root + BLOCKS] == 2:
        hash_values(arena, program, root)
    return number, slot


@njit(cache=True, nogil=True)
def insert(arena: Ints, program: Ints, root: int, event_us: int, identity: int, label: int, values: Ints) -> None:
    """Put an event in: `identity` tells it from others of its time, label UNKNOWN, 0 or 1, values int64[f]."""
    number, slot = place_for(arena, program, root, event_us)
    block, capacity, count = block_at(arena, root, number), arena[root + CAPACITY], count_at(arena, root, number)
    for line in range(block_lines(program)):
        for place in range(block + line * capacity + count, block + line * capacity + slot, -1):
            arena[place] = arena[place - 1]
    arena[block + EVENT_US * capacity + slot] = event_us
    arena[block + ID * capacity + slot] = identity
    arena[block + LABEL * capacity + slot] = label
    arena[block + BITS * capacity + slot] = selected(table(program, TERMS), values) if count_of(program, TERMS) else 0
    for line in range(count_of(program, FIELD_PLACES)):
        arena[block + (FIELDS + line) * capacity + slot] = values[cell(program, FIELD_PLACES, line, 0)]
    arena[summary_at(arena, root, COUNT) + number] = count + 1
    if slot == 0:
        arena[summary_at(arena, root, FIRST_US) + number] = event_us
    run_up(arena, program, root, number, slot)
    arena[root + N] += 1
    arena[LONGEST] = max(arena[LONGEST], arena[root + N])
    widen_extremes(arena, program, root, number, slot)
    shift_label(arena, program, root, number, slot, 1)
    shift_sums(arena, program, root, number, slot, 1)
    link(arena, program, root, number, slot)
    shift_cursors(arena, program, root, number, slot, True)


@njit(cache=True, nogil=True)
def withdraw(arena: Ints, program: Ints, root: int, event_us: int, identity: int) -> int:
    """Take an event out that the history holds; return its label."""
    number, slot = locate(arena, root, event_us, identity)
    label = arena[line_at(arena, root, number, LABEL) + slot]
    shift_cursors(arena, program, root, number, slot, False)
    unlink(arena, program, root, number, slot)
    shift_label(arena, program, root, number, slot, -1)
    shift_sums(arena, program, root, number, slot, -1)
    count, firsts = count_at(arena, root, number) - 1, summary_at(arena, root, FIRST_US)
    for line in range(block_lines(program)):
        for place in range(line_at(arena, root, number, line) + slot, line_at(arena, root, number, line) + count):
            arena[place] = arena[place + 1]
    arena[summary_at(arena, root, COUNT) + number] = count
    arena[root + N] -= 1
    if count == 0:
        drop_blocks(arena, program, root, number, number + 1)
    else:
        arena[firsts + number] = arena[block_at(arena, root, number)]
        run_up(arena, program, root, number, slot)
        summarise(arena, program, root, number)
    return label


@njit(cache=True, nogil=True)
def evict(arena: Ints, program: Ints, root: int, before_us: int) -> bool:
    """Forget the blocks that lie wholly at or before a time; whether no event is left, and the history is freed."""
    gone, blocks, last_us = 0, arena[root + BLOCKS], NEVER
    while gone < blocks:
        count = count_at(arena, root, gone)
        until_us = arena[block_at(arena, root, gone) + count - 1]
        if until_us > before_us:
            break
        arena[root + N] -= count
        gone, last_us = gone + 1, until_us
    if gone:
        drop_blocks(arena, program, root, 0, gone)
        forget_cursors(arena, program, root, last_us)
        forget_orders(arena, program, root, last_us)
    if arena[root + BLOCKS] == 0:
        forget_orders(arena, program, root, FOREVER)
        free_history(arena, program, root)
        return True
    return False

"""A multiset of integers in an arena, in chunks of sorted values: the k-th smallest of a window that moves.

A set is (values, chunks, room, directory); the directory has the lines ADDRESS, COUNT and SMALLEST of each chunk.
"""

from __future__ import annotations

from numba import njit

from weighbridge.kernel.arena import at_most, give_back, take
from weighbridge.kernel.arrays import Ints

VALUES, CHUNKS, ROOM, DIRECTORY, WORDS = range(5)
ADDRESS, COUNT, SMALLEST, LINES = range(4)
FULL = 512  # values of a chunk
STRIDE = 16  # chunks counted at once on the way to a rank


@njit(cache=True, nogil=True)
def new_set(arena: Ints) -> int:
    """Return an empty set."""
    found = take(arena, WORDS)
    arena[found + VALUES], arena[found + CHUNKS], arena[found + ROOM] = 0, 0, 4
    arena[found + DIRECTORY] = take(arena, LINES * 4)
    return found


@njit(cache=True, nogil=True)
def free_set(arena: Ints, values: int) -> None:
    """Free a set."""
    directory, room = arena[values + DIRECTORY], arena[values + ROOM]
    for chunk in range(arena[values + CHUNKS]):
        give_back(arena, arena[directory + chunk], FULL)
    give_back(arena, directory, LINES * room)
    give_back(arena, values, WORDS)


@njit(cache=True, nogil=True)
def chunk_of(arena: Ints, values: int, value: int) -> int:
    """Return the last chunk whose smallest value is not above a value; 0 where there is none."""
    smallest = arena[values + DIRECTORY] + SMALLEST * arena[values + ROOM]
    return max(at_most(arena, smallest, arena[values + CHUNKS], value) - 1, 0)


@njit(cache=True, nogil=True)
def open_chunk(arena: Ints, values: int, chunk: int) -> None:
    """Make place for a chunk in the directory and give it room for values."""
    room, chunks = arena[values + ROOM], arena[values + CHUNKS]
    if chunks == room:
        old, new = arena[values + DIRECTORY], take(arena, LINES * 2 * room)
        for line in range(LINES):
            for number in range(chunks):
                arena[new + line * 2 * room + number] = arena[old + line * room + number]
        give_back(arena, old, LINES * room)
        arena[values + DIRECTORY], arena[values + ROOM] = new, 2 * room
        room *= 2
    directory = arena[values + DIRECTORY]
    for line in range(LINES):
        for number in range(chunks, chunk, -1):
            arena[directory + line * room + number] = arena[directory + line * room + number - 1]
    arena[directory + chunk] = take(arena, FULL)
    arena[directory + COUNT * room + chunk] = 0
    arena[values + CHUNKS] = chunks + 1


@njit(cache=True, nogil=True)
def add_value(arena: Ints, values: int, value: int) -> None:
    """Put a value in."""
    if arena[values + CHUNKS] == 0:
        open_chunk(arena, values, 0)
    chunk = chunk_of(arena, values, value)
    if arena[arena[values + DIRECTORY] + COUNT * arena[values + ROOM] + chunk] == FULL:
        open_chunk(arena, values, chunk + 1)
        directory, room = arena[values + DIRECTORY], arena[values + ROOM]
        left, right, half = arena[directory + chunk], arena[directory + chunk + 1], FULL // 2
        for slot in range(half):
            arena[right + slot] = arena[left + half + slot]
        arena[directory + COUNT * room + chunk] = half
        arena[directory + COUNT * room + chunk + 1] = FULL - half
        arena[directory + SMALLEST * room + chunk + 1] = arena[right]
        if value >= arena[right]:
            chunk += 1
    directory, room = arena[values + DIRECTORY], arena[values + ROOM]
    place, count = arena[directory + chunk], arena[directory + COUNT * room + chunk]
    slot = at_most(arena, place, count, value)
    for each in range(place + count, place + slot, -1):
        arena[each] = arena[each - 1]
    arena[place + slot] = value
    arena[directory + COUNT * room + chunk] += 1
    arena[directory + SMALLEST * room + chunk] = arena[place]
    arena[values + VALUES] += 1


@njit(cache=True, nogil=True)
def drop_value(arena: Ints, values: int, value: int) -> None:
    """Take one value out that is in."""
    chunk = chunk_of(arena, values, value)
    directory, room = arena[values + DIRECTORY], arena[values + ROOM]
    place, count = arena[directory + chunk], arena[directory + COUNT * room + chunk]
    for slot in range(at_most(arena, place, count, value) - 1, count - 1):
        arena[place + slot] = arena[place + slot + 1]
    arena[directory + COUNT * room + chunk] = count - 1
    arena[directory + SMALLEST * room + chunk] = arena[place]
    arena[values + VALUES] -= 1
    if count == 1:
        give_back(arena, place, FULL)
        chunks = arena[values + CHUNKS]
        for line in range(LINES):
            for number in range(chunk, chunks - 1):
                arena[directory + line * room + number] = arena[directory + line * room + number + 1]
        arena[values + CHUNKS] = chunks - 1


@njit(cache=True, nogil=True)
def value_at(arena: Ints, values: int, rank: int) -> int:
    """Return the value of a rank, from 0; the set has more values than that."""
    directory, room = arena[values + DIRECTORY], arena[values + ROOM]
    counts, chunk = directory + COUNT * room, 0
    while chunk + STRIDE <= arena[values + CHUNKS]:
        count = 0
        for each in range(counts + chunk, counts + chunk + STRIDE):
            count += arena[each]
        if rank < count:
            break
        rank, chunk = rank - count, chunk + STRIDE
    while rank >= arena[counts + chunk]:
        rank -= arena[counts + chunk]
        chunk += 1
    return arena[arena[directory + chunk] + rank]

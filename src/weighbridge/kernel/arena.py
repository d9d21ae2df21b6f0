"""One array of int64 words that histories live in, with an allocator: addresses are places in the array.

Blocks come in four sizes a doubling; a freed block waits in the list of its size. Word 0 stays unused, so that 0 can
mean "none".
"""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints

TOP, LIVE, LARGEST, LONGEST = 1, 2, 3, 4  # next unused word, words in use, largest block asked for, longest history
_FREE, _CLASSES = 8, 192
START = _FREE + _CLASSES


@njit(cache=True, nogil=True)
def start_arena(arena: Ints) -> Ints:
    """Make an arena empty again, in constant time."""
    arena[:START] = 0
    arena[TOP] = START
    return arena


@njit(cache=True, nogil=True)
def new_arena(words: int) -> Ints:
    """Return an arena with room for a number of words."""
    return start_arena(np.empty(max(words, 2 * START), dtype=np.int64))


@njit(cache=True, nogil=True)
def widened(arena: Ints, words: int) -> Ints:
    """Return the arena when it still has so many unused words, else a copy with twice the room and these."""
    if len(arena) - arena[TOP] >= words:
        return arena
    wider = np.empty(2 * len(arena) + words, dtype=np.int64)
    wider[: arena[TOP]] = arena[: arena[TOP]]
    return wider


@njit(cache=True, nogil=True)
def at_most(arena: Ints, first: int, n: int, value: int) -> int:
    """Return how many of n rising words, from a place on, are not above a value."""
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if arena[first + middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def rounded(words: int) -> tuple[int, int]:
    """Return (class, size) of the smallest block size that holds a number of words."""
    unit, number = 8, 0
    while 2 * unit < words:
        unit, number = 2 * unit, number + 4
    size = unit
    while size < words:
        size, number = size + (unit >> 2), number + 1
    return number, size


@njit(cache=True, nogil=True)
def take(arena: Ints, words: int) -> int:
    """Return the address of a block of at least so many words, its content undefined.

    Raises MemoryError when the arena is full: whoever calls sees to room first.
    """
    number, size = rounded(words)
    found = arena[_FREE + number]
    if found:
        arena[_FREE + number] = arena[found]
    else:
        found = arena[TOP]
        if found + size > len(arena):
            raise MemoryError("the arena is full")
        arena[TOP] += size
    arena[LIVE] += size
    arena[LARGEST] = max(arena[LARGEST], size)
    return found


@njit(cache=True, nogil=True)
def give_back(arena: Ints, block: int, words: int) -> None:
    """Free a block that was taken with this number of words."""
    number, size = rounded(words)
    arena[block] = arena[_FREE + number]
    arena[_FREE + number] = block
    arena[LIVE] -= size

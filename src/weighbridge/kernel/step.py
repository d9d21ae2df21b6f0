"""One event against the histories of its keys, the online half of `replay`: read the vector, then take the event in.

Histories live in one arena; roots: int64[entities], the address of each key's history, 0 for a key never seen.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arena import TOP
from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.change import evict, insert, withdraw
from weighbridge.kernel.formulas import formulas
from weighbridge.kernel.gather import gather
from weighbridge.kernel.history import FULL, UNKNOWN, N, find, locate, new_history, position, set_label, words_for_one
from weighbridge.kernel.plan import ENTITIES, Plan
from weighbridge.kernel.program import table
from weighbridge.kernel.rows import finish, write_vector


class Workspace:
    """The arrays that one event needs on its way: raws, registers, its time, its values and its vector."""

    def __init__(self, plan: Plan) -> None:
        most = max((len(entity.raws) for entity in plan.entities), default=1)
        self.raws = np.zeros((max(most, 1), 1), dtype=np.int64)
        self.registers = np.zeros((plan.registers, 1), dtype=np.float64)
        self.event_us = np.zeros(1, dtype=np.int64)
        self.values = np.zeros((1, len(plan.payload)), dtype=np.int64)
        self.vector = np.zeros(len(plan.vector), dtype=np.float32)


@njit(cache=True, nogil=True)
def read(
    arena: Ints,
    program: Ints,
    roots: Ints,
    event_us: Ints,
    values: Ints,
    raws: Ints,
    registers: Floats,
    vector: Vectors,
) -> None:
    """Write the vector of an event. event_us: int64[1]; values: int64[1, f]; every root is a history, if an empty one.

    raws, registers: workspace. The histories change in nothing but their cursors.
    """
    for number in range(len(roots)):
        entity = table(program, ENTITIES + number)[0]
        gather(arena, entity, roots[number], event_us[0], values[0], raws, 0)
        formulas(entity, raws, event_us, 1, registers)
    finish(program, event_us, values, 1, registers)
    write_vector(program, registers, vector)


@njit(cache=True, nogil=True)
def write(
    arena: Ints, program: Ints, roots: Ints, event_us: int, identity: int, label: int, values: Ints, before_us: int
) -> None:
    """Put an event into the histories of its keys; a history at the end of a block forgets what lies before a time."""
    for number in range(len(roots)):
        entity = table(program, ENTITIES + number)[0]
        root = roots[number]
        if root == 0 or (arena[root + N] % FULL == 0 and evict(arena, entity, root, before_us)):
            roots[number] = new_history(arena, entity)
        insert(arena, entity, roots[number], event_us, identity, label, values)


@njit(cache=True, nogil=True)
def take_back(arena: Ints, program: Ints, roots: Ints, event_us: int, identity: int) -> int:
    """Take an event out of the histories of its keys that still hold it; return its label, or UNKNOWN."""
    label = UNKNOWN
    for number in range(len(roots)):
        if roots[number] and locate(arena, roots[number], event_us, identity)[0] >= 0:
            label = withdraw(arena, table(program, ENTITIES + number)[0], roots[number], event_us, identity)
    return label


@njit(cache=True, nogil=True)
def relabel(arena: Ints, program: Ints, roots: Ints, event_us: int, identity: int, label: int) -> None:
    """Write the label of an event where its keys' histories still hold it."""
    for number in range(len(roots)):
        if roots[number]:
            set_label(arena, table(program, ENTITIES + number)[0], roots[number], event_us, identity, label)


@njit(cache=True, nogil=True)
def forget(arena: Ints, program: Ints, number: int, root: int, before_us: int) -> bool:
    """Forget what a history holds at or before a time; whether nothing is left, and the history is gone."""
    return evict(arena, table(program, ENTITIES + number)[0], root, before_us)


@njit(cache=True, nogil=True)
def forget_all(arena: Ints, program: Ints, number: int, roots: Ints, before_us: int) -> None:
    """Forget what all histories of an entity hold at or before a time; a history with nothing left is gone."""
    for code in range(len(roots)):
        if roots[code] and forget(arena, program, number, roots[code], before_us):
            roots[code] = 0


@njit(cache=True, nogil=True)
def retained(arena: Ints, root: int, before_us: int) -> int:
    """Return how many events of a history are after a time."""
    number, slot = find(arena, root, before_us)
    return arena[root + N] - (position(arena, root, number, slot) - position(arena, root, 0, 0))


@njit(cache=True, nogil=True)
def words_needed(arena: Ints, program: Ints, entities: int) -> int:
    """Return a number of unused words that suffices to read and write any event."""
    words = 0
    for number in range(entities):
        words += words_for_one(arena, table(program, ENTITIES + number)[0])
    return words


@njit(cache=True, nogil=True)
def unused(arena: Ints) -> int:
    """Return how many words of an arena were never taken."""
    return len(arena) - arena[TOP]


@njit(cache=True, nogil=True)
def write_many(
    arena: Ints, program: Ints, roots: Ints, keys: Ints, event_us: Ints, identities: Ints, labels: Ints, values: Ints,
    first: int,
) -> int:  # fmt: skip
    """Put events into their histories, from row `first` on; return the first row that found no room.

    roots: int64[entities, codes]; keys: int64[entities], the fields of `values` (int64[n, f]) that hold the codes.
    """
    for row in range(first, len(event_us)):
        if unused(arena) < words_needed(arena, program, len(keys)):
            return row
        for number in range(len(keys)):
            entity, code = table(program, ENTITIES + number)[0], values[row, keys[number]]
            if roots[number, code] == 0:
                roots[number, code] = new_history(arena, entity)
            insert(arena, entity, roots[number, code], event_us[row], identities[row], labels[row], values[row])
    return len(event_us)


def empty_histories(arena: Ints, program: Ints, entities: int) -> list[int]:
    """Return the root of an empty history for each entity: what a key never seen has."""
    return [int(_empty_history(arena, program, number)) for number in range(entities)]


@njit(cache=True, nogil=True)
def _empty_history(arena: Ints, program: Ints, number: int) -> int:
    return new_history(arena, table(program, ENTITIES + number)[0])

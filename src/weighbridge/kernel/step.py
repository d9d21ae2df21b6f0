"""One event against the histories of its keys, the online half of `replay`: read the vector, then take the event in.

Histories live in one arena. roots: int64[entities, codes + 1] gives a key's history by its code plus one (place 0 is
for events without the key), 0 where there is none. entities: int64[entities, 2], the field that is each entity's key
and the root of an empty history, which stands for keys never seen.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arena import TOP
from weighbridge.kernel.arrays import MISSING, Floats, Ints, Vectors
from weighbridge.kernel.change import evict, insert, withdraw
from weighbridge.kernel.formulas import formulas
from weighbridge.kernel.gather import gather
from weighbridge.kernel.history import FULL, UNKNOWN, N, find, locate, new_history, position, set_label, words_for_one
from weighbridge.kernel.plan import ENTITIES, Plan
from weighbridge.kernel.program import table
from weighbridge.kernel.rows import finish, write_vector

KEY, EMPTY = 0, 1  # columns of entities
DONE, NO_ROOM = -1, -2


class Workspace:
    """The arrays that one event needs on its way: raws, registers, its time, its values and its vector."""

    def __init__(self, plan: Plan) -> None:
        most = max((len(entity.raws) for entity in plan.entities), default=1)
        self.raws = np.zeros((max(most, 1), 1), dtype=np.int64)
        self.registers = np.zeros((plan.registers, 1), dtype=np.float64)
        self.event_us = np.zeros(1, dtype=np.int64)
        self.values = np.zeros((1, plan.width), dtype=np.int64)
        self.vector = np.zeros(len(plan.vector), dtype=np.float32)


def with_empty_histories(plan: Plan, arena: Ints) -> Ints:
    """Return the entities of a plan, with an empty history for each in the arena."""
    roots = [_empty_history(arena, plan.program, number) for number in range(len(plan.entities))]
    keys = [entity.key_field for entity in plan.entities]
    return np.array([keys, roots], dtype=np.int64).T.reshape(-1, 2).copy()


@njit(cache=True, nogil=True)
def _empty_history(arena: Ints, program: Ints, number: int) -> int:
    return new_history(arena, table(program, ENTITIES + number)[0])


@njit(cache=True, nogil=True)
def place_of(code: int) -> int:
    """Return the place of a key's code in the roots."""
    return 0 if code == MISSING else code + 1


@njit(cache=True, nogil=True)
def read(
    arena: Ints, program: Ints, roots: Ints, entities: Ints, before_us: int, bound: int, event_us: Ints, values: Ints,
    raws: Ints, registers: Floats, vector: Vectors,
) -> int:  # fmt: skip
    """Write the vector of an event (event_us: int64[1]; values: int64[1, width]); raws and registers are workspace.

    Returns DONE, NO_ROOM when the arena must grow first, or the entity whose history has `bound` events after
    `before_us`. The histories change in nothing but their cursors.
    """
    if not has_room(arena, program, len(entities)):
        return NO_ROOM
    for number in range(len(entities)):
        root = roots[number, place_of(values[0, entities[number, KEY]])]
        if root == 0:
            root = entities[number, EMPTY]
        elif arena[root + N] >= bound and retained(arena, root, before_us) >= bound:
            return number
        entity = table(program, ENTITIES + number)[0]
        gather(arena, entity, root, event_us[0], values[0], raws, 0)
        formulas(entity, raws, event_us, 1, registers)
    finish(program, event_us, values, 1, registers)
    write_vector(program, registers, vector)
    return DONE


@njit(cache=True, nogil=True)
def write(
    arena: Ints, program: Ints, roots: Ints, entities: Ints, event_us: int, identity: int, label: int, values: Ints,
    before_us: int,
) -> int:  # fmt: skip
    """Put an event (values: int64[f]) into the histories of its keys; returns DONE, or NO_ROOM and changes nothing.

    A history at the end of a block forgets what lies before a time.
    """
    if not has_room(arena, program, len(entities)):
        return NO_ROOM
    for number in range(len(entities)):
        entity, place = table(program, ENTITIES + number)[0], place_of(values[entities[number, KEY]])
        root = roots[number, place]
        if root == 0 or (arena[root + N] % FULL == 0 and evict(arena, entity, root, before_us)):
            roots[number, place] = new_history(arena, entity)
        insert(arena, entity, roots[number, place], event_us, identity, label, values)
    return DONE


@njit(cache=True, nogil=True)
def write_many(
    arena: Ints, program: Ints, roots: Ints, entities: Ints, event_us: Ints, identities: Ints, labels: Ints,
    values: Ints, first: int,
) -> int:  # fmt: skip
    """Put events (values: int64[n, f]) into their histories, from row `first` on; return the row that found no room."""
    nothing_us = np.iinfo(np.int64).min
    for row in range(first, len(event_us)):
        done = write(
            arena, program, roots, entities, event_us[row], identities[row], labels[row], values[row], nothing_us
        )
        if done == NO_ROOM:
            return row
    return len(event_us)


@njit(cache=True, nogil=True)
def take_back(
    arena: Ints, program: Ints, roots: Ints, entities: Ints, event_us: int, identity: int, values: Ints
) -> int:
    """Take an event out of the histories of its keys that still hold it; return its label, or UNKNOWN."""
    label = UNKNOWN
    for number in range(len(entities)):
        root = roots[number, place_of(values[entities[number, KEY]])]
        if root and locate(arena, root, event_us, identity)[0] >= 0:
            label = withdraw(arena, table(program, ENTITIES + number)[0], root, event_us, identity)
    return label


@njit(cache=True, nogil=True)
def relabel(arena: Ints, program: Ints, number: int, root: int, event_us: int, identity: int, label: int) -> None:
    """Write the label of an event where an entity's history still holds it."""
    set_label(arena, table(program, ENTITIES + number)[0], root, event_us, identity, label)


@njit(cache=True, nogil=True)
def forget(arena: Ints, program: Ints, number: int, roots: Ints, place: int, before_us: int) -> None:
    """Forget what a history holds at or before a time; one with nothing left is gone."""
    if roots[number, place] and evict(arena, table(program, ENTITIES + number)[0], roots[number, place], before_us):
        roots[number, place] = 0


@njit(cache=True, nogil=True)
def forget_all(arena: Ints, program: Ints, roots: Ints, before_us: int) -> None:
    """Forget what all histories hold at or before a time."""
    for number in range(roots.shape[0]):
        for place in range(roots.shape[1]):
            forget(arena, program, number, roots, place, before_us)


@njit(cache=True, nogil=True)
def retained(arena: Ints, root: int, before_us: int) -> int:
    """Return how many events of a history are after a time."""
    number, slot = find(arena, root, before_us)
    return arena[root + N] - (position(arena, root, number, slot) - position(arena, root, 0, 0))


@njit(cache=True, nogil=True)
def has_room(arena: Ints, program: Ints, entities: int) -> bool:
    """Return whether an arena has room for any one event."""
    return len(arena) - arena[TOP] >= words_needed(arena, program, entities)


@njit(cache=True, nogil=True)
def words_needed(arena: Ints, program: Ints, entities: int) -> int:
    """Return a number of unused words that suffices to read and write any event."""
    words = 0
    for number in range(entities):
        words += words_for_one(arena, table(program, ENTITIES + number)[0])
    return words

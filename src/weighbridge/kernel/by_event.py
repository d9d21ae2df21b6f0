"""One key event by event as they arrived, through a history: however late they came."""

from __future__ import annotations

import numpy as np
from numba import njit

from weighbridge.kernel.arena import start_arena, widened
from weighbridge.kernel.arrays import Floats, Ints
from weighbridge.kernel.change import insert
from weighbridge.kernel.formulas import formulas
from weighbridge.kernel.gather import gather
from weighbridge.kernel.history import UNKNOWN, new_history, set_label, words_for_one
from weighbridge.kernel.keyed import Keyed
from weighbridge.kernel.scatter import TILE, Output, scatter, slot_of


@njit(cache=True, nogil=True)
def key_by_event(
    program: Ints, keyed: Keyed, group: int, arena: Ints, tile: Ints, features: Floats, output: Output
) -> Ints:
    """Write the aggregates of one key; return the arena."""
    first, last, label = keyed.starts[group], keyed.starts[group + 1], keyed.label_starts[group]
    early = np.full(last - first, UNKNOWN, dtype=np.int64)  # labels of events that arrive after them
    rows, times, count = np.empty(TILE, dtype=np.int64), np.empty(TILE, dtype=np.int64), 0
    root = new_history(start_arena(arena), program)
    for place in range(first, last):
        row = keyed.order[place]
        while label < keyed.label_starts[group + 1] and keyed.label_seq[label] < keyed.seq[row]:
            about = keyed.label_place[label]
            if about < place:
                theirs = keyed.order[about]
                set_label(arena, program, root, keyed.event_us[theirs], theirs, keyed.label_value[label])
            else:
                early[about - first] = keyed.label_value[label]
            label += 1
        arena = widened(arena, words_for_one(arena, program))
        if slot_of(output.slots, row) >= 0:
            gather(arena, program, root, keyed.event_us[row], keyed.values[row], tile, count)
            rows[count], times[count] = row, keyed.event_us[row]
            count += 1
        insert(arena, program, root, keyed.event_us[row], row, early[place - first], keyed.values[row])
        if count == TILE or place == last - 1:
            formulas(program, tile, times, count, features)
            scatter(program, rows[:count], 0, count, features, output)
            count = 0
    return arena

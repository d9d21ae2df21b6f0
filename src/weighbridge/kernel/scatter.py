"""Features of a tile, up to 1,024 rows, to the places of their rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Floats, Ints, Vectors
from weighbridge.kernel.entity_plan import OUT, SPECS
from weighbridge.kernel.prefetch import prefetch
from weighbridge.kernel.program import table

TILE = 1_024  # rows
AHEAD = 8  # rows of which the memory is asked for in advance
LINE = 16  # float32 values in a line of memory


class Output(NamedTuple):
    """Where features go: slots: int64[n], the output row of each row of the log, or -1; empty where all are wanted.

    runs: int64[_, 3], rows (first aggregate, place in the vector, length); vectors: float32[wanted, features].
    side_of: int64[_, 2], rows (aggregate, place in the sides); sides: float64[wanted, sides].
    touched: int64[_], columns of the vectors, one at least in each line of memory that the runs touch.
    """

    slots: Ints
    runs: Ints
    side_of: Ints
    vectors: Vectors
    sides: Floats
    touched: Ints


def output_to(vectors: Vectors, sides: Floats, runs: Ints, side_of: Ints, slots: Ints) -> Output:
    """Return where features go."""
    touched = [
        c for _, first, length in runs.tolist() for c in {*range(first, first + length, LINE), first + length - 1}
    ]
    return Output(slots, runs, side_of, vectors, sides, np.array(touched, dtype=np.int64))


@njit(cache=True, nogil=True)
def slot_of(slots: Ints, row: int) -> int:
    """Return the output row of a row of the log, or -1."""
    return row if len(slots) == 0 else slots[row]


@njit(cache=True, nogil=True)
def scatter(program: Ints, rows: Ints, begin: int, end: int, features: Floats, output: Output) -> None:
    """Write a tile's features to the vectors and sides of rows[begin:end]; those behind it are asked for in advance."""
    slots, runs, side_of, vectors, sides, touched = output
    outs = table(program, SPECS)[:, OUT].copy()
    some, last = np.empty(len(outs), dtype=np.float32), len(rows) - 1
    for i in range(end - begin):
        ahead = slot_of(slots, rows[min(begin + i + AHEAD, last)])
        for number in range(len(touched) if ahead >= 0 else 0):
            prefetch(vectors, ahead, touched[number])
        slot = slot_of(slots, rows[begin + i])
        if slot < 0:
            continue
        for number in range(len(outs)):
            some[number] = np.float32(features[outs[number], i])
        for run in range(len(runs)):
            source = some[runs[run, 0] : runs[run, 0] + runs[run, 2]]
            target = vectors[slot, runs[run, 1] : runs[run, 1] + runs[run, 2]]
            for number in range(len(target)):
                target[number] = source[number]
        for side in range(len(side_of)):
            sides[slot, side_of[side, 1]] = features[outs[side_of[side, 0]], i]

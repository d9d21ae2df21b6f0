"""Tables of integers packed in one array, so that a kernel takes one argument where it would take twenty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Ints

_HEAD = 3  # words a table takes in the directory: offset, rows, columns


def pack(tables: Sequence[Ints]) -> Ints:
    """Return two-dimensional int64 tables as one array: a directory of (offset, rows, columns), then their cells."""
    offset, directory = _HEAD * len(tables), []
    for table in tables:
        directory += [offset, *table.shape]
        offset += table.size
    return np.concatenate([np.array(directory, dtype=np.int64), *(np.ascontiguousarray(t).ravel() for t in tables)])


@njit(cache=True, nogil=True)
def table(program: Ints, number: int) -> Ints:
    """Return a packed table, int64[rows, columns]."""
    offset, rows, columns = program[_HEAD * number], program[_HEAD * number + 1], program[_HEAD * number + 2]
    return program[offset : offset + rows * columns].reshape((rows, columns))


@njit(cache=True, nogil=True)
def count_of(program: Ints, number: int) -> int:
    """Return how many rows a packed table has."""
    return program[_HEAD * number + 1]


@njit(cache=True, nogil=True)
def cell(program: Ints, number: int, row: int, column: int) -> int:
    """Return one cell of a packed table: cheaper than the table where a kernel asks for few."""
    return program[program[_HEAD * number] + row * program[_HEAD * number + 2] + column]

"""The fitted encoder between a vector and a model: which features it uses, and as what.

It belongs to the bundle, behind the vector. Every kind is a scalar function applied value by value, so a row is encoded
to the same bits alone and in a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numba import njit

from weighbridge.kernel.arrays import Arrays, Floats, Ints, Vectors

Kind = IntEnum("Kind", ("COPY", "IS_CODE", "LOOK_UP", "INTERPOLATE", "IS_MISSING"), start=0)


@dataclass(frozen=True)
class Encoder:
    """How each of k model inputs is made.

    source: int64[k], the vector's feature; kind: int64[k]; start, count: int64[k], the input's part of `knots` and
    `levels`, float64[...]. COPY keeps the value; IS_CODE is 1 where it equals knots[start]; LOOK_UP takes
    levels[start + value], the last level for what is unknown; INTERPOLATE maps knots to levels linearly, flat outside,
    0 for NaN; IS_MISSING is 1 for NaN.
    """

    source: Ints
    kind: Ints
    start: Ints
    count: Ints
    knots: Floats
    levels: Floats

    def encode(self, vectors: Vectors) -> Vectors:
        """Return the model inputs of vectors: float32[n, features] to float32[n, k]."""
        inputs = np.empty((len(vectors), len(self.source)), dtype=np.float32)
        _encode(self.source, self.kind, self.start, self.count, self.knots, self.levels, vectors, inputs)
        return inputs

    def arrays(self) -> Arrays:
        """Return the arrays by name, to be stored."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    def sound(self, features: int) -> bool:
        """Whether stored arrays agree with each other and with vectors of `features` values."""
        sizes = {len(a) for a in (self.source, self.kind, self.start, self.count)}
        tables = len(self.knots) == len(self.levels)
        inside = (self.source >= 0).all() and (self.source < features).all() and (self.start >= 0).all()
        asked = np.isin(self.kind, (Kind.IS_CODE, Kind.LOOK_UP, Kind.INTERPOLATE))  # of knots or levels, at least one
        known = asked | np.isin(self.kind, (Kind.COPY, Kind.IS_MISSING))
        filled = known.all() and (self.count >= asked).all() and (self.start + self.count <= len(self.knots)).all()
        return bool(len(sizes) == 1 and tables and inside and filled)


@njit(cache=True, nogil=True)
def _encode(
    source: Ints, kind: Ints, start: Ints, count: Ints, knots: Floats, levels: Floats, vectors: Vectors, inputs: Vectors
) -> None:
    for row in range(len(vectors)):
        for column in range(len(source)):
            x = vectors[row, source[column]]
            first, n = start[column], count[column]
            if kind[column] == Kind.COPY:
                inputs[row, column] = x
            elif kind[column] == Kind.IS_CODE:
                inputs[row, column] = np.float32(1.0) if x == knots[first] else np.float32(0.0)
            elif kind[column] == Kind.LOOK_UP:
                known = x >= 0 and x < n - 1  # the last level is for what is unknown
                inputs[row, column] = np.float32(levels[first + int(x)] if known else levels[first + n - 1])
            elif kind[column] == Kind.IS_MISSING:
                inputs[row, column] = np.float32(1.0) if np.isnan(x) else np.float32(0.0)
            else:
                inputs[row, column] = np.float32(_interpolate(float(x), first, n, knots, levels))


@njit(cache=True, nogil=True)
def _interpolate(x: float, first: int, n: int, knots: Floats, levels: Floats) -> float:
    if np.isnan(x):
        return 0.0
    last = first + n - 1
    if x <= knots[first]:
        return levels[first]
    if x >= knots[last]:
        return levels[last]
    low, high = first, last
    while high - low > 1:
        middle = (low + high) >> 1
        if knots[middle] <= x:
            low = middle
        else:
            high = middle
    part = (x - knots[low]) / (knots[high] - knots[low])
    return levels[low] + part * (levels[high] - levels[low])

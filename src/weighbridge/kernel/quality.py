"""Figures of the quality of a column or a table: outliers, what stands twice, and how values are spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.kernel.arrays import Bools, Floats, Ints
from weighbridge.kernel.columns import whole
from weighbridge.kernel.hashes import hashes

TO_DEVIATION = 1.4826  # a normal's standard deviation in median absolute deviations: Rousseeuw and Croux (1993)
BINS = 20


def far(values: Floats, by: str, beyond: float) -> Bools:
    """Return which finite values are outliers, bool[n]; none where most values are one and the same.

    by "robust_z": |x - median| / (1.4826 MAD) > beyond; by "iqr": more than `beyond` interquartile ranges outside the
    quartiles (Tukey 1977).
    """
    known = np.isfinite(values)
    if not known.any():
        return known
    low, middle, high = np.quantile(values[known], (0.25, 0.5, 0.75))
    with np.errstate(invalid="ignore"):
        if by == "iqr":
            out = (values < low - beyond * (high - low)) | (values > high + beyond * (high - low))
            return np.asarray(known & out & (high > low))
        distance = np.abs(values - middle)
        deviation = TO_DEVIATION * float(np.median(distance[known]))
        return np.asarray(known & (distance > beyond * deviation) & (deviation > 0))


def again(*columns: pa.Array) -> Ints:
    """Return the rows whose values, together, stand in an earlier row already: int64[m], rising; nulls are alike."""
    if not len(columns[0]):
        return np.zeros(0, dtype=np.int64)
    together = _numbered(columns)
    _, first = np.unique(together, axis=0, return_index=True)
    found = np.ones(len(together), dtype=np.bool_)
    found[first] = False
    return np.flatnonzero(found)


def _numbered(columns: tuple[pa.Array, ...]) -> Ints:
    """Return rows as whole numbers that are equal where the values are, int64[n, columns]."""
    coded = [pc.fill_null(column.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False) for column in columns]
    return np.stack(coded, axis=1).astype(np.int64)


def shared(rows: pa.Table, earlier: pa.Table) -> Bools:
    """Return which rows have the content of some row of another table of the same columns, bool[n]; NaNs are alike."""
    one, other = (_contents(t) for t in (rows, earlier))
    return np.isin(one, other)


def _contents(table: pa.Table) -> npt.NDArray[Any]:
    """Return each row's content as one value that is equal where the rows are, void[n]."""
    parts = []
    for column in table.columns:
        plain = whole(column)
        kind = plain.type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            plain = plain.cast(pa.int8()) if pa.types.is_boolean(kind) else plain
            numbers = plain.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy(zero_copy_only=False) + 0.0
            parts.append(np.where(np.isnan(numbers), np.nan, numbers).view(np.int64))
        else:
            parts.append(hashes(plain.cast(pa.string())))
    stacked = np.ascontiguousarray(np.stack(parts, axis=1).astype(np.int64))
    return stacked.view([("", np.int64)] * stacked.shape[1]).reshape(-1)


def spread(values: Floats) -> dict[str, Any]:
    """Return least, median and largest of the finite values, and their counts in 20 bins of equal width, as JSON.

    Bins lie between the 1st and the 99th percentile, the ends take in what is beyond.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return {"least": None, "median": None, "largest": None, "edges": [], "counts": []}
    low, high = np.quantile(known, (0.01, 0.99))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = np.histogram(known.clip(edges[0], edges[-1]), edges)[0]
    least, middle, largest = (float(x) for x in (known.min(), np.median(known), known.max()))
    told = {"least": least, "median": middle, "largest": largest}
    return {**told, "edges": [float(e) for e in edges], "counts": [int(c) for c in counts]}

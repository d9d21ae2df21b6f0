"""How far a distribution has moved from the one a model was trained on, on bins fixed at training.

A profile keeps the reference as counts over at most 128 bins; everything below is computed from counts, so a window of
any size is read once. A value x is in bin b where edges[b - 1] <= x < edges[b]; what is not finite is missing, and has
the last bin to itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from weighbridge.kernel.arrays import Bools, Floats, Ints

BINS = 10  # of the population stability index
FINE = 120  # bins of the ECDF that Kolmogorov-Smirnov compares: every 12th edge is one of BINS
WIDTH = 127  # edges a search goes through, so that it takes seven steps
FLOOR = 1e-4  # the least share of a bin in the index, so that an empty one does not make it infinite
LEAST_EXPECTED = 5.0  # rows a cell of the chi-square table must expect: Cochran (1954)

Profile = Mapping[str, Any]


def profile(values: npt.NDArray[Any], *, categorical: bool = False) -> dict[str, Any]:
    """Return the reference of a feature, as JSON values: `edges`, `counts`, `bins` and `categorical`.

    values: float[n]. edges: the inner edges, rising: midpoints of the different values where there are at most 120,
    else the quantiles at n/120. counts: rows of each bin, and of missing. bins: the places in `edges` that are edges of
    the population stability index too, all of them where there are at most 10 bins. categorical: whether order means
    nothing, as declared, or because there are at most 10 values.
    """
    present = values[np.isfinite(values)]
    different = np.unique(present).astype(np.float64)
    if len(different) <= FINE:
        edges = (different[1:] + different[:-1]) / 2
        deciles = np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1]) if len(present) else np.zeros(0)
        bins = np.unique(np.searchsorted(edges, deciles, side="right")) - 1
    else:
        quantiles = np.quantile(present.astype(np.float64), np.linspace(0, 1, FINE + 1)[1:-1])
        edges = np.unique(quantiles)
        bins = np.searchsorted(edges, np.unique(quantiles[FINE // BINS - 1 :: FINE // BINS]))
    few = categorical or len(different) <= BINS
    chosen = np.arange(len(edges)) if few else bins[bins >= 0]
    made = {"edges": edges.tolist(), "bins": chosen.tolist(), "categorical": few}
    return {**made, "counts": Counter([made]).count(values.reshape(-1, 1))[0].tolist()}


class Counter:
    """Counts the rows of many features at once into the bins of their profiles."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._bins = [len(p["edges"]) + 2 for p in profiles]  # missing has the last
        table = np.full((len(profiles), WIDTH), np.inf)
        for row, one in enumerate(profiles):
            table[row, : len(one["edges"])] = one["edges"]
        self._exact = table
        up = table.astype(np.float32)
        self._rounded = np.where(up.astype(np.float64) < table, np.nextafter(up, np.float32(np.inf)), up)

    def count(self, values: npt.NDArray[Any]) -> list[Ints]:
        """Return each feature's counts by bin, int64[bins]; values: float32 or float64 [n, features].

        An edge is rounded up to float32 for float32 values: they compare with it as with the edge itself.
        """
        single = values.dtype == np.float32
        found = np.zeros((len(self._bins), WIDTH + 2), dtype=np.int64)
        edges = self._rounded if single else self._exact
        _count(np.ascontiguousarray(values if single else values.astype(np.float64)), edges, found)
        return [np.r_[row[: bins - 1], row[-1]] for row, bins in zip(found, self._bins, strict=True)]

    def places(self, values: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        """Return the bin of every value, int16[n, features]; missing has the one after the last edge's."""
        single = values.dtype == np.float32
        found = np.empty(values.shape, dtype=np.int16)
        edges = self._rounded if single else self._exact
        _places(np.ascontiguousarray(values if single else values.astype(np.float64)), edges, found)
        return np.minimum(found, np.array(self._bins, dtype=np.int16) - 1)


@njit(inline="always")
def _place(x: float, edges: npt.NDArray[Any]) -> int:
    place = 0
    for step in (64, 32, 16, 8, 4, 2, 1):  # the number of edges <= x, without a branch
        place += step * (edges[place + step - 1] <= x)
    return place + (WIDTH + 1 - place) * (not np.isfinite(x))


@njit(cache=True, nogil=True)
def _count(values: npt.NDArray[Any], edges: npt.NDArray[Any], out: Ints) -> None:
    rows, features = values.shape
    for row in range(rows):
        for feature in range(features):
            out[feature, _place(values[row, feature], edges[feature])] += 1


@njit(cache=True, nogil=True)
def _places(values: npt.NDArray[Any], edges: npt.NDArray[Any], out: npt.NDArray[np.int16]) -> None:
    rows, features = values.shape
    for row in range(rows):
        for feature in range(features):
            out[row, feature] = _place(values[row, feature], edges[feature])


def coarser(reference: Profile) -> Ints:
    """Return the bin of the population stability index of each fine bin, missing last, int64[fine bins]."""
    bins = np.array(reference["bins"], dtype=np.int64)
    fine = np.searchsorted(bins, np.arange(len(reference["edges"]) + 1))
    return np.r_[fine, len(bins) + 1].astype(np.int64)


def coarse(reference: Profile, counts: Ints) -> Ints:
    """Return fine counts added up to the bins of the population stability index, int64[bins], missing last."""
    return np.bincount(coarser(reference), counts, minlength=len(reference["bins"]) + 2).astype(np.int64)


def psi(expected: Ints, actual: Ints) -> float:
    """Return the population stability index of counts: the sum of (a - e) ln(a / e) over the shares of the bins.

    Shares below 1e-4 count as 1e-4. Source: Siddiqi (2006), Credit Risk Scorecards.

    >>> round(psi(np.array([50, 50]), np.array([70, 30])), 4)
    0.1695
    """
    shares = (np.maximum(counts / max(counts.sum(), 1), FLOOR) for counts in (expected, actual))
    e, a = shares
    return float(np.sum((a - e) * np.log(a / e)))


def kolmogorov_smirnov(expected: Ints, actual: Ints) -> float:
    """Return the two-sample statistic: the largest difference of the two ECDFs at the edges of the fine bins.

    Counts end with missing, which has no part in it. It is exactly the statistic of both samples with each value
    replaced by its bin: that of the values themselves where the reference has at most 120 different ones and no new
    one comes between, and never more than it otherwise. Its p-value is therefore never too small. NaN where a sample
    is empty.
    """
    e, a = (np.cumsum(counts[:-1]) for counts in (expected, actual))
    if not len(e) or not e[-1] or not a[-1]:
        return float("nan")
    return float(np.abs(e / e[-1] - a / a[-1]).max())


def chi_square(expected: Ints, actual: Ints, design_effect: float = 1.0) -> tuple[float, int]:
    """Return Pearson's statistic of homogeneity of two rows of counts, and its degrees of freedom.

    Rows count by their effective number: divided by the design effect. Bins that expect fewer than 5 rows in either
    sample are first put together, the rarest first. 0 degrees where one bin is left.
    """
    table = _pooled(np.stack([expected, actual]) / design_effect)
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 0.0, 0
    awaited = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(((table - awaited) ** 2 / awaited).sum()), table.shape[1] - 1


def _pooled(table: Floats) -> Floats:
    """Return a table of two rows whose columns expect enough; the rarest columns are added up until they do."""
    table = table[:, table.sum(axis=0) > 0]
    order = np.argsort(table.sum(axis=0), kind="stable")
    totals = table[:, order].sum(axis=0)
    least = LEAST_EXPECTED * table.sum() / max(table.sum(axis=1).min(), 1e-9)  # of a column's total
    enough: Bools = totals >= least
    if enough.all() or not len(order):
        return table
    together = int(np.searchsorted(np.cumsum(totals), least)) + 1  # at least so many of the rarest make one
    together = min(max(together, int((~enough).sum())), len(order))
    return np.c_[table[:, order[:together]].sum(axis=1), table[:, order[together:]]]


def benjamini_hochberg(p: Floats) -> Floats:
    """Return p-values adjusted for the false discovery rate. Source: Benjamini and Hochberg (1995).

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted

"""How much less the rows of a sample tell than as many independent ones, because rows of one cluster are alike.

Everything is computed from residuals of whole clusters: the rows of cluster i in a bin, less what its size would give.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from weighbridge.kernel.arrays import Bools, Floats, Ints

FEW_CLUSTERS = 5
MANY = 1e9  # degrees of freedom of what is known, not estimated


class Spread(NamedTuple):
    """How much the shares of a sample vary, in units of independent rows, and how well that is known.

    design_effect: of the shares of the bins, their mean (Rao and Scott 1981). unevenness: 1 + a^2, a the coefficient of
    variation of its eigenvalues (Rao and Scott 1984, second order). cumulative: of the ECDF where it varies most, as a
    multiple of 1 / (4 rows). degrees, cumulative_degrees: of freedom of the two estimates, by Satterthwaite over the
    clusters: few clusters, or one that holds most rows, tell little about how much clusters differ.
    """

    design_effect: float = 1.0
    unevenness: float = 1.0
    cumulative: float = 1.0
    degrees: float = MANY
    cumulative_degrees: float = MANY


INDEPENDENT = Spread()


def spread(fine: Ints, starts: Ints, coarser: Ints, known: Bools) -> Spread:
    """Return the spread of a sample.

    fine: int64[n], each row's fine bin, missing last, the rows of a cluster together; starts: int64[clusters + 1],
    where each begins; coarser: int64[fine bins], the bin of each fine one; known: bool[bins], which the reference has
    rows in. A bin that fewer than 5 clusters are in tells nothing about itself: there all rows of a cluster are taken
    to be alike.
    """
    rows, bins = len(fine), len(known)
    if not rows:
        return INDEPENDENT
    counts = np.bincount(fine, minlength=len(coarser))
    share = np.bincount(coarser, counts, minlength=bins) / rows
    present = counts[:-1].sum()
    ecdf = np.cumsum(counts[:-1])[:-1] / max(present, 1)
    among = _among(fine, starts, coarser, bins)
    few, seen = among < FEW_CLUSTERS, known | (share > 0)
    covariance, per_cluster, squares, fourths = _residuals(fine, starts, coarser, share, few, seen, ecdf)
    at = int(np.argmax(squares)) if len(squares) else 0
    cumulative, cumulative_degrees = 1.0, MANY
    if len(squares) and squares[at] > 0:
        cumulative = max(4 * float(squares[at]) / present, 1.0)
        cumulative_degrees = _degrees(squares[at], fourths[at])
    if seen.sum() < 2:
        return Spread(cumulative=cumulative, cumulative_degrees=cumulative_degrees)
    size = np.diff(starts).astype(np.float64)
    matrix = covariance[np.ix_(seen, seen)] / rows
    alike = float((size**2).sum()) / rows * (1 - share[seen])
    np.fill_diagonal(matrix, np.where(few[seen], alike, np.diag(matrix)))
    degrees, total = int(seen.sum()) - 1, float(np.trace(matrix))
    unevenness = degrees * float((matrix**2).sum()) / max(total, 1e-12) ** 2
    effect, clusters = total / degrees, _degrees(per_cluster.sum(), (per_cluster**2).sum())
    return Spread(max(effect, 1.0), max(unevenness, 1.0), cumulative, clusters, cumulative_degrees)


def _degrees(total: float, squares: float) -> float:
    return max(float(total) ** 2 / max(float(squares), 1e-300) - 1, 0.0)


@njit(cache=True, nogil=True)
def _among(fine: Ints, starts: Ints, coarser: Ints, bins: int) -> Ints:
    """Return how many clusters have a row in each bin."""
    last, found = np.full(bins, -1, dtype=np.int64), np.zeros(bins, dtype=np.int64)
    for cluster in range(len(starts) - 1):
        for row in range(starts[cluster], starts[cluster + 1]):
            place = coarser[fine[row]]
            if last[place] != cluster:
                last[place] = cluster
                found[place] += 1
    return found


@njit(cache=True, nogil=True)
def _residuals(
    fine: Ints, starts: Ints, coarser: Ints, share: Floats, few: Bools, seen: Bools, ecdf: Floats
) -> tuple[npt.NDArray[np.float64], Floats, Floats, Floats]:
    """Return sums over clusters of products of their residuals by bin; each one's part in the trace of it; and sums of
    squares and fourth powers of their residuals of the ECDF at every fine edge."""
    bins, clusters, rows = len(share), len(starts) - 1, len(fine)
    covariance, parts = np.zeros((bins, bins)), np.zeros(clusters)
    squares, fourths = np.zeros(len(ecdf)), np.zeros(len(ecdf))
    counts, held, residual = np.zeros(len(coarser)), np.zeros(bins), np.zeros(bins)
    for cluster in range(clusters):
        counts[:], held[:] = 0.0, 0.0
        for row in range(starts[cluster], starts[cluster + 1]):
            counts[fine[row]] += 1.0
            held[coarser[fine[row]]] += 1.0
        size = starts[cluster + 1] - starts[cluster]
        for a in range(bins):
            residual[a] = (held[a] - size * share[a]) / np.sqrt(max(share[a], 1.0 / rows))
            if seen[a]:
                parts[cluster] += size**2 * (1.0 - share[a]) if few[a] else residual[a] ** 2
        for a in range(bins):
            for b in range(bins):
                covariance[a, b] += residual[a] * residual[b]
        below, present = 0.0, size - counts[-1]
        for edge in range(len(ecdf)):
            below += counts[edge]
            away = below - present * ecdf[edge]
            squares[edge] += away**2
            fourths[edge] += away**4
    return covariance, parts, squares, fourths


def together(a: Spread, rows: int, b: Spread, others: int) -> Spread:
    """Return the spread of the difference of two independent samples of so many rows (Satterthwaite 1946)."""
    one = 1 / (1 / rows + 1 / others)
    bins, ecdf = (a.design_effect / rows, b.design_effect / others), (a.cumulative / rows, b.cumulative / others)
    uneven = (bins[0] * np.sqrt(a.unevenness) + bins[1] * np.sqrt(b.unevenness)) / sum(bins)
    return Spread(sum(bins) * one, float(uneven**2), sum(ecdf) * one, _pooled(bins, a.degrees, b.degrees),
                  _pooled(ecdf, a.cumulative_degrees, b.cumulative_degrees))  # fmt: skip


def _pooled(variances: tuple[float, float], a: float, b: float) -> float:
    if not a or not b:
        return 0.0
    told = variances[0] ** 2 / a + variances[1] ** 2 / b
    return sum(variances) ** 2 / told if told else MANY

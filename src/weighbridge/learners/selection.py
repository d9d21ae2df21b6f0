"""What one feature alone tells about the label, with the chance that it is chance. NaN is a value of its own."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2, mannwhitneyu

from weighbridge.kernel.arrays import Floats, Ints, Vectors

BINS = 10
FEW = 32  # values that each are a bin of their own


def varying(vectors: Vectors) -> list[int]:
    """Return the features that vary, the only ones that can tell anything. vectors: float32[n, features]."""
    return [column for column in range(vectors.shape[1]) if len(np.unique(vectors[:, column], equal_nan=True)) > 1]


def separation(vectors: Vectors, y: Ints) -> tuple[Floats, Floats]:
    """Return |ROC-AUC - 1/2| of each feature, NaN ranked lowest, and its two-sided p-value, float64[features] each.

    Source: Mann and Whitney (1947), the normal approximation with ties. y: int64[n], both classes.
    """
    found = []
    for column in np.nan_to_num(vectors.astype(np.float64), nan=-1e30).T:
        positive, negative = column[y == 1], column[y == 0]
        tested = mannwhitneyu(positive, negative, alternative="two-sided", method="asymptotic")
        found.append((abs(tested.statistic / (len(positive) * len(negative)) - 0.5), tested.pvalue))
    return _columns(found)


def information(vectors: Vectors, y: Ints) -> tuple[Floats, Floats]:
    """Return the mutual information of label and feature in nats, and its p-value, float64[features] each.

    A feature of more than FEW values is cut into BINS bins of equal count. 2 n times the information is the G of the
    G-test, chi-square where there is none. Source: Sokal and Rohlf (1981), Biometry, chapter 17.
    """
    found = []
    for column in vectors.T:
        place = _binned(column)
        table = np.bincount(2 * place + y, minlength=2 * (int(place.max()) + 1)).reshape(-1, 2)
        table = table[table.sum(axis=1) > 0]
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / len(y)
        told = table > 0
        g = 2.0 * float(np.sum(table[told] * np.log(table[told] / expected[told])))
        found.append((max(g, 0.0) / (2 * len(y)), chi2.sf(max(g, 0.0), max(len(table) - 1, 1))))
    return _columns(found)


def _binned(column: Vectors) -> Ints:
    known = column[~np.isnan(column)]
    values = np.unique(known)
    edges = values if len(values) <= FEW else np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, column, side="right")
    return np.where(np.isnan(column), len(edges) + 1, place).astype(np.int64)


def _columns(found: list[tuple[float, float]]) -> tuple[Floats, Floats]:
    score, p = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return score.copy(), p.copy()
